"""Does a model follow the law, or replay the nearest case it was taught?

For every clip, with time-mean velocities u (truth), c (nearest training clip) and v (imagined),
    index = |v - u| / (|v - u| + |v - c|):     0 follows the truth, 1 follows the training case.
It says something only where truth and case differ, |u - c| > 0.1 m/s: outside the training range.
    pull towards the range   slope of (v - u) on (nearest taught speed - u): 0 free, 1 held fast
    code length     bits for the N imagined places of all clips to within a millimetre, as normal misses d of rms
                    sigma from the law's roll-out from the context, with P constants, or from the nearest training
                    case, named by its number (Rissanen 1978):
                    sum log2(sigma sqrt(2 pi) / mm) + d^2 / (2 sigma^2 ln 2),  + P / 2 log2 N  or  + clips log2(cases)
    bimodality      inside a gap of taught speeds: b = (skewness^2 + 1) / kurtosis of where in the gap imagined
                    speeds lie; 5/9 is a flat spread, more is two heaps at the ends (SAS; Pfister et al. 2013)
    conflict        of two attributes taught together and asked apart, which one is kept: a matrix of probabilities
                    with Wilson intervals (Kang et al. 2024, section 5: colour > size > velocity > shape)
The pull and the bimodality are asked of every factor in m/s that is a mean speed before the first impact, of a body
along x or along its way, as in clips of the scene itself; a factor that is neither has none.
"""

import itertools
import math
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float
from scipy import stats

from cavendish.measure.discovery import reference
from cavendish.measure.motion import mean_velocity, over_bodies, scored_frames, velocity_before_impact
from cavendish.measure.score import Score, figure, jackknifed, proportion, score
from cavendish.motion import Metres, Trajectory
from cavendish.scenes import AttributeConflict, Factor, Scene
from cavendish.scenes.attribute_conflict import LOOKS, PAIRS

APART = 0.1  # m/s
GRAIN: Metres = 1e-3
KEPT = 0.15  # share by which size or speed may be off and still be kept
LATE = 8  # frames
WIDEST = 1.3  # radii from the middle of a square to its corner
OFF = "speed off the truth"


@dataclass(frozen=True)
class Taught:
    """What a pupil could copy from: the nearest training clip of every clip, of how many, and the region taught."""

    case: Trajectory
    cases: int
    region: str


def copying_scores(scene: Scene, truth: Trajectory, imagined: Trajectory, taught: Taught) -> list[Score]:
    """Ask everything about copying that a scene has an answer to; a question without one has n = 0."""
    known = reference(scene) if scene.space == imagined.position.shape[-1] else None
    law, case = code_lengths(scene, truth, imagined, taught, 0 if known is None else len(known[1].theta))
    made = [score("bits that the law saves", "bit", case - law)]
    for speed in speeds(scene.factors):
        asked = _speed_scores(scene, speed, truth, imagined, taught.region)
        made += [s if speed.name == "velocity" else s.named(f"{s.name}, {speed.name}") for s in asked]
    if isinstance(scene, AttributeConflict):
        made += conflict_scores(scene, truth, imagined, taught.region)
    return made


def speeds(factors: tuple[Factor, ...]) -> list[Factor]:
    """Return the factors that may be a body's speed; which of them are is asked of the true motion."""
    ranged = [f for f in factors if f.unit == "m/s" and f.ranges]
    return [f for f in ranged if min(low for spans in f.ranges.values() for low, _ in spans) >= 0]


def _speed_scores(scene: Scene, speed: Factor, truth: Trajectory, imagined: Trajectory, region: str) -> list[Score]:
    """Ask whether speeds are drawn to the taught ones; only in clips where a body's true speed is the factor itself."""
    u, v = (velocity_before_impact(scene, truth, moving) for moving in (truth, imagined))
    asked = truth.factors[:, scene.factors.index(speed)]
    along_x = np.sign(u) * np.eye(u.shape[-1])[0]
    way = np.stack([along_x, u / np.maximum(np.linalg.norm(u, axis=-1, keepdims=True), 1e-9)])
    same = np.isclose((u * way).sum(-1), asked[:, None], rtol=1e-3)  # way, clip, body
    how, body = np.unravel_index(same.sum(1).argmax(), same.sum(1).shape)
    found = np.where(same[how, :, body], (v * way).sum(-1)[how, :, body], np.nan)
    if 2 * same[how, :, body].sum() < np.isfinite(u[:, body, 0]).sum():
        found = np.full(len(asked), np.nan)
    taught = sorted(speed.intervals(region))
    gaps = [(low, high) for (_, low), (high, _) in itertools.pairwise(taught) if high > low]
    place = [(found[(asked > low) & (asked < high)] - low) / (high - low) for low, high in gaps]
    return [
        score(OFF, "m/s", found - asked),
        pull_towards_range(asked, found, (taught[0][0], taught[-1][1])),
        bimodality(np.concatenate([*place, np.zeros(0)]), (0.0, 1.0)),
    ]


def case_index(scene: Scene, truth: Trajectory, case: Trajectory, imagined: Trajectory) -> Score:
    """Compare the imagined velocity with the true one and with the nearest training clip's."""
    u, c, v = (mean_velocity(scene, truth, moving) for moving in (truth, case, imagined))
    to_truth, to_case, apart = (over_bodies(np.linalg.norm(a - b, axis=-1)) for a, b in ((v, u), (v, c), (u, c)))
    telling = apart > APART
    total = to_truth + to_case
    index = np.where(telling & (total > 0), to_truth / np.where(total > 0, total, 1), np.nan)
    return score("case index", "", index)


