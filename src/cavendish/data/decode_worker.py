"""The child that decodes foreign media: run as a program, never imported by the parent, thrown away when it misbehaves.

It reads one JSON request a line, {"paths": [...], "images": bool}, and answers on its output with one JSON line per
frame, {"h", "w", "t", "hold"}, followed by h * w * 3 bytes of RGB, and at last {"end": count} or {"refused": reason}.
What a file may cost is fixed before it is opened:
    address space, written files, open files, core dumps   RLIMIT_AS, RLIMIT_FSIZE = 0, RLIMIT_NOFILE, RLIMIT_CORE = 0
    processor time                                         ITIMER_PROF, which kills; every megapixel earns a little more
    pixels of a frame, number of frames                    counted here, never believed from a header
Containers are told by their first bytes, not by their names, and both they and codecs are on a list of what we read.
The file is handed to the demuxer as an open file, so that it can name no other file and no address.
Only the standard library, NumPy, PyAV and Pillow are imported, none of ours, for a quick start.
"""

import gc
import json
import os
import resource
import signal
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

import av
import numpy as np
from PIL import Image, ImageOps

DEMUXERS = "mov,mp4,matroska,webm,avi"
CODECS = frozenset(
    {"h264", "hevc", "vp8", "vp9", "libvpx", "libvpx-vp9", "av1", "libdav1d", "mpeg4", "mjpeg", "ffv1", "png"}
)
STILLS = ("PNG", "JPEG", "WEBP")
MOVING, PHOTO = (b"GIF8", b"\x89PNG\r\n\x1a\n"), b"\xff\xd8\xff"
QUICKTIME = (b"ftyp", b"moov", b"mdat", b"wide", b"free", b"skip")
MEGAPIXEL_SECONDS = 0.1  # processor time that a decoded megapixel earns
Frame = tuple[float, float, np.ndarray[Any, np.dtype[np.uint8]]]  # shown from [s], held for [s]; -1: not told; RGB


class RefusedError(Exception):
    """Why a file is not decoded, in words."""


def main() -> None:
    """Serve requests until the input ends."""
    limits = json.loads(sys.argv[1])
    av.logging.set_level(None)
    warnings.simplefilter("error", Image.DecompressionBombWarning)
    Image.MAX_IMAGE_PIXELS = limits["pixels"]
    for kind, most in (
        (resource.RLIMIT_AS, limits["memory"]),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_NOFILE, 32),
        (resource.RLIMIT_CORE, 0),
    ):
        resource.setrlimit(kind, (most, most))
    out = os.fdopen(os.dup(1), "wb")
    for line in sys.stdin:
        _serve(json.loads(line), limits, out)
        gc.collect()  # a film that was read lies in a cycle, with its threads' stacks, and would fill the address space


def _serve(request: dict[str, Any], limits: dict[str, float], out: BinaryIO) -> None:
    allowed = limits["seconds"]
    signal.setitimer(signal.ITIMER_PROF, allowed)
    paths = [Path(path) for path in request["paths"]]
    count, shape = 0, None
    try:
        for time, hold, frame in _images(paths) if request["images"] else _film(paths[0], limits):
            shape = shape or frame.shape
            if frame.shape != shape:
                raise RefusedError(
                    f"frame {count} is {frame.shape[1]} x {frame.shape[0]}, the first {shape[1]} x {shape[0]}"
                )
            if count >= limits["frames"]:
                raise RefusedError(f"more than {limits['frames']:g} frames")
            head = {"h": shape[0], "w": shape[1], "t": time, "hold": hold}
            out.write(json.dumps(head).encode() + b"\n" + np.ascontiguousarray(frame).tobytes())
            count += 1
            left = signal.getitimer(signal.ITIMER_PROF)[0]
            signal.setitimer(signal.ITIMER_PROF, min(allowed, left + MEGAPIXEL_SECONDS * frame.size / 3e6))
        answer: dict[str, Any] = {"end": count} if count else {"refused": "holds no frames"}
    except RefusedError as refusal:
        answer = {"refused": str(refusal)}
    except MemoryError:
        answer = {"refused": f"needs more than {limits['memory'] / 2**20:.0f} MiB"}
    except BrokenPipeError:
        sys.exit(0)
    except Exception as error:  # whatever a decoder raises on foreign bytes is a reason to refuse them
        reason = f"{type(error).__name__}: {error}".splitlines()[0].replace(str(paths[0]), paths[0].name)
        answer = {"refused": f"cannot be decoded ({reason})"}
    signal.setitimer(signal.ITIMER_PROF, 0)
    out.write(json.dumps(answer).encode() + b"\n")
    out.flush()


