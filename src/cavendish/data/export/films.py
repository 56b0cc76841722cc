"""Films as bytes: H.264 in RGB at quantiser 0 (exact), or in 4:2:0 (small, and it moves coloured edges).

4:2:0 stores one colour for every four pixels, so a red edge on white, which is what carries position, is smeared
over two pixels and off by up to 167 of 255 levels. One encoder thread: the bytes do not depend on the machine's cores.
"""

import io
from collections.abc import Iterable
from fractions import Fraction
from typing import TYPE_CHECKING, Literal, cast

import av
import numpy as np
from jaxtyping import UInt8

from cavendish.errors import CorruptDataError

if TYPE_CHECKING:
    from av.video.stream import VideoStream

Pixels = Literal["rgb", "yuv420"]
CODECS: dict[Pixels, tuple[str, str, dict[str, object]]] = {
    "rgb": ("libx264rgb", "rgb24", {"qp": "0", "preset": "veryfast"}),
    "yuv420": ("libx264", "yuv420p", {"crf": "18", "preset": "veryfast"}),
}


def encode(frames: Iterable[UInt8[np.ndarray, "h w c"]], fps: float, pixels: Pixels, clip: int) -> bytes:
    """Encode frames as mp4, with a key frame at the start of every `clip` frames."""
    codec, layout, options = CODECS[pixels]
    content = io.BytesIO()
    with av.open(content, "w", format="mp4") as container:
        stream = cast("VideoStream", container.add_stream(codec, rate=Fraction(fps).limit_denominator(1001)))
        stream.options = options | {"g": str(clip), "sc_threshold": "0"}
        stream.pix_fmt = layout
        stream.codec_context.thread_count = 1
        for number, frame in enumerate(frames):
            if number == 0:
                stream.height, stream.width = frame.shape[:2]
            picture = av.VideoFrame.from_ndarray(frame, format="rgb24")
            container.mux(stream.encode(picture.reformat(format=layout)))
        container.mux(stream.encode())
    return content.getvalue()


def decode(content: bytes, where: str) -> UInt8[np.ndarray, "t h w c"]:
    """Decode all frames of a film; bytes that are none are refused with their place."""
    try:
        with av.open(io.BytesIO(content), "r") as container:
            frames = [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]
    except (av.FFmpegError, IndexError) as error:
        raise CorruptDataError(f"{where}: cannot be decoded as video ({error})") from error
    if not frames:
        raise CorruptDataError(f"{where}: holds no frames")
    return np.stack(frames)
