"""A score is never a bare number: value, unit, interval, how many clips, how many were lost.

The interval resamples clips: BCa bootstrap of the mean (Efron 1987), 95 %, which corrects the percentile
interval for bias and skew. A clip for which the question has no answer is NaN and leaves `n` smaller.
A statistic that is no mean, T of n clips together, is given a value per clip by leaving each out (Tukey 1958),
    p_i = n T - (n - 1) T_(-i),
of which the mean is T less its bias to the order of 1 / n and the interval is that of any other mean. (Percentiles of
resampled T lie to one side of it where T is biased, as mutual information is: drawing clips twice adds to the bias.)
"""

import warnings
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Protocol, runtime_checkable

import numpy as np
from jaxtyping import Bool, Float, Int
from scipy import stats

from cavendish.motion import Trajectory
from cavendish.scenes import Scene

RESAMPLES = 2000
CONFIDENCE = 0.95


@dataclass(frozen=True)
class Score:
    """The answer to one question about a set of imagined clips."""

    name: str
    unit: str
    value: float  # mean over clips; NaN if no clip could be scored
    low: float
    high: float
    n: int  # clips scored
    clips: int  # clips asked
    values: tuple[float, ...]  # per clip, NaN where not scored

    def named(self, name: str) -> "Score":
        """Return the same answer under another name."""
        return replace(self, name=name)


@runtime_checkable
class Measurement(Protocol):
    """A question about what was imagined, given the scene and the truth."""

    def __call__(self, scene: Scene, truth: Trajectory, imagined: Trajectory) -> Score:
        """Answer it."""


def score(name: str, unit: str, values: Float[np.ndarray, " b"]) -> Score:
    """Summarise one value per clip by its mean and a bootstrap interval over clips."""
    counted = values[np.isfinite(values)]
    low, high = interval(counted)
    mean = float(counted.mean()) if counted.size else float("nan")
    return Score(name, unit, mean, low, high, counted.size, values.size, tuple(values.tolist()))


def jackknifed(name: str, unit: str, count: int, statistic: Callable[[Int[np.ndarray, " n"]], float]) -> Score:
    """Score a statistic of some of `count` clips or trials together that is no mean of theirs."""
    every = np.arange(count)
    without = np.array([statistic(np.delete(every, k)) for k in range(count)])
    return score(name, unit, count * statistic(every) - (count - 1) * without)


def figure(name: str, unit: str, value: float) -> Score:
    """Make a score of one number about all clips together, without an interval."""
    return score(name, unit, np.array([value], float))


def proportion(name: str, hits: Bool[np.ndarray, " b"]) -> Score:
    """Summarise yes and no by their share and a Wilson interval."""
    bounds = stats.binomtest(int(hits.sum()), hits.size).proportion_ci(CONFIDENCE, "wilson")
    values = tuple(hits.astype(float).tolist())
    return Score(name, "", float(hits.mean()), float(bounds.low), float(bounds.high), hits.size, hits.size, values)


def interval(values: Float[np.ndarray, " b"]) -> tuple[float, float]:
    """Return the 95 % BCa interval of the mean; NaN for fewer than two values."""
    if values.size < 2:
        return float("nan"), float("nan")
    if np.ptp(values) < 1e-12 * max(1.0, float(np.abs(values).max())):
        return float(values.min()), float(values.max())
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", stats.DegenerateDataWarning)
        found = stats.bootstrap(
            (values,),
            np.mean,
            n_resamples=RESAMPLES,
            confidence_level=CONFIDENCE,
            method="BCa",
            rng=np.random.default_rng(0),
        ).confidence_interval
    if np.isfinite(found.low) and np.isfinite(found.high):
        return float(found.low), float(found.high)
    return float(values.min()), float(values.max())
