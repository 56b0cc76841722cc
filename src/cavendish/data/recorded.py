"""Films that lie in a folder: of a game that was played elsewhere, or of anything whose buttons nobody wrote down.

Clip i is a piece of one film, at a place drawn by (seed, i) evenly from all places where a whole clip fits; no clip
crosses from film to film. Beside NAME.mp4 may lie NAME.npy, the button held from each frame to the next, for scoring
and for nothing else: all films have one or none has. Foreign films are decoded once, in children that may die, averaged
down to squares and held in memory. There is no law and no truth in metres: a frame is 1 m wide by decree. The folder
is named as it was given, so a relative name leaves the hash of a study the same on every machine.
"""

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import final

import numpy as np
import torch
from jaxtyping import Int, UInt8
from torch import Tensor

from cavendish.data.arcade import square
from cavendish.data.decoding import Decoder
from cavendish.data.media import clips_in
from cavendish.data.split import Split
from cavendish.errors import BadInputError, CorruptDataError
from cavendish.motion import Seconds, World
from cavendish.video import Clip


@final
@dataclass(frozen=True)
class Recording:
    """A folder of films."""

    folder: str
    frames: int = 16  # of a clip
    side: int = 64  # px
    step: Seconds = 1 / 15  # between frames
    seed: int = 0
    size: int = 1_000_000  # clips

    def __post_init__(self) -> None:
        """Refuse what could never yield a clip."""
        if self.frames < 2 or self.side < 8 or self.step <= 0 or self.size < 1:
            raise BadInputError(f"{self}: expected clips of 2 frames or more, 8 px or more, a step, and a clip")

    @property
    def lead(self) -> Split:
        """Refuse: nobody wrote down the law of these films."""
        raise BadInputError(f"{self.folder} is no scene: its law is not known, so it can be watched but not weighed")

    def batches(self, step: int, batch: int, device: str = "cpu") -> tuple[Clip, ...]:
        """Make what one training step sees, with its frames on a device."""
        clip = self.clips((np.arange(batch) + step * batch) % self.size)
        return (replace(clip, frames=clip.frames.to(device)),)

    def clips(self, indices: Int[np.ndarray, " b"]) -> Clip:
        """Cut a batch of clips from the films."""
        films, buttons, starts = self._held
        places = [np.random.default_rng([self.seed, index]).integers(len(starts)) for index in indices.tolist()]
        cut = torch.from_numpy(starts[places])[:, None] + torch.arange(self.frames)
        pressed = None if buttons is None else buttons[cut].float()[..., None]
        return Clip(films[cut], self.step * torch.arange(self.frames), World(1.0, 1.0), None, pressed)

    @cached_property
    def _held(self) -> tuple[UInt8[Tensor, "n h w c"], Int[Tensor, " n"] | None, Int[np.ndarray, " s"]]:
        """Return all frames in a row, their buttons if they are known, and where clips may start."""
        paths = clips_in(Path(self.folder))
        hands = min(os.cpu_count() or 1, len(paths))
        with ThreadPoolExecutor(hands) as pool:
            parts = list(pool.map(self._read, [paths[hand::hands] for hand in range(hands)]))
        films = [parts[number % hands][number // hands] for number in range(len(paths))]
        shape = films[0].shape[1:]
        for path, film in zip(paths, films, strict=True):
            if film.shape[1:] != shape:
                sizes = (f"{w} x {h} px" for h, w, _ in (film.shape[1:], shape))
                raise BadInputError(f"{path}: {next(sizes)}, expected {next(sizes)} as in {paths[0].name}")
            if len(film) < self.frames:
                raise BadInputError(f"{path}: {len(film)} frames, expected at least {self.frames} for a clip")
        ends = np.cumsum([len(film) for film in films])
        starts = [np.arange(end - len(film), end - self.frames + 1) for end, film in zip(ends, films, strict=True)]
        small = np.concatenate([self._small(film) for film in films])
        return torch.from_numpy(small), _buttons(paths, films), np.concatenate(starts)

    def _read(self, paths: Sequence[Path]) -> list[UInt8[np.ndarray, "_ _ _ c"]]:
        with Decoder() as decoder:
            return [decoder.read(path).frames for path in paths]

    def _small(self, film: UInt8[np.ndarray, "t h w c"]) -> UInt8[np.ndarray, "t s s c"]:
        if film.shape[1:3] == (self.side, self.side):
            return film
        return np.stack([square(frame, self.side) for frame in film])


def _buttons(paths: Sequence[Path], films: Sequence[UInt8[np.ndarray, "_ _ _ c"]]) -> Int[Tensor, " n"] | None:
    """Read the buttons beside films: of all, or of none."""
    beside = [path.with_suffix(".npy") for path in paths]
    missing = [path for path in beside if not path.is_file()]
    if len(missing) == len(beside):
        return None
    if missing:
        raise BadInputError(f"{missing[0]}: no such file, though other films have their buttons beside them")
    found = []
    for path, film in zip(beside, films, strict=True):
        try:
            pressed = np.load(path, allow_pickle=False)
        except (ValueError, EOFError) as error:
            raise CorruptDataError(f"{path}: not a NumPy array of numbers ({error})") from error
        if pressed.shape != (len(film),) or pressed.dtype.kind not in "iu" or pressed.min() < 0:
            raise BadInputError(
                f"{path}: {pressed.dtype} of shape {pressed.shape}, expected {len(film)} buttons from 0 on"
            )
        found.append(pressed.astype(np.int64))
    return torch.from_numpy(np.concatenate(found))