def _film(path: Path, limits: dict[str, float]) -> Iterator[Frame]:
    """Choose the decoder by the first bytes of a file."""
    with path.open("rb") as file:
        start = file.read(12)
        file.seek(0)
        if start.startswith(PHOTO):
            yield from _images([path])  # the first picture: what phones hide behind it is no film
        elif start.startswith(MOVING) or (start[:4], start[8:]) == (b"RIFF", b"WEBP"):
            yield from _animation(file, limits)
        elif start[4:8] in QUICKTIME or start[:4] == b"\x1aE\xdf\xa3" or (start[:4], start[8:]) == (b"RIFF", b"AVI "):
            yield from _video(file, limits)
        else:
            raise RefusedError("is no mp4, mov, webm, mkv, avi, gif, webp, png or jpg by its first bytes")


def _video(file: BinaryIO, limits: dict[str, float]) -> Iterator[Frame]:
    """Decode the first video stream; refuse a film of which a part is missing, rather than return what is left."""
    most = {"max_pixels": str(int(limits["pixels"])), "format_whitelist": DEMUXERS}
    with av.open(file, "r", options=most) as container:
        if not container.streams.video:
            raise RefusedError("holds no video")
        stream = container.streams.video[0]
        context = stream.codec_context
        if context.name not in CODECS:
            raise RefusedError(f"codec {context.name} is not on the list of those read: {', '.join(sorted(CODECS))}")
        if context.width * context.height > limits["pixels"]:
            raise RefusedError(f"frames of {context.width} x {context.height} exceed {limits['pixels']:g} pixels")
        context.options = {"max_pixels": most["max_pixels"], "err_detect": "explode"}
        context.thread_count = 1
        packets, frames, matrix = 0, 0, None
        for packet in container.demux(stream):
            packets += packet.size > 0 and not packet.is_discard
            if packet.is_corrupt:
                raise RefusedError(f"packet {packets} is damaged")
            for frame in packet.decode():
                if frame.is_corrupt:
                    raise RefusedError(f"frame {frames} is damaged")
                clock = -1.0 if frame.pts is None or frame.time_base is None else float(frame.pts * frame.time_base)
                picture = frame.to_ndarray(format="rgb24").astype(np.uint8, copy=False)
                if not frames:  # asked once: a frame whose side data were looked at is not freed at once
                    told: Any = frame.side_data.get("DISPLAYMATRIX")
                    matrix = None if told is None else np.frombuffer(bytes(told), np.int32)
                yield clock, -1.0, _upright(picture, matrix)
                frames += 1
        listed = stream.frames if "mp4" in container.format.name else 0  # AVI also lists empty moments
        declared = max(packets, listed)
        if frames < declared:
            raise RefusedError(f"only {frames} of {declared} frames are there")


def _upright(
    picture: np.ndarray[Any, np.dtype[np.uint8]], matrix: np.ndarray[Any, np.dtype[np.int32]] | None
) -> np.ndarray[Any, np.dtype[np.uint8]]:
    """Turn or mirror a frame as its display matrix says: (x, y) -> (a x + c y, b x + d y), y down, 16.16."""
    if matrix is None:
        return picture
    a, b, _, c, d = (round(value / 65536, 3) for value in matrix[:5].tolist())
    if (abs(a), abs(b), abs(c), abs(d)) == (0, 1, 1, 0):
        picture, a, d = picture.swapaxes(0, 1), c, b
    elif (abs(a), abs(b), abs(c), abs(d)) != (1, 0, 0, 1):
        raise RefusedError("is to be shown at an angle that is no quarter turn")
    return picture[:: 1 if d > 0 else -1, :: 1 if a > 0 else -1]


def _animation(file: BinaryIO, limits: dict[str, float]) -> Iterator[Frame]:
    """Decode a GIF, WebP or PNG; each frame starts when those before it have been shown."""
    with Image.open(file, formats=("GIF", "WEBP", "PNG")) as image:
        declared, clock = int(getattr(image, "n_frames", 1)), 0.0
        if declared > limits["frames"]:
            raise RefusedError(f"more than {limits['frames']:g} frames")
        for number in range(declared):
            image.seek(number)
            hold = max(float(image.info.get("duration", 0)), 0.0) / 1000
            yield clock, hold, _seen(image)
            clock += hold


def _images(paths: list[Path]) -> Iterator[Frame]:
    """Decode one image per frame; they carry no clock."""
    for path in paths:
        try:
            with path.open("rb") as file, Image.open(file, formats=STILLS) as image:
                frame = _seen(image)
        except Exception as error:
            raise RefusedError(f"{path.name} cannot be decoded ({type(error).__name__})") from error
        yield -1.0, -1.0, frame


def _seen(image: Image.Image) -> np.ndarray[Any, np.dtype[np.uint8]]:
    """Return a picture as a viewer shows it: the right way up, on white where it is clear, 16 bits of grey as 8."""
    image = ImageOps.exif_transpose(image)
    if image.mode.startswith("I;16") or image.mode == "I":
        grey = np.asarray(image).clip(0, 65535) // 257
        return np.repeat(grey.astype(np.uint8)[..., None], 3, -1)
    if image.has_transparency_data:
        white = Image.new("RGBA", image.size, "white")
        white.alpha_composite(image.convert("RGBA"))
        image = white
    return np.asarray(image.convert("RGB"))


if __name__ == "__main__":
    main()
