"""Foreign films come in through a child process that may die, never through this one.

One child (`decode_worker`) decodes file after file and is thrown away as soon as one makes it crash, overrun its
limits or fall silent; the next file gets a fresh one. Frames come back as counted raw bytes behind JSON headers, so
nothing of ours is ever unpickled, and this process believes only what it has counted itself. Every file is either a
Film or a CorruptDataError that names it and says why. Frames that an animation merely holds longer are repeated, at
the rate of its shortest frame; a folder of images must be numbered without gaps.
"""

import json
import re
import selectors
import subprocess
import sys
import time
from contextlib import ExitStack, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, final

import numpy as np
from jaxtyping import Float, UInt8

from cavendish.errors import BadInputError, CorruptDataError

IMAGES = (".png", ".jpg", ".jpeg", ".webp")
GRACE = 15.0  # times as long on the wall as on the processor, before a silent child is ended: machines are shared


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
        self.pending = b""
        self.born = 0  # children so far

    def __enter__(self) -> "Decoder":
        """Start nothing yet: the first file does."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End the child."""
        self._end()

    def read(self, path: Path) -> Film:
        """Decode a film file or a folder of numbered images; raise CorruptDataError that names what is refused."""
        paths = numbered(path) if path.is_dir() else [path]
        for one in paths:
            if not one.is_file():
                raise BadInputError(f"{one}: no such file")
        request = {"paths": [str(one.resolve()) for one in paths], "images": path.is_dir()}
        finished = False
        try:
            film = self._receive(json.dumps(request).encode() + b"\n", path)
            finished = True
        except _RefusedError as refused:
            finished = True
            raise CorruptDataError(f"{path}: {refused}") from None
        except (BrokenPipeError, EOFError, ValueError):
            raise CorruptDataError(f"{path}: the decoder died on it ({self._obituary()})") from None
        finally:
            if not finished:
                self._end()
        return film

    def _receive(self, request: bytes, path: Path) -> Film:
        child = self._child()
        assert child.stdin is not None
        child.stdin.write(request)
        child.stdin.flush()
        frames: list[UInt8[np.ndarray, "h w c"]] = []
        shown: list[float] = []
        held: list[float] = []
        total = 0
        while True:
            head = json.loads(self._line())
            if "refused" in head:
                raise _RefusedError(head["refused"])
            if "end" in head:
                return _film(frames, shown, held, self.limits)
            h, w = int(head["h"]), int(head["w"])
            total += 3 * h * w
            if not 0 < h * w <= self.limits.pixels or len(frames) >= self.limits.frames or total > self.limits.film:
                self._end()
                raise _RefusedError(f"frame {len(frames)} of {w} x {h} exceeds the limits")
            frames.append(np.frombuffer(self._bytes(3 * h * w), np.uint8).reshape(h, w, 3))
            shown.append(float(head["t"]))
            held.append(float(head["hold"]))

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

    def _line(self) -> bytes:
        while b"\n" not in self.pending:
            self.pending += self._some()
            if len(self.pending) > 2**16 and b"\n" not in self.pending[: 2**16]:
                raise ValueError("not a header")
        line, self.pending = self.pending.split(b"\n", 1)
        return line

    def _bytes(self, count: int) -> bytes:
        parts, have = [self.pending], len(self.pending)
        while have < count:
            parts.append(self._some())
            have += len(parts[-1])
        whole = b"".join(parts)
        self.pending = whole[count:]
        return whole[:count]

    def _some(self) -> bytes:
        """Wait for the child's next bytes, but not for ever."""
        assert self.child is not None
        assert self.child.stdout is not None
        with selectors.DefaultSelector() as selector:
            selector.register(self.child.stdout, selectors.EVENT_READ)
            if not selector.select(GRACE * self.limits.seconds):
                raise EOFError
        content = self.child.stdout.read1(2**20)  # type: ignore[attr-defined]
        if not content:
            raise EOFError
        return bytes(content)

    def _obituary(self) -> str:
        """Say how the child ended, giving it a moment to do so."""
        assert self.child is not None
        for _ in range(50):
            code = self.child.poll()
            if code is not None:
                return SIGNALS.get(-code, f"signal {-code}" if code < 0 else f"exit code {code}")
            time.sleep(0.01)
        return f"no answer in {GRACE * self.limits.seconds:g} s"

    def _end(self) -> None:
        if self.child is not None:
            self.child.kill()
            with ExitStack() as stack:
                for pipe in (self.child.stdin, self.child.stdout):
                    if pipe is not None:
                        stack.callback(_close, pipe)
            self.child.wait()
        self.child, self.pending = None, b""


SIGNALS = {27: "more processor time than allowed", 9: "killed", 11: "segmentation fault", 6: "abort"}


class _RefusedError(Exception):
    """The child's own word against a file."""


def _close(pipe: Any) -> None:
    with suppress(BrokenPipeError):
        pipe.close()


def _film(frames: list[Any], shown: list[float], held: list[float], limits: Limits) -> Film:
    holds = np.array(held)
    if len(frames) > 1 and (holds >= 0).all():  # an animation: equal frames were joined into one that is held
        step = max(float(holds.min()), 1e-3)
        times = np.maximum(np.rint(holds / step), 1).astype(int)
        if times.sum() > limits.frames or times.sum() * frames[0].nbytes > limits.film:
            raise _RefusedError(f"holds frames for {holds.sum():.0f} s in steps of {step:g} s, too many frames")
        stack = np.repeat(np.stack(frames), times, 0)
        return Film(stack, np.arange(len(stack)) * step if holds.min() > 0 else None)
    clock = np.array(shown) - shown[0]
    known = len(frames) > 1 and min(shown) >= 0 and (np.diff(clock) > 0).all()
    return Film(np.stack(frames), clock if known else None)


def numbered(folder: Path) -> list[Path]:
    """List a folder's images in the order of their numbers; a gap or a repeated number is refused."""
    files = sorted((p for p in folder.iterdir() if p.suffix.lower() in IMAGES), key=natural)
    if not files:
        raise BadInputError(f"{folder}: no images here")
    numbers = [int(digits[-1]) for digits in (re.findall(r"\d+", p.stem) for p in files) if digits]
    if len(numbers) != len(files):
        raise BadInputError(f"{folder}: {len(files) - len(numbers)} of {len(files)} images have no number")
    steps = np.diff(numbers)
    if len(steps) and (steps.min() < 1 or steps.min() != steps.max()):
        at = int(np.argmax(steps != np.median(steps)))
        raise BadInputError(f"{folder}: image {numbers[at]} is followed by {numbers[at + 1]}; one is missing or twice")
    return files


def natural(path: Path) -> list[tuple[int, str]]:
    """Return a key that sorts 2 before 10, wherever the digits stand."""
    parts = re.split(r"(\d+)", path.name)
    return [(int(part), "") if k % 2 else (-1, part) for k, part in enumerate(parts)]
