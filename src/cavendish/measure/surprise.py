"""Is the impossible stranger to a model than the possible? Matched pairs, one test for every model, and baselines.

From a true trajectory an impossible twin is made that shares its beginning and is as smooth outside the violation:
    permanence  it vanishes in mid-flight (behind a screen: it does not come out again)
    continuity  it is elsewhere from one frame to the next       solidity     it flies on through the other body
    inertia     a free ball swerves                              gravity      it falls by another gravity
    restitution it bounces off with another speed                mass swap    it bounces off as if masses were swapped
The impossible film is the scene's own law with another constant wherever a constant does it, so both are equally
smooth. A model prefers a film by its mean surprise over the frames after the twins part. Over pairs,
    accuracy = P(s(impossible) > s(possible)), ties 1/2;  AUROC = the same over all cross pairs (Mann, Whitney 1947),
with BCa intervals over pairs. What frame differences, extrapolation and stiff features reach must be beaten.
A violation that always empties the frame, or always quickens it, is told by whoever notices emptiness or speed: of
one-sided pairs the turning of features tells 100 % (white paper has no direction). So there are violations made both
ways, one on even clips and one on odd: vanish or come back, jump up or down by 1.5 m (slightly: 0.3 m), fall by
twice or half of gravity (slightly: 1.1 times or a 1.1th).
Two more ways to judge, the same for every model: surprise standardised by the phase of motion, (s_t - m_t) / sd_t with
moments of frame t over true films, and, where a dream has features, the released convention of V-JEPA (Garrido et al.
2025, arXiv 2502.11831): in windows of 16 frames all that follows the first c is foretold, and |f^_t - f_t| is averaged;
c must not be chosen on the films that are judged.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Protocol, final, runtime_checkable

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from cavendish.data import Picture, Split
from cavendish.errors import chosen
from cavendish.measure.score import CONFIDENCE, RESAMPLES, Score, score
from cavendish.motion import Scenery, Trajectory
from cavendish.render import render
from cavendish.scenes import AnyScene, BouncingBall, Collision, Occlusion, Parabola, Playable, Scene, UniformMotion
from cavendish.scenes.collision import speeds_after
from cavendish.scenes.flight import fly_and_part
from cavendish.scenes.looks import in_view
from cavendish.scenes.scene import disc_mass
from cavendish.video import Clip, Imagined

SIDE = 64  # px
WINDOW, STRIDE = 16, 2  # frames, of the released convention
LEAP = 1.5  # m
OTHER_GRAVITY, OTHER_RESTITUTION, SWERVE = 2.0, 0.4, 0.9  # times, absolute, rad


@dataclass(frozen=True)
class Pairs:
    """Films of possible motion and of impossible twins, and the first frame in which they differ."""

    possible: Clip
    impossible: Clip
    parting: Int[np.ndarray, " b"]


@runtime_checkable
class Surprised(Protocol):
    """Anything that says how strange every frame is; every world model does."""

    def surprise(self, clip: Clip, generator: torch.Generator) -> Float[Tensor, "b t"]:
        """Return one number per frame; larger is stranger."""


@dataclass(frozen=True)
class Preference:
    """How well possible and impossible are told apart."""

    accuracy: Score
    auroc: Score


def matched_pairs(kind: str, count: int, seed: int = 0) -> Pairs:
    """Make films of fresh clips and of their impossible twins; pairs that a film cannot tell apart are left out."""
    scene, spoil = chosen("kind of violation", kind, KINDS)
    return twins(Split(scene, "interpolation", count, seed, Picture(SIDE, SIDE)), spoil, count)


def twins(split: Split, spoil: "Spoil", count: int) -> Pairs:
    """Film the first clips of a split and what is spoilt of them."""
    scene, picture = split.scene, split.picture
    truth = split.trajectories(np.arange(count))
    films = [render(scene.draw(moving), picture.height, picture.width) for moving in (truth, spoil(truth, scene))]
    differs = (films[0] != films[1]).any((2, 3, 4))
    told = differs.any(1) & ~differs[:, : scene.context].any(1)
    time = torch.from_numpy(truth.time).float()
    possible, impossible = (Clip(torch.from_numpy(film[told]), time, scene.world) for film in films)
    return Pairs(possible, impossible, differs[told].argmax(1))


def both(one: "Spoil", other: "Spoil") -> "Spoil":
    """Spoil even clips one way and odd clips another."""

    def spoilt(truth: Trajectory, scene: Scene) -> Trajectory:
        even = np.arange(len(truth.position)) % 2 == 0
        places = (spoil(truth, scene).position for spoil in (one, other))
        return replace(truth, position=np.where(even[:, None, None, None], *places))

    return spoilt


def kinds_of(scene: Scene) -> dict[str, "Spoil"]:
    """Return the violations that a scene allows: those made for it, and what any body in a plane may do wrong."""
    if scene.space != 2 or isinstance(scene, Playable):
        return {}
    own = {kind: spoil for kind, (made_for, spoil) in KINDS.items() if type(made_for) is type(scene)}
    return own if any("permanence" in kind for kind in own) else dict(ANYBODY) | own


def preference(model: Surprised, pairs: Pairs, generator: torch.Generator) -> Preference:
    """Ask a model which of two films is stranger, from the frame on in which they part."""
    state = generator.get_state()
    strange = []
    for film in (pairs.possible, pairs.impossible):
        generator.set_state(state)  # the same noise for both twins
        found = model.surprise(film, generator).double().cpu().numpy()
        counted = np.arange(found.shape[1]) >= pairs.parting[:, None]
        strange.append((found * counted).sum(1) / counted.sum(1))
    possible, impossible = strange
    wins = (impossible[:, None] > possible) + 0.5 * (impossible[:, None] == possible)
    rng, n = np.random.default_rng(0), len(wins)
    picks = [rng.integers(n, size=n) for _ in range(RESAMPLES)]
    low, high = np.quantile([wins[np.ix_(k, k)].mean() for k in picks], [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2])
    auroc = Score("AUROC", "", float(wins.mean()), float(low), float(high), n, n, tuple(wins.mean(1).tolist()))
    return Preference(score("accuracy", "", np.diag(wins)), auroc)


@final
class FrameDifference:
    """Is surprised by change: mean |f_k - f_k-1|."""

    def surprise(self, clip: Clip, generator: torch.Generator) -> Float[Tensor, "b t"]:
        """Return the mean absolute difference from the frame before, 0 for the first."""
        return _padded(clip, clip.frames.float().diff(dim=1).abs().mean((2, 3, 4)))


@final
class LinearPrediction:
    """Is surprised by what does not go on: mean |f_k - 2 f_k-1 + f_k-2|."""

    def surprise(self, clip: Clip, generator: torch.Generator) -> Float[Tensor, "b t"]:
        """Return the mean absolute second difference, 0 for the first two frames."""
        return _padded(clip, clip.frames.float().diff(n=2, dim=1).abs().mean((2, 3, 4)))


@final
@dataclass(frozen=True)
class FeatureSmoothness:
    """Is surprised where the path of features bends: 1 - cos of the angle between steps, as geometry scores do."""

    encode: Callable[[Clip], Float[Tensor, "b t k"]] | None = None  # by default the means of 8 x 8 patches

    def surprise(self, clip: Clip, generator: torch.Generator) -> Float[Tensor, "b t"]:
        """Return the turning of the path of features, 0 for the first two frames."""
        step = (self.encode or _patches)(clip).diff(dim=1)
        return _padded(clip, 1 - torch.cosine_similarity(step[:, 1:], step[:, :-1], dim=-1))


BASELINES: Mapping[str, Surprised] = {
    "frame difference": FrameDifference(),
    "linear prediction": LinearPrediction(),
    "feature smoothness": FeatureSmoothness(),
}


def _patches(clip: Clip) -> Float[Tensor, "b t k"]:
    frames = clip.frames.float().movedim(-1, -3)
    pooled = torch.nn.functional.avg_pool2d(frames.flatten(0, 1), frames.shape[-1] // 8)
    return pooled.reshape(*frames.shape[:2], -1)


def _padded(clip: Clip, values: Float[Tensor, "b k"]) -> Float[Tensor, "b t"]:
    """Put zeros in front, for frames that have too few before them."""
    return torch.nn.functional.pad(values, (clip.frames.shape[1] - values.shape[1], 0))


@final
@dataclass(frozen=True)
class Standardised:
    """Is surprised by what is stranger than usual at this phase of motion."""

    judge: Surprised
    usual: Float[Tensor, " t"]
    spread: Float[Tensor, " t"]

    def surprise(self, clip: Clip, generator: torch.Generator) -> Float[Tensor, "b t"]:
        """Return surprise in standard deviations; 0 where it never varies."""
        return (self.judge.surprise(clip, generator).double().cpu() - self.usual) / self.spread


def standardised(judge: Surprised, films: Clip, generator: torch.Generator) -> Standardised:
    """Learn from true films what is usual."""
    found = judge.surprise(films, generator).double().cpu()
    spread = found.std(0)
    return Standardised(judge, found.mean(0), torch.where(spread > 1e-3 * spread.max(), spread, torch.inf))


@runtime_checkable
class Dreaming(Protocol):
    """Anything that has features and dreams them on; every world model without pixels does."""

    def encode(self, clip: Clip) -> Float[Tensor, "b t k"]:
        """Return features of each frame."""

    def imagine(self, context: Clip, horizon: int, generator: torch.Generator) -> Imagined:
        """Continue every clip."""


@final
@dataclass(frozen=True)
class Foretold:
    """Is surprised by frames of sliding windows that are not as foretold from the first few of each."""

    model: Dreaming
    context: int  # frames

    def surprise(self, clip: Clip, generator: torch.Generator) -> Float[Tensor, "b t"]:
        """Return the mean absolute error of features over all windows that foretell a frame."""
        seen = self.model.encode(clip)
        total, count = seen.new_zeros(seen.shape[:2]), seen.new_zeros(seen.shape[1])
        for first in range(0, seen.shape[1] - WINDOW + 1, STRIDE):
            given, ahead = slice(first, first + self.context), slice(first + self.context, first + WINDOW)
            told = Clip(clip.frames[:, given], clip.time[given], clip.world)
            dreamt = self.model.imagine(told, WINDOW - self.context, generator).features
            assert dreamt is not None
            total[:, ahead] += (dreamt[:, self.context :] - seen[:, ahead]).abs().mean(-1)
            count[ahead] += 1
        return total / count.clamp(min=1)


def _vanish(truth: Trajectory, scene: Scene) -> Trajectory:
    gone = np.arange(len(truth.time)) >= _moment(truth, scene)[:, None]
    return replace(truth, position=np.where(gone[..., None, None], np.nan, truth.position))


def _leap(truth: Trajectory, scene: Scene) -> Trajectory:
    return _leapt(truth, scene, LEAP * _room(truth, scene))


def _leaping(metres: float) -> "Spoil":
    return lambda truth, scene: _leapt(truth, scene, np.full(len(truth.position), metres))


def _leapt(truth: Trajectory, scene: Scene, metres: Float[np.ndarray, " b"]) -> Trajectory:
    moved = truth.position.copy()
    late = np.arange(len(truth.time)) >= _moment(truth, scene)[:, None]
    moved[..., 0, 1] += np.where(late, metres[:, None], 0.0)
    return replace(truth, position=moved)


def _return(truth: Trajectory, scene: Scene) -> Trajectory:
    """Let what has left the frame come back the way it went, after a while; what never left stays as it is."""
    frame, seen = np.arange(len(truth.time)), in_view(scene.draw(truth))[..., 0]
    gone = frame > len(frame) - 1 - seen[:, ::-1].argmax(1)[:, None]  # after it was last wholly in view
    last = gone.argmax(1) - 1
    back = last + 1 + (len(frame) - last) // 2
    then = np.clip(last[:, None] - (frame - back[:, None]), 0, len(frame) - 1)
    moved = np.take_along_axis(truth.position, then[..., None, None], 1)
    late = (frame >= back[:, None]) & gone
    return replace(truth, position=np.where(late[..., None, None], moved, truth.position))


def _swerve(truth: Trajectory, scene: Scene) -> Trajectory:
    moment = _moment(truth, scene)
    pivot = truth.position[np.arange(len(moment)), moment][:, None]
    angle = SWERVE * _room(truth, scene)[:, None, None]
    way = truth.position - pivot
    turned = np.stack(
        [
            np.cos(angle) * way[..., 0] - np.sin(angle) * way[..., 1],
            np.sin(angle) * way[..., 0] + np.cos(angle) * way[..., 1],
        ],
        -1,
    )
    late = np.arange(len(truth.time)) >= moment[:, None]
    return replace(truth, position=np.where(late[..., None, None], pivot + turned, truth.position))


def _room(truth: Trajectory, scene: Scene) -> Float[np.ndarray, " b"]:
    """Return 1 where there is more room above the ball than below, else -1."""
    return np.where(truth.position[:, 0, 0, 1] < scene.world.height / 2, 1.0, -1.0)


def _through(truth: Trajectory, scene: Scene) -> Trajectory:
    flown = truth.velocity[:, :1] * truth.time[:, None, None]
    return replace(truth, position=truth.position[:, :1] + flown)


def _pulling(times: float) -> "Spoil":
    def pulled(truth: Trajectory, scene: Scene) -> Trajectory:
        late = np.maximum(truth.time - truth.time[scene.context], 0.0)
        moved = truth.position.copy()
        assert isinstance(scene, Parabola)
        moved[..., 0, 1] -= 0.5 * (times - 1) * scene.gravity * late**2
        return replace(truth, position=moved)

    return pulled


def _duller(truth: Trajectory, scene: Scene) -> Trajectory:
    assert isinstance(scene, BouncingBall)
    return replace(scene, restitution=OTHER_RESTITUTION).simulate(truth.factors, truth.time)


def _swapped(truth: Trajectory, scene: Scene) -> Trajectory:
    assert isinstance(scene, Collision)
    before = truth.velocity[:, 0, :, 0]
    after = speeds_after(before, disc_mass(truth, scene.density)[:, 0, ::-1], scene.restitution)
    place, _ = fly_and_part(truth.time, truth.position[:, 0], before, after, scene.impact_time(truth.factors))
    return replace(truth, position=place)


def _moment(truth: Trajectory, scene: Scene) -> Int[np.ndarray, " b"]:
    """Return the middle of the time in which the ball is behind a screen or, without one, in view."""
    drawn = scene.draw(truth)
    seen = in_view(drawn)[..., 0]
    inside = in_view(replace(drawn, front=Scenery(np.zeros((1, 0, 3, 2)), np.zeros((0, 3), np.uint8))))[..., 0]
    hidden = inside & ~seen
    asked = np.where(hidden.any(1, keepdims=True), hidden, seen)
    asked[:, : scene.context] = False
    order = np.cumsum(asked, 1)
    return np.asarray((order > order[:, -1:] // 2).argmax(1))


Spoil = Callable[[Trajectory, Scene], Trajectory]
ANYBODY: Mapping[str, Spoil] = {"permanence": _vanish, "continuity": _leap, "inertia": _swerve}
BOTH_WAYS: Mapping[str, tuple[Spoil, Spoil]] = {
    "permanence": (_vanish, _return),
    "continuity": (_leaping(LEAP), _leaping(-LEAP)),
    "gravity": (_pulling(OTHER_GRAVITY), _pulling(1 / OTHER_GRAVITY)),
    "slight continuity": (_leaping(LEAP / 5), _leaping(-LEAP / 5)),
    "slight gravity": (_pulling(1.1), _pulling(1 / 1.1)),
}
KINDS: Mapping[str, tuple[AnyScene, Spoil]] = {
    "permanence": (UniformMotion(), _vanish),
    "permanence, occluded": (Occlusion(), _vanish),
    "continuity": (UniformMotion(), _leap),
    "continuity, occluded": (Occlusion(), _leap),
    "inertia": (UniformMotion(), _swerve),
    "inertia, occluded": (Occlusion(), _swerve),
    "solidity": (Collision(), _through),
    "gravity": (Parabola(), _pulling(OTHER_GRAVITY)),
    "restitution": (BouncingBall(), _duller),
    "mass swap": (Collision(), _swapped),
}
