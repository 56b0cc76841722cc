"""What it takes to ask a model anything and mark the answer in metres: true films, pupils, readings, fits.

A question is a prompt and the true film of which it shows a part. A pupil answers with a film of the same size:
a model dreams it; Replay gives the true film, so it must score perfectly or the marking is wrong; Standstill repeats
the nearest given frame, so it must fail wherever motion is asked for.
Answers are read by the lab's reader, as whichever body it finds most. A velocity is the slope of least squares,
    v = sum (t - <t>) (x - <x>) / sum (t - <t>)^2,   over the frames that count and in which the body was found;
a body found in fewer than half of these, or in fewer than three, has none.
"""

from dataclasses import dataclass, replace
from typing import Protocol, final

import numpy as np
import torch
from jaxtyping import Bool, Float, Int, UInt8
from torch import Tensor

from cavendish.data.split import mirror
from cavendish.measure.score import CONFIDENCE, RESAMPLES, Score
from cavendish.models.diffusion import Diffusion, Sampling
from cavendish.models.diffusion.prompts import Prompt
from cavendish.motion import Drawing, Shape, Trajectory, World
from cavendish.readout import Reader
from cavendish.render import render
from cavendish.scenes import Scene
from cavendish.scenes.looks import in_view
from cavendish.training import seeded
from cavendish.video import Clip

Frames = UInt8[Tensor, "b t h w c"]


@final
@dataclass(frozen=True)
class Film:
    """A true film, and what moved in it."""

    truth: Trajectory
    drawing: Drawing
    clip: Clip

    @property
    def shown(self) -> Int[np.ndarray, " b"]:
        """Return the body that each clip shows; others wait below the frame."""
        return np.asarray(self.truth.position[:, 0, :, 1].argmax(-1))

    @property
    def place(self) -> Float[np.ndarray, "b t d"]:
        """Return where the shown body is."""
        return np.asarray(self.truth.position[np.arange(len(self.shown)), :, self.shown])

    @property
    def velocity(self) -> Float[np.ndarray, "b t d"]:
        """Return how fast the shown body is."""
        return np.asarray(self.truth.velocity[np.arange(len(self.shown)), :, self.shown])

    @property
    def radius(self) -> Float[np.ndarray, " b"]:
        """Return the size of the shown body."""
        return np.asarray(self.truth.radius[np.arange(len(self.shown)), 0, self.shown])

    @property
    def visible(self) -> Bool[np.ndarray, "b t"]:
        """Tell when the shown body is wholly in view."""
        return np.asarray(in_view(self.drawing)[np.arange(len(self.shown)), :, self.shown])

    def part(self, begin: int, end: int) -> Clip:
        """Cut the clip."""
        return Clip(self.clip.frames[:, begin:end], self.clip.time[begin:end], self.clip.world)


@final
@dataclass(frozen=True)
class Seen:
    """What was read in an answer, of the body that was found most."""

    body: Int[np.ndarray, " b"]  # among the discs of the drawing
    position: Float[np.ndarray, "b t d"]  # m, NaN where lost
    radius: Float[np.ndarray, "b t"]


class Pupil(Protocol):
    """Whoever answers prompts."""

    def answer(self, asked: Prompt, truth: Clip, steps: int = 1) -> Frames:
        """Return a whole film; only Replay looks at the truth."""


@final
@dataclass(frozen=True)
class Dreams:
    """A model that dreams."""

    model: Diffusion
    seed: int = 0

    def answer(self, asked: Prompt, truth: Clip, steps: int = 1) -> Frames:
        """Dream the answer."""
        frames = self.model.dream(asked, seeded(self.seed), Sampling(steps)).frames
        assert frames is not None
        return frames


@final
@dataclass(frozen=True)
class Replay:
    """Knows the truth."""

    def answer(self, asked: Prompt, truth: Clip, steps: int = 1) -> Frames:
        """Return the true film."""
        return truth.frames


@final
@dataclass(frozen=True)
class Standstill:
    """Knows no motion: every frame is the nearest given one, or blank."""

    def answer(self, asked: Prompt, truth: Clip, steps: int = 1) -> Frames:
        """Repeat what is given."""
        held = torch.where(asked.given[..., None], asked.film.frames, 255)
        whole = asked.given.all(2).all(1).nonzero()[:, 0]
        if not len(whole):
            return held if asked.given.any() else torch.where(asked.start.max() > 0, asked.film.frames, held)
        nearest = (torch.arange(len(asked.start))[:, None] - whole).abs().argmin(1)
        return torch.where(asked.given[..., None], held, held[:, whole[nearest]])


