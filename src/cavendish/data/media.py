"""Video files at the border. What we write is lossless: 4:2:0 chroma would move coloured edges.

`mp4` is H.264 in RGB at quantiser 0 (plays in players that know High 4:4:4), `gif` keeps up to 256 colours,
`png` is one folder of numbered images per clip. Frames in, the same frames out (gif: while colours suffice).
What comes in, ours or not, is decoded in a child process (`decoding`).
"""

from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from jaxtyping import UInt8
from PIL import Image

from cavendish.data.decoding import Decoder, images_in, natural
from cavendish.errors import BadInputError, chosen

Frames = UInt8[np.ndarray, "t h w c"]
SUFFIXES = (".mp4", ".webm", ".mov", ".mkv", ".avi", ".gif", ".webp")


def write_clip(frames: Frames, stem: Path, kind: str, fps: float) -> Path:
    """Write one clip beside `stem` and return its path; `kind` is mp4, gif or png."""
    return chosen("video format", kind, WRITERS)(frames, stem, fps)


def read_clip(path: Path) -> Frames:
    """Read a video file, or a folder of images in the order of their numbers."""
    with Decoder() as decoder:
        return decoder.read(path).frames


def clips_in(folder: Path) -> list[Path]:
    """List the clips of a folder: video files, and sub-folders of numbered images, in natural order."""
    if not folder.is_dir():
        raise BadInputError(f"{folder}: no such folder")
    shown = [p for p in folder.iterdir() if not p.name.startswith(".")]
    found = [p for p in shown if p.suffix.lower() in SUFFIXES or (p.is_dir() and images_in(p))]
    if not found:
        raise BadInputError(
            f"{folder}: no clips here; expected {', '.join(SUFFIXES)} files or folders of numbered images"
        )
    return sorted(found, key=natural)


def contact_sheet(clips: UInt8[np.ndarray, "b t h w c"], rows: int = 8, columns: int = 8) -> Image.Image:
    """Lay frames of the first few clips out: a row per clip, time from left to right."""
    moments = np.linspace(0, clips.shape[1] - 1, min(columns, clips.shape[1])).round().astype(int)
    shown = clips[:rows][:, moments]
    framed = np.pad(shown, ((0, 0), (0, 0), (1, 1), (1, 1), (0, 0)), constant_values=128)
    return Image.fromarray(np.concatenate([np.concatenate(list(row), 1) for row in framed]))


def _write_mp4(frames: Frames, stem: Path, fps: float) -> Path:
    path = stem.with_suffix(".mp4")
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264rgb", rate=Fraction(fps).limit_denominator(1001))
        stream.height, stream.width = frames.shape[1:3]
        stream.pix_fmt = "rgb24"
        stream.options = {"qp": "0", "preset": "veryfast"}
        for frame in frames:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")))
        container.mux(stream.encode())
    return path


def _write_gif(frames: Frames, stem: Path, fps: float) -> Path:
    path = stem.with_suffix(".gif")
    images = [Image.fromarray(frame) for frame in frames]
    images[0].save(path, save_all=True, append_images=images[1:], duration=round(1000 / fps), loop=0, disposal=1)
    return path


def _write_png(frames: Frames, stem: Path, fps: float) -> Path:
    stem.mkdir()
    for number, frame in enumerate(frames):
        Image.fromarray(frame).save(stem / f"{number:04d}.png")
    return stem


WRITERS: dict[str, Callable[[Frames, Path, float], Path]] = {"mp4": _write_mp4, "gif": _write_gif, "png": _write_png}
