"""The pupils whose marks we know: floor, ceiling and lie detector of every figure.

Oracle knows the truth (and carries the noise of the model's pictures, so its score is the ruler error);
Coast keeps the velocity that it reads from the context; Freeze repeats the last frame;
NearestCase replays the training clip whose beginning looks most like the context: the pupil who copies.
Each sees what a model sees, answers in pixels, and is read by the same reader.
"""

from dataclasses import dataclass
from typing import Protocol, final, runtime_checkable

import numpy as np
import torch
from jaxtyping import Float, UInt8
from scipy.spatial import KDTree

from cavendish.data import Split
from cavendish.motion import Trajectory
from cavendish.readout import Reader
from cavendish.render import render
from cavendish.scenes import Scene
from cavendish.scenes.scene import assemble
from cavendish.video import Clip, Imagined


@runtime_checkable
class Dreamer(Protocol):
    """Anything that continues a context; every world model is one."""

    def imagine(self, context: Clip, horizon: int, generator: torch.Generator) -> Imagined:
        """Continue every clip by `horizon` frames."""


@final
@dataclass(frozen=True)
class Oracle:
    """Replays the truth, with the pixel noise of the pictures that it is compared with."""

    scene: Scene
    truth: Trajectory
    noise: float  # standard deviation in sRGB bytes

    def imagine(self, context: Clip, horizon: int, generator: torch.Generator) -> Imagined:
        """Film the truth."""
        frames = _film(self.scene, self.truth, context)
        noisy = torch.from_numpy(frames).float()
        noisy += self.noise * torch.randn(noisy.shape, generator=generator)
        return _imagined(noisy.round().clamp(0, 255).to(torch.uint8), self.truth, context)


@final
@dataclass(frozen=True)
class Coast:
    """Goes on at constant velocity."""

    scene: Scene
    reader: Reader

    def imagine(self, context: Clip, horizon: int, generator: torch.Generator) -> Imagined:
        """Extrapolate each body's last position by its mean velocity over the context."""
        seen = _read(self.reader, context)
        time = _clock(context, horizon)
        given = len(seen.time)
        velocity = (seen.position[:, -1] - seen.position[:, 0]) / (seen.time[-1] - seen.time[0])
        ahead = (time[given:] - time[given - 1])[:, None, None]
        future = seen.position[:, -1:] + velocity[:, None] * ahead
        position = np.concatenate([seen.position, future], 1)
        speeds = np.broadcast_to(velocity[:, None], position.shape)
        moving = assemble(time, position, speeds, seen.radius.mean(1), np.zeros((len(position), 0)))
        return _imagined(torch.from_numpy(_film(self.scene, moving, context)), moving, context)


@final
@dataclass(frozen=True)
class Freeze:
    """Repeats the last frame."""

    def imagine(self, context: Clip, horizon: int, generator: torch.Generator) -> Imagined:
        """Stand still."""
        still = context.frames[:, -1:].expand(-1, horizon, -1, -1, -1)
        frames = torch.cat([context.frames, still], 1)
        clock = torch.from_numpy(_clock(context, horizon)).float()
        return Imagined(frames, None, clock, context.world, context.frames.shape[1])


@final
class NearestCase:
    """Replays the training clip whose context is nearest in positions and radii."""

    def __init__(self, training: Split, cases: int, reader: Reader) -> None:
        self.scene, self.reader = training.scene, reader
        self.cases = training.trajectories(np.arange(min(cases, training.size)))
        seen = training.scene.draw(self.cases)
        self.tree = KDTree(_state(seen.centre, seen.extent, training.scene.context))

    def recall(self, context: Clip) -> Trajectory:
        """Return the nearest training clip's motion for every clip of a batch."""
        seen = _read(self.reader, context)
        state = _state(seen.position, seen.radius, context.frames.shape[1])
        _, nearest = self.tree.query(np.nan_to_num(state))
        return self.cases[np.asarray(nearest)]

    def imagine(self, context: Clip, horizon: int, generator: torch.Generator) -> Imagined:
        """Film the nearest training clip."""
        case = self.recall(context)
        return _imagined(torch.from_numpy(_film(self.scene, case, context)), case, context)


def reader_of(split: Split) -> Reader:
    """Return the reader of a split's pictures; it learns the colours and the scale, nothing else."""
    drawing, backdrop = split.scene.draw(split.trajectories(np.array([0]))), split.picture.backdrop
    return Reader.of(drawing if backdrop is None else backdrop.seen(drawing))


def _state(
    place: Float[np.ndarray, "b t n d"], size: Float[np.ndarray, "b t n"], context: int
) -> Float[np.ndarray, "b k"]:
    return np.concatenate([place[:, :context].reshape(len(place), -1), size[:, :context].mean(1)], 1)


def _read(reader: Reader, clip: Clip) -> Trajectory:
    return reader.read(clip.frames.numpy(), clip.time.double().numpy())


def _clock(context: Clip, horizon: int) -> "np.ndarray[tuple[int], np.dtype[np.float64]]":
    time = context.time.double().numpy()
    return np.concatenate([time, time[-1] + (time[-1] - time[-2]) * np.arange(1, horizon + 1)])


def _film(scene: Scene, moving: Trajectory, context: Clip) -> UInt8[np.ndarray, "b t h w c"]:
    height, width = context.frames.shape[-3:-1]
    return render(scene.draw(moving), height, width)


def _imagined(frames: torch.Tensor, moving: Trajectory, context: Clip) -> Imagined:
    given = context.frames.shape[1]
    frames[:, :given] = context.frames
    return Imagined(frames, None, torch.from_numpy(moving.time).float(), context.world, given)