def motion(scene: Scene, regions: tuple[str, ...], count: int, time: Float[np.ndarray, " t"], seed: int) -> Trajectory:
    """Draw fresh clips from some regions in turn, half of them mirrored where the mirror image is the same world."""
    rng = np.random.default_rng(seed)
    factors = np.array([scene.sample(regions[n % len(regions)], rng) for n in range(count)])
    turned = (rng.random(count) < 0.5) & (not scene.handed)
    return mirror(scene.simulate(factors, time), scene.world.width, turned)


def film(scene: Scene, truth: Trajectory, size: tuple[int, int], side: int) -> Film:
    """Film a motion with `side` pixels to the world's width: other sizes show more or less, not larger or smaller."""
    height, width = size
    world = World(scene.world.width * width / side, scene.world.width * height / side)
    drawing = replace(scene.draw(truth), world=world)
    frames = torch.from_numpy(render(drawing, height, width))
    return Film(truth, drawing, Clip(frames, torch.from_numpy(truth.time).float(), world))


def look(asked: Film, frames: Frames) -> Seen:
    """Read the discs of an answer."""
    drawing = asked.drawing
    discs = np.flatnonzero(drawing.shape == Shape.DISC)
    whole = Reader.of(drawing)
    reader = replace(whole, colours=drawing.colour[discs], shape=drawing.shape[discs], outline=None)
    reading = reader.read(frames.numpy(), asked.truth.time)
    most = (~reading.lost).sum(1).argmax(-1)
    clips = np.arange(len(most))
    return Seen(discs[most], reading.position[clips, :, most], reading.radius[clips, :, most])


def slope(
    time: Float[np.ndarray, " t"], values: Float[np.ndarray, "b t"], counted: Bool[np.ndarray, "b t"]
) -> Float[np.ndarray, " b"]:
    """Return the slope of every clip's straight line."""
    found = counted & np.isfinite(values)
    number = found.sum(1)
    enough = (number >= 3) & (2 * number >= counted.sum(1))
    t, x = (np.where(found, part, 0.0) for part in (np.broadcast_to(time, values.shape), values))
    n = np.maximum(number, 1)[:, None]
    t, x = (np.where(found, part - part.sum(1, keepdims=True) / n, 0.0) for part in (t, x))
    return np.where(enough, (t * x).sum(1) / np.maximum((t * t).sum(1), 1e-12), np.nan)


def velocity(asked: Film, seen: Seen, counted: Bool[np.ndarray, "b t"]) -> Float[np.ndarray, "b d"]:
    """Return the mean velocity over the frames that count."""
    return np.stack([slope(asked.truth.time, seen.position[..., axis], counted) for axis in (0, 1)], -1)


def departure(asked: Film, seen: Seen, counted: Bool[np.ndarray, "b t"]) -> Float[np.ndarray, " b"]:
    """Return the mean distance from the straight and even motion that fits best."""
    found, away = counted & np.isfinite(seen.position[..., 0]), velocity(asked, seen, counted)
    rest = seen.position - away[:, None] * asked.truth.time[:, None]
    middle = np.stack([mean(rest[..., axis], found) for axis in (0, 1)], -1)
    return mean(np.linalg.norm(rest - middle[:, None], axis=-1), found)


def mean(values: Float[np.ndarray, "b t"], counted: Bool[np.ndarray, "b t"]) -> Float[np.ndarray, " b"]:
    """Return every clip's mean over the frames that count and have a value; NaN where there is none."""
    found = counted & np.isfinite(values)
    return np.where(found.any(1), np.where(found, values, 0.0).sum(1) / np.maximum(found.sum(1), 1), np.nan)


def regression(name: str, asked: Float[np.ndarray, " b"], got: Float[np.ndarray, " b"]) -> Score:
    """Return the slope of what was got against what was asked, with its bootstrap interval over clips; 1 is obeyed."""
    found = np.isfinite(asked) & np.isfinite(got)
    x, y = asked[found], got[found]
    if len(x) < 3:
        return Score(name, "", np.nan, np.nan, np.nan, len(x), len(got), tuple(got.tolist()))
    drawn = np.random.default_rng(0).integers(len(x), size=(RESAMPLES, len(x)))
    low, high = np.quantile(_steepness(x[drawn], y[drawn]), [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2])
    return Score(name, "", float(_steepness(x, y)), float(low), float(high), len(x), len(got), tuple(got.tolist()))


def _steepness(x: Float[np.ndarray, "*r b"], y: Float[np.ndarray, "*r b"]) -> Float[np.ndarray, "*r"]:
    away = x - x.mean(-1, keepdims=True)
    return np.asarray((away * y).sum(-1) / np.maximum((away * away).sum(-1), 1e-12))
