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
from cavendish.measure.score import Score, jackknifed, score
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
ONE = Sampling(1)


@final
@dataclass(frozen=True)
class Seen:
    """What a film shows: the body that is seen most, where it is, and how large."""

    body: Int[np.ndarray, " b"]
    position: Float[np.ndarray, "b t d"]  # m, NaN where lost
    radius: Float[np.ndarray, "b t"]


@final
@dataclass(frozen=True)
class Film:
    """A true film, and what moved in it."""

    truth: Trajectory
    drawing: Drawing
    clip: Clip

    @property
    def seen(self) -> Seen:
        """Return what a perfect reader would see; bodies that a clip does not show wait below the frame."""
        shown = self.truth.position[:, 0, :, 1].argmax(-1)
        clips = np.arange(len(shown))
        return Seen(shown, self.truth.position[clips, :, shown], self.truth.radius[clips, :, shown])

    @property
    def visible(self) -> Bool[np.ndarray, "b t"]:
        """Tell when the body is wholly in view."""
        shown = self.seen.body
        return np.asarray(in_view(self.drawing)[np.arange(len(shown)), :, shown])

    def part(self, begin: int, end: int) -> Clip:
        """Cut the clip."""
        return Clip(self.clip.frames[:, begin:end], self.clip.time[begin:end], self.clip.world)


class Pupil(Protocol):
    """Whoever answers prompts."""

    def answer(self, asked: Prompt, truth: Clip, how: Sampling = ONE) -> Frames:
        """Return a whole film; only Replay looks at the truth."""


@final
@dataclass(frozen=True)
class Dreams:
    """A model that dreams."""

    model: Diffusion
    seed: int = 0

    def answer(self, asked: Prompt, truth: Clip, how: Sampling = ONE) -> Frames:
        """Dream the answer."""
        return self.model.dream(asked, seeded(self.seed), how).film


@final
@dataclass(frozen=True)
class Replay:
    """Knows the truth."""

    def answer(self, asked: Prompt, truth: Clip, how: Sampling = ONE) -> Frames:
        """Return the true film."""
        return truth.frames


@final
@dataclass(frozen=True)
class Standstill:
    """Knows no motion: every frame is the nearest given one, or blank."""

    def answer(self, asked: Prompt, truth: Clip, how: Sampling = ONE) -> Frames:
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


def film(scene: Scene, truth: Trajectory, side: int, shape: tuple[float, float] = (1.0, 1.0)) -> Film:
    """Film a motion, `side` pixels to the world's width; a shape of so many heights and widths shows more or less."""
    height, width = round(side * shape[0]), round(side * shape[1])
    world = World(scene.world.width * shape[1], scene.world.height * shape[0])
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


def velocity(
    time: Float[np.ndarray, " t"], position: Float[np.ndarray, "b t d"], counted: Bool[np.ndarray, "b t"]
) -> Float[np.ndarray, "b d"]:
    """Return the slope of every clip's straight line."""
    found = counted & np.isfinite(position[..., 0])
    number = found.sum(1)
    enough = (number >= 3) & (2 * number >= counted.sum(1))
    t, x = (
        np.where(found[..., None], part - mean(part, found)[:, None], 0.0)
        for part in (np.broadcast_to(time[:, None], position.shape), position)
    )
    with np.errstate(invalid="ignore"):
        return np.where(enough[:, None], (t * x).sum(1) / (t * t).sum(1), np.nan)


def departure(asked: Film, seen: Seen, counted: Bool[np.ndarray, "b t"]) -> Float[np.ndarray, " b"]:
    """Return the mean distance from the straight and even motion that fits best."""
    time, found = asked.truth.time, counted & np.isfinite(seen.position[..., 0])
    rest = seen.position - velocity(time, seen.position, counted)[:, None] * time[:, None]
    return mean(np.linalg.norm(rest - mean(rest, found)[:, None], axis=-1), found)


def mean(values: Float[np.ndarray, "b t *d"], counted: Bool[np.ndarray, "b t"]) -> Float[np.ndarray, "b *d"]:
    """Return every clip's mean over the frames that count and have a value; NaN where there is none."""
    found = counted.reshape(*counted.shape, *(1,) * (values.ndim - 2)) & np.isfinite(values)
    with np.errstate(invalid="ignore"):
        return np.asarray(np.where(found, values, 0.0).sum(1) / found.sum(1))


def regression(name: str, asked: Float[np.ndarray, " b"], got: Float[np.ndarray, " b"]) -> Score:
    """Score the slope of what was got against what was asked, over all clips with an answer; 1 is obeyed."""
    found = np.isfinite(asked) & np.isfinite(got)
    x, y, parts = asked[found], got[found], np.full(len(got), np.nan)
    if len(x) > 2:
        parts[found] = jackknifed(name, "", len(x), lambda kept: _steepness(x[kept], y[kept])).values
    return score(name, "", parts)


def _steepness(x: Float[np.ndarray, " b"], y: Float[np.ndarray, " b"]) -> float:
    away = x - x.mean()
    return float(away @ y / max(away @ away, 1e-12))