def pull_towards_range(
    truth: Float[np.ndarray, " b"], imagined: Float[np.ndarray, " b"], taught: tuple[float, float]
) -> Score:
    """Return how far imagined values are drawn from the true ones to the nearest taught one; the slope is a curve's.

    `measure.distance.error_curve` of (imagined - true) over the factor is that curve.
    """
    way = np.clip(truth, *taught) - truth
    moved = np.where(np.abs(way) > APART, (imagined - truth) / np.where(way == 0, 1, way), np.nan)
    return score("pull towards the taught range", "", moved)


def code_lengths(
    scene: Scene, truth: Trajectory, imagined: Trajectory, taught: Taught, constants: int
) -> tuple[Float[np.ndarray, " b"], Float[np.ndarray, " b"]]:
    """Return each clip's bits, told as misses of the law's roll-out from the same context, or of the nearest case's."""
    case = taught.case
    seen = scored_frames(scene, truth) & ~imagined.lost & ~case.lost
    numbers = 2.0 * seen.sum((1, 2))
    if not seen.any():
        return np.full(len(numbers), np.nan), np.full(len(numbers), np.nan)
    parts = 0.5 * constants * math.log2(numbers.sum()) * numbers / numbers.sum(), math.log2(taught.cases)
    told = []
    for moving, beside in zip((truth, case), parts, strict=True):
        square = np.where(seen, ((imagined.position - moving.position) ** 2).sum(-1), 0.0).sum((1, 2))
        spread = max(math.sqrt(square.sum() / numbers.sum()), GRAIN)
        bits = math.log2(spread * math.sqrt(2 * math.pi) / GRAIN) * numbers
        told.append(np.where(numbers > 0, bits + square / (2 * spread**2 * math.log(2)) + beside, np.nan))
    return told[0], told[1]


def bimodality(imagined: Float[np.ndarray, " b"], gap: tuple[float, float]) -> Score:
    """Return the bimodality of speeds imagined where true speeds lie inside a gap of the taught ones."""
    place = (imagined[np.isfinite(imagined)] - gap[0]) / (gap[1] - gap[0])
    if place.size < 8 or np.ptp(place) < 1e-6:
        return figure("bimodality", "", np.nan)
    return jackknifed("bimodality", "", place.size, lambda kept: _sarle(place[kept]))


def _sarle(place: Float[np.ndarray, " b"]) -> float:
    return float((stats.skew(place) ** 2 + 1) / stats.kurtosis(place, fisher=False))


def conflict_scores(scene: AttributeConflict, truth: Trajectory, imagined: Trajectory, region: str) -> list[Score]:
    """Return how often each attribute is kept, and for the pair that a region teaches the four ways of keeping them.

    Rows of the conflict matrix are regions (pairs taught together, asked apart), columns these shares.
    """
    kept = kept_attributes(scene, truth, imagined)
    made = [share(f"{name} kept", values) for name, values in kept.items()]
    pair = next((pair for pair in PAIRS if region.startswith("-".join(pair))), None)
    if pair is not None:
        first, second = (kept["shape" if name == "ring" else name] for name in pair)
        for name, one, other in (
            ("first of the pair kept, second changed", first, 1 - second),
            ("second of the pair kept, first changed", 1 - first, second),
            ("both of the pair kept", first, second),
            ("neither of the pair kept", 1 - first, 1 - second),
        ):
            made.append(share(name, one * other))
    return made


def kept_attributes(
    scene: AttributeConflict, truth: Trajectory, imagined: Trajectory
) -> dict[str, Float[np.ndarray, " b"]]:
    """Tell of every clip whether colour, shape, size and velocity are kept to the end: 1, 0, or NaN where unseen.

    The end are the last LATE imagined frames in which some look is wholly in view: at the rim shapes are misread.
    The look found in most of them counts; fewer than two tell nothing.
    """
    clips, shown = np.arange(len(truth.position)), np.argmax(truth.position[:, 0, :, 0] > 0, axis=-1)
    reach = WIDEST * imagined.radius[..., None]
    rim = np.array([scene.world.width, scene.world.height]) - reach
    inside = np.asarray(((imagined.position > reach) & (imagined.position < rim)).all(-1))  # lost and waiting are not
    inside[:, : scene.context] = False
    last = np.asarray(inside.any(-1))[:, ::-1].cumsum(1)[:, ::-1] <= LATE
    look = (inside & last[..., None]).sum(1).argmax(-1)
    late = inside[clips, :, look] & last
    seen = late.sum(1) >= 2
    radius, path = imagined.radius[clips, :, look], imagined.position[clips, :, look, 0]
    size = np.where(late, radius, 0.0).sum(1) / np.maximum(late.sum(1), 1)
    ends = late.argmax(1), late.shape[1] - 1 - late[:, ::-1].argmax(1)
    (x0, t0), (x1, t1) = ((path[clips, end], imagined.time[end]) for end in ends)
    speed = (x1 - x0) / np.where(seen, t1 - t0, 1.0)
    colour, shape = np.array(LOOKS).T
    same = {
        "colour": colour[look] == colour[shown],
        "shape": shape[look] == shape[shown],
        "size": np.abs(size / truth.radius[clips, 0, shown] - 1) < KEPT,
        "velocity": np.abs(speed / truth.velocity[clips, 0, shown, 0] - 1) < KEPT,
    }
    return {name: np.where(seen, kept.astype(float), np.nan) for name, kept in same.items()}


def share(name: str, kept: Float[np.ndarray, " b"]) -> Score:
    """Summarise yes and no by the share of yes with its Wilson interval."""
    told = kept[np.isfinite(kept)]
    if not told.size:
        return score(name, "", kept)
    return replace(proportion(name, told > 0), clips=kept.size, values=tuple(kept.tolist()))
