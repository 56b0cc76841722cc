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
"""

import itertools
import math
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float
from scipy import stats

from cavendish.measure.discovery import reference
from cavendish.measure.motion import mean_velocity, scored_frames
from cavendish.measure.score import Score, score
from cavendish.motion import Metres, Trajectory
from cavendish.scenes import AttributeConflict, Factor, Scene
from cavendish.scenes.attribute_conflict import LOOKS

APART = 0.1  # m/s
GRAIN: Metres = 1e-3
KEPT = 0.15  # share by which size or speed may be off and still be kept
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
    speed = next((f for f in scene.factors if f.name == "velocity"), None)
    if speed is not None and scene.bodies == 1:
        made += _speed_scores(scene, speed, truth, imagined, taught.region)
    if isinstance(scene, AttributeConflict):
        kept = attribute_conflict(truth, imagined, scene.context)
        made += [Score(f"{k.attribute} kept", "", k.share, k.low, k.high, k.n, len(truth.position), ()) for k in kept]
    return made


def _speed_scores(scene: Scene, speed: Factor, truth: Trajectory, imagined: Trajectory, region: str) -> list[Score]:
    """Ask whether speeds are drawn to the taught ones; only where the mean true speed is the factor itself."""
    u, v = (mean_velocity(scene, truth, moving)[:, 0, 0] for moving in (truth, imagined))
    asked = truth.factors[:, scene.factors.index(speed)]
    same = np.isclose(np.abs(u), asked, rtol=1e-3)
    found = np.where(same, v * np.sign(u), np.nan)
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
    to_truth, to_case, apart = (_over_bodies(np.linalg.norm(a - b, axis=-1)) for a, b in ((v, u), (v, c), (u, c)))
    telling = apart > APART
    total = to_truth + to_case
    index = np.where(telling & (total > 0), to_truth / np.where(total > 0, total, 1), np.nan)
    return score("case index", "", index)


def _over_bodies(values: Float[np.ndarray, "b n"]) -> Float[np.ndarray, " b"]:
    """Average over the bodies that have a velocity; NaN without any."""
    found = np.isfinite(values)
    return np.where(found.any(1), np.where(found, values, 0.0).sum(1) / np.maximum(found.sum(1), 1), np.nan)


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
        return score("bimodality", "", np.array([np.nan]))
    n = place.size
    whole, kept = _sarle(place), np.arange(n)
    pseudo = np.array([n * whole - (n - 1) * _sarle(place[kept != k]) for k in range(n)])
    return score("bimodality", "", pseudo)


def _sarle(place: Float[np.ndarray, " b"]) -> float:
    return float((stats.skew(place) ** 2 + 1) / stats.kurtosis(place, fisher=False))


@dataclass(frozen=True)
class Keeping:
    """How often an attribute keeps what the first frames show."""

    attribute: str
    share: float
    low: float  # Wilson, 95 %
    high: float
    n: int


def attribute_conflict(truth: Trajectory, imagined: Trajectory, context: int) -> tuple[Keeping, ...]:
    """Return, for clips of `attribute-conflict`, how often colour, shape, size and velocity are kept to the end.

    The look at the end is the one found in most of the last quarter of the frames; a clip without any is left out.
    Rows of the conflict matrix are regions (pairs taught together, asked apart), columns these attributes.
    """
    shown = np.argmax((truth.position[:, 0, :, 0] > 0).astype(int), axis=-1)
    late = slice(-max((truth.position.shape[1] - context) // 4, 1), None)
    found = (imagined.position[:, late] > 0).all(-1).sum(1)  # looks that are not shown wait outside
    seen, look = found.max(-1) > 0, found.argmax(-1)
    clips = np.arange(len(shown))
    colour, shape = np.array(LOOKS).T
    radius = _late(imagined.radius[clips, late, look])
    path = imagined.position[clips, late, look, 0]
    speed = _late(np.diff(path, axis=1) / np.diff(imagined.time[late])) if path.shape[1] > 1 else _late(path)
    size = np.abs(radius / truth.radius[clips, 0, shown] - 1) < KEPT
    pace = np.abs(speed / truth.velocity[clips, 0, shown, 0] - 1) < KEPT
    same = {
        "colour": colour[look] == colour[shown],
        "shape": shape[look] == shape[shown],
        "size": size,
        "velocity": pace,
    }
    return tuple(_keeping(name, kept[seen]) for name, kept in same.items())


def _late(values: Float[np.ndarray, "b t"]) -> Float[np.ndarray, " b"]:
    return np.asarray(np.ma.filled(np.ma.masked_invalid(values).mean(1), np.nan))


def _keeping(name: str, kept: Bool[np.ndarray, " b"]) -> Keeping:
    if not kept.size:
        return Keeping(name, math.nan, math.nan, math.nan, 0)
    found = stats.binomtest(int(kept.sum()), kept.size)
    bounds = found.proportion_ci(0.95, "wilson")
    return Keeping(name, float(kept.mean()), float(bounds.low), float(bounds.high), kept.size)
