"""Video files at the border. What we write is lossless: 4:2:0 chroma would move coloured edges.

`mp4` is H.264 in RGB at quantiser 0 (plays in players that know High 4:4:4), `gif` keeps up to 256 colours,
`png` is one folder of numbered images per clip. Frames in, the same frames out (gif: while colours suffice).
"""

from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from jaxtyping import UInt8
from PIL import Image

from cavendish.errors import BadInputError, CorruptDataError, unknown

Frames = UInt8[np.ndarray, "t h w c"]
SUFFIXES = (".mp4", ".gif")


def write_clip(frames: Frames, stem: Path, kind: str, fps: float) -> Path:
    """Write one clip beside `stem` and return its path; `kind` is mp4, gif or png."""
    if kind not in WRITERS:
        raise unknown("video format", kind, WRITERS)
    return WRITERS[kind](frames, stem, fps)


def read_clip(path: Path) -> Frames:
    """Read a video file, or a folder of images in the order of their numbers."""
    if path.is_dir():
        return _read_folder(path)
    if path.suffix == ".gif":
        return _read_gif(path)
    try:
        with av.open(str(path)) as container:
            frames = [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]
    except (av.FFmpegError, IndexError, OSError) as error:
        raise CorruptDataError(f"{path}: cannot be decoded as video ({error})") from error
    if not frames:
        raise CorruptDataError(f"{path}: holds no frames")
    return np.stack(frames)


def clips_in(folder: Path) -> list[Path]:
    """List the clips of a folder: video files, and sub-folders of numbered images, in natural order."""
    if not folder.is_dir():
        raise BadInputError(f"{folder}: no such folder")
    found = [p for p in folder.iterdir() if p.suffix in SUFFIXES or (p.is_dir() and any(p.glob("*.png")))]
    if not found:
        raise BadInputError(f"{folder}: no clips here; expected {', '.join(SUFFIXES)} files or folders of png images")
    return sorted(found, key=_natural)


def contact_sheet(clips: UInt8[np.ndarray, "b t h w c"], rows: int = 8, columns: int = 8) -> Image.Image:
    """Lay frames of the first few clips out: a row per clip, time from left to right."""
    moments = np.linspace(0, clips.shape[1] - 1, min(columns, clips.shape[1])).round().astype(int)
    shown = clips[:rows][:, moments]
    framed = np.pad(shown, ((0, 0), (0, 0), (1, 1), (1, 1), (0, 0)), constant_values=128)
    return Image.fromarray(np.concatenate([np.concatenate(list(row), 1) for row in framed]))


def _read_folder(path: Path) -> Frames:
    files = sorted(path.glob("*.png"), key=_natural)
    frames = []
    for file in files:
        try:
            with Image.open(file, formats=("PNG",)) as image:
                frames.append(np.asarray(image.convert("RGB")))
        except (OSError, ValueError) as error:
            raise CorruptDataError(f"{file}: cannot be decoded as PNG ({error})") from error
    if len({frame.shape for frame in frames}) > 1:
        raise CorruptDataError(f"{path}: images of different sizes")
    return np.stack(frames)


def _read_gif(path: Path) -> Frames:
    """Read a GIF at a constant rate: writers join equal frames into a longer one, which counts as many here."""
    frames, durations = [], []
    try:
        with Image.open(path, formats=("GIF",)) as image:
            for number in range(image.n_frames):  # type: ignore[attr-defined]
                image.seek(number)
                frames.append(np.asarray(image.convert("RGB")))
                durations.append(int(image.info.get("duration", 0)))
    except (OSError, ValueError, EOFError) as error:
        raise CorruptDataError(f"{path}: cannot be decoded as GIF ({error})") from error
    step = max(min(durations), 1)
    return np.repeat(np.stack(frames), [max(1, round(duration / step)) for duration in durations], 0)


def _natural(path: Path) -> tuple[int, str]:
    digits = "".join(c for c in path.stem if c.isdigit())
    return (int(digits) if digits else -1, path.name)


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
