"""A folder of films, mp4 or numbered PNG images, with `states.npz` beside them: what `cavendish measure` reads."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, final

import numpy as np
from jaxtyping import UInt8

from cavendish.data.export.films import Pixels, encode
from cavendish.data.export.shards import PARTS, STATES, Export, Format, states_of
from cavendish.data.media import clips_in, read_clip, write_clip
from cavendish.data.states import read_states, write_states
from cavendish.motion import Trajectory
from cavendish.video import Clip


class Films(Format):
    """One film per clip."""

    def film(self, frames: UInt8[np.ndarray, "t h w c"], stem: Path, fps: float) -> None:
        """Write one film."""
        write_clip(frames, stem, self.name(), fps)

    def write(self, job: Export, number: int, folder: Path) -> None:
        """Write the films of a shard, and keep its states for the end."""
        rows = []
        for index, clip in job.clips(number):
            self.film(clip.frames.numpy(), folder / f"clip_{index:07d}", job.fps)
            rows.append(states_of(clip))
        stacked: dict[str, Any] = {name: np.stack([row[name] for row in rows]) for name in STATES}
        np.savez(folder / PARTS / f"{number:05d}.npz", **stacked)

    def finish(self, job: Export, whole: Path, folder: Path) -> None:
        """Join the states of all shards."""
        parts = [np.load(part, allow_pickle=False) for part in job.parts(whole, ".npz")]
        position, velocity, radius, factors = (np.concatenate([part[name] for part in parts]) for name in STATES)
        scene = job.split.scene
        truth = Trajectory(scene.clock(), position, velocity, radius, np.ones(radius.shape), factors)
        write_states(folder / "states.npz", truth, scene)

    def read(self, job: Export, folder: Path) -> Iterator[Clip]:
        """Read film by film."""
        truth = read_states(folder / "states.npz")
        for number, path in enumerate(clips_in(folder)):
            row = truth[number]
            yield job.clip(read_clip(path), {name: getattr(row, name) for name in STATES})


@final
@dataclass(frozen=True)
class Mp4(Films):
    """One H.264 film per clip."""

    pixels: Pixels = "rgb"

    def film(self, frames: UInt8[np.ndarray, "t h w c"], stem: Path, fps: float) -> None:
        """Write one film."""
        stem.with_suffix(".mp4").write_bytes(encode(frames, fps, self.pixels, len(frames)))


@final
@dataclass(frozen=True)
class Png(Films):
    """One folder of numbered images per clip; always exact."""
