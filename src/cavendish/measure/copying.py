"""Does a model follow the law, or replay the nearest case it was taught?

For every clip, with time-mean velocities u (truth), c (nearest training clip) and v (imagined),
    index = |v - u| / (|v - u| + |v - c|):     0 follows the truth, 1 follows the training case.
It says something only where truth and case differ, |u - c| > 0.1 m/s: outside the training range.
    pull towards the range   slope of (v - u) on (nearest taught speed - u): 0 free, 1 held fast
    code length     bits for the imagined places to within a millimetre, told as misses sigma of the law's roll-out
                    from the context, with P constants, or of the nearest training case, by number (Rissanen 1978):
                    N log2(sigma sqrt(2 pi e) / mm) + P / 2 log2 N,     N log2(...) + clips log2(cases)
    bimodality      inside a gap of taught speeds: b = (skewness^2 + 1) / kurtosis of where in the gap imagined
                    speeds lie; 5/9 is a flat spread, more is two heaps at the ends (SAS; Pfister et al. 2013)
    conflict        of two attributes taught together and asked apart, which one is kept: a matrix of probabilities
                    with Wilson intervals (Kang et al. 2024, section 5: colour > size > velocity > shape)
"""

import math
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float
from scipy import stats

from cavendish.measure.motion import mean_velocity, scored_frames
from cavendish.measure.score import Score, score
from cavendish.motion import Metres, Trajectory
from cavendish.scenes import Scene
from cavendish.scenes.attribute_conflict import LOOKS

APART = 0.1  # m/s
GRAIN: Metres = 1e-3
KEPT = 0.15  # share by which size or speed may be off and still be kept


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


@dataclass(frozen=True)
class CodeLength:
    """Bits to write imagined places down, in two ways."""

    law: float
    cases: float

    @property
    def shorter_by(self) -> float:
        """Return how many bits the law saves; negative where copying explains more."""
        return self.cases - self.law


def code_length(
    scene: Scene, truth: Trajectory, case: Trajectory, imagined: Trajectory, constants: int, cases: int
) -> CodeLength:
    """Write imagined places down as misses of the law's roll-out from the same context, or of the nearest case's."""
    seen = scored_frames(scene, truth) & ~imagined.lost & ~case.lost
    if not seen.any():
        return CodeLength(math.nan, math.nan)
    numbers, clips = 2 * int(seen.sum()), int(seen.any((1, 2)).sum())
    by_law, by_case = (float(np.sqrt(((imagined.position - t.position)[seen] ** 2).mean())) for t in (truth, case))
    law = numbers * _bits(by_law) + 0.5 * constants * math.log2(numbers)
    return CodeLength(law, numbers * _bits(by_case) + clips * math.log2(cases))


def _bits(spread: Metres) -> float:
    return math.log2(max(spread, GRAIN) * math.sqrt(2 * math.pi * math.e) / GRAIN)


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
