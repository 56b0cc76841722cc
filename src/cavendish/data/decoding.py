"""Foreign films come in through a child process that may die, never through this one.

One child (`decode_worker`) decodes file after file and is thrown away as soon as one makes it crash, overrun its
limits or fall silent; the next file gets a fresh one. Frames come back as counted raw bytes behind JSON headers, so
nothing of ours is ever unpickled, and this process believes only what it has counted itself. Every file is either a
Film or a CorruptDataError that names it and says why. Frames that an animation merely holds longer are repeated, at
the rate of its shortest frame; a folder of images must be numbered without gaps.
"""

import json
import re
import signal
import subprocess
import sys
import threading
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, final

import numpy as np
from jaxtyping import Float, UInt8

from cavendish.errors import BadInputError, CorruptDataError

IMAGES = (".png", ".jpg", ".jpeg", ".webp")
PATIENCE = 120.0  # s on the wall for one file; processor time is limited more tightly, but machines are shared
LONGEST_HEAD = 4096  # bytes


@final
@dataclass(frozen=True)
class Limits:
    """What one foreign file may cost."""

    seconds: float = 2.0  # of processor time without result
    memory: int = 2**30  # bytes of address space of the child
    pixels: int = 2**24  # of one frame
    frames: int = 4096
    film: int = 2**31  # bytes of all frames together


@final
@dataclass(frozen=True)
class Film:
    """A clip as it came: frames, and when each was shown, if the file says so."""

    frames: UInt8[np.ndarray, "t h w c"]
    time: Float[np.ndarray, " t"] | None  # s, from the first frame


class Decoder:
    """Decodes foreign files one after the other; a context manager that ends its child."""

    def __init__(self, limits: Limits | None = None) -> None:
        self.limits = limits or Limits()
        self.child: subprocess.Popen[bytes] | None = None
        self.born = 0  # children so far

    def __enter__(self) -> "Decoder":
        """Start nothing yet: the first file does."""
        return self

    def __exit__(self, *reason: object) -> None:
        """End the child."""
        self._end()

    def read(self, path: Path) -> Film:
        """Decode a film file or a folder of numbered images; raise CorruptDataError that names what is refused."""
        try:
            images = path.is_dir()
            paths = numbered(path) if images else [path]
            missing = [one for one in paths if not one.is_file()]
        except OSError as error:
            raise BadInputError(f"{path}: cannot be read: {error.strerror}") from error
        if missing:
            raise BadInputError(f"{missing[0]}: no such file")
        request = {"paths": [str(one.resolve()) for one in paths], "images": images}
        child = self._child()
        watch = threading.Timer(PATIENCE, child.kill)
        watch.start()
        try:
            return self._receive(child, json.dumps(request).encode() + b"\n")
        except _RefusedError as refused:
            raise CorruptDataError(f"{path}: {refused}") from None
        except (BrokenPipeError, EOFError, ValueError):
            how = self._end()
            raise CorruptDataError(f"{path}: the decoder died on it ({how})") from None
        finally:
            watch.cancel()

    def _receive(self, child: "subprocess.Popen[bytes]", request: bytes) -> Film:
        assert child.stdin is not None
        assert child.stdout is not None
        child.stdin.write(request)
        child.stdin.flush()
        frames: list[UInt8[np.ndarray, "h w c"]] = []
        shown: list[tuple[float, float]] = []
        total = 0
        while True:
            head = json.loads(child.stdout.readline(LONGEST_HEAD))
            if "refused" in head:
                raise _RefusedError(head["refused"])
            if "end" in head:
                return _film(frames, np.array(shown), self.limits)
            h, w = int(head["h"]), int(head["w"])
            total += 3 * h * w
            if not 0 < h * w <= self.limits.pixels or len(frames) >= self.limits.frames or total > self.limits.film:
                self._end()
                raise _RefusedError(f"frame {len(frames)} of {w} x {h} exceeds the limits")
            content = child.stdout.read(3 * h * w)
            if len(content) < 3 * h * w:
                raise EOFError
            frames.append(np.frombuffer(content, np.uint8).reshape(h, w, 3))
            shown.append((float(head["t"]), float(head["hold"])))

    def _child(self) -> "subprocess.Popen[bytes]":
        if self.child is None or self.child.poll() is not None:
            self._end()
            worker = Path(__file__).with_name("decode_worker.py")
            self.child = subprocess.Popen(
                [sys.executable, "-I", str(worker), json.dumps(asdict(self.limits))],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                env={"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"},
                cwd="/",
            )
            self.born += 1
        return self.child

    def _end(self) -> str:
        """End the child, if it has not ended itself, and say how it did."""
        child, self.child = self.child, None
        if child is None:
            return "none"
        for pipe in (child.stdin, child.stdout):
            with suppress(BrokenPipeError):
                if pipe is not None:
                    pipe.close()
        try:
            code = child.wait(timeout=1.0)  # a crash takes a moment to be noticed; a healthy child ends with its input
        except subprocess.TimeoutExpired:
            child.kill()
            code = child.wait()
        return DEATHS.get(-code, f"signal {-code}" if code < 0 else f"exit code {code}")


DEATHS: dict[int, str] = {
    signal.SIGPROF: "more processor time than allowed",
    signal.SIGKILL: f"killed, or silent for {PATIENCE:g} s",
    signal.SIGSEGV: "segmentation fault",
}


class _RefusedError(Exception):
    """The child's own word against a file."""


def _film(frames: list[Any], shown: Float[np.ndarray, "t two"], limits: Limits) -> Film:
    stack, (begun, held) = np.stack(frames), shown.T
    if len(frames) > 1 and (held >= 0).all():  # an animation: equal frames were joined into one that is held
        step = max(float(held.min()), 1e-3)
        times = np.maximum(np.rint(held / step), 1).astype(int)
        if times.sum() > limits.frames or times.sum() * frames[0].nbytes > limits.film:
            raise _RefusedError(f"holds frames for {held.sum():.0f} s in steps of {step:g} s, too many frames")
        return Film(np.repeat(stack, times, 0), np.arange(times.sum()) * step if held.min() > 0 else None)
    known = len(frames) > 1 and begun.min() >= 0 and (np.diff(begun) > 0).all()
    return Film(stack, begun - begun[0] if known else None)


def numbered(folder: Path) -> list[Path]:
    """List a folder's images in the order of their numbers; a gap or a repeated number is refused."""
    files = images_in(folder)
    if not files:
        raise BadInputError(f"{folder}: no images here")
    numbers = [int(digits[-1]) for digits in (re.findall(r"\d+", p.stem) for p in files) if digits]
    if len(numbers) != len(files):
        raise BadInputError(f"{folder}: {len(files) - len(numbers)} of {len(files)} images have no number")
    steps = np.diff(numbers)
    values, counts = np.unique(steps[steps > 0], return_counts=True)
    usual = values[counts.argmax()] if len(values) else 1
    if (steps != usual).any():
        at = int(np.argmax(steps != usual))
        raise BadInputError(f"{folder}: image {numbers[at]} is followed by {numbers[at + 1]}; one is missing or twice")
    return files


def images_in(folder: Path) -> list[Path]:
    """List the images of a folder in natural order."""
    return sorted((p for p in folder.iterdir() if p.suffix.lower() in IMAGES), key=natural)


def natural(path: Path) -> list[tuple[int, str]]:
    """Return a key that sorts 2 before 10, wherever the digits stand."""
    parts = re.split(r"(\d+)", path.name)
    return [(int(part), "") if k % 2 else (-1, part) for k, part in enumerate(parts)]
