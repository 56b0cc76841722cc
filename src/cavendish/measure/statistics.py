"""Comparing scores honestly: pairs, seeds, many questions at once, sampled futures.

paired       mean of a_i - b_i over the clips both answer, BCa interval, p from the one-sample t test
over seeds   seeds are resampled first, then clips within each (two-stage bootstrap, Davison and Hinkley 1997, 3.8)
Holm         p_(k) <= alpha / (m - k + 1), stepping down: holds for any dependence (Holm 1979)
pass@k       1 - C(n - c, k) / C(n, k), unbiased for c successes in n samples (Chen et al. 2021)
CRPS         mean |X - y| - mean |X - X'| / 2, fair for finite ensembles (Gneiting and Raftery 2007; Ferro 2014)
power        of the one-sample t test, from the noncentral t distribution
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from scipy import special, stats

from cavendish.errors import BadInputError
from cavendish.measure.score import CONFIDENCE, RESAMPLES, Score, interval

ALPHA = 0.05


@dataclass(frozen=True)
class Comparison:
    """How two sets of answers to one question differ, clip by clip."""

    difference: float
    low: float
    high: float
    p: float  # two-sided
    n: int  # clips that both answer


def paired(ours: Score, theirs: Score) -> Comparison:
    """Compare two models on the same clips."""
    if len(ours.values) != len(theirs.values):
        raise BadInputError(f"scores of {len(ours.values)} and {len(theirs.values)} clips cannot be paired")
    difference = np.array(ours.values) - np.array(theirs.values)
    difference = difference[np.isfinite(difference)]
    low, high = interval(difference)
    return Comparison(
        float(difference.mean()) if difference.size else np.nan, low, high, p_zero(difference), len(difference)
    )


def p_zero(values: Float[np.ndarray, " n"]) -> float:
    """Return the two-sided p value of a zero mean by Student's t test; 1 where nothing varies about 0."""
    values = values[np.isfinite(values)]
    if values.size < 2:
        return float("nan")
    if np.ptp(values) == 0:
        return 1.0 if values[0] == 0 else 0.0
    return float(stats.ttest_1samp(values, 0.0).pvalue)


def over_seeds(scores: list[Score]) -> tuple[float, float, float]:
    """Return mean and 95 % percentile interval over training seeds and the clips of each."""
    if len(scores) < 2:
        raise BadInputError(f"{len(scores)} seed, expected at least 2: clips alone do not tell how training varies")
    answers = [np.array(s.values)[np.isfinite(s.values)] for s in scores]
    if not all(a.size for a in answers):
        raise BadInputError("a seed has no clip with an answer, so seeds cannot be compared")
    rng = np.random.default_rng(0)
    means = np.empty(RESAMPLES)
    for k in range(RESAMPLES):
        seeds = rng.integers(len(answers), size=len(answers))
        means[k] = np.mean([rng.choice(answers[s], answers[s].size).mean() for s in seeds])
    tail = (1 - CONFIDENCE) / 2
    low, high = np.quantile(means, [tail, 1 - tail])
    return float(np.mean([a.mean() for a in answers])), float(low), float(high)


def holm(p: Float[np.ndarray, " m"]) -> Float[np.ndarray, " m"]:
    """Return p values adjusted for having asked all of these questions."""
    order = np.argsort(p)
    stepped = np.maximum.accumulate(p[order] * (len(p) - np.arange(len(p))))
    adjusted = np.empty(len(p))
    adjusted[order] = np.minimum(stepped, 1.0)
    return adjusted


def pass_at(k: int, successes: int, samples: int) -> float:
    """Return the chance that at least one of k futures succeeds, from c successes among n samples."""
    if not 0 <= successes <= samples or not 1 <= k <= samples:
        raise BadInputError(f"pass@{k} from {successes} of {samples} samples: expected 1 <= k <= n and 0 <= c <= n")
    return float(1 - special.comb(samples - successes, k, exact=True) / special.comb(samples, k, exact=True))


def crps(samples: Float[np.ndarray, "b n"], truth: Float[np.ndarray, " b"]) -> Float[np.ndarray, " b"]:
    """Return each clip's continuous ranked probability score of sampled outcomes, in the outcome's unit."""
    count = samples.shape[1]
    miss = np.abs(samples - truth[:, None]).mean(1)
    ranked = np.sort(samples, 1)
    weights = 2 * np.arange(1, count + 1) - count - 1
    spread = (ranked * weights).sum(1) / max(count * (count - 1), 1)
    return np.asarray(miss - spread)


def coverage(samples: Float[np.ndarray, "b n"], truth: Float[np.ndarray, " b"], level: float = 0.9) -> float:
    """Return the share of clips whose true outcome lies in the central interval of the sampled ones."""
    low, high = np.quantile(samples, [(1 - level) / 2, (1 + level) / 2], axis=1)
    return float(((low <= truth) & (truth <= high)).mean())


def power(effect: float, spread: float, clips: int, alpha: float = ALPHA) -> float:
    """Return the chance that a t test over this many clips finds a mean of this size."""
    free = clips - 1
    limit = stats.t.ppf(1 - alpha / 2, free)
    shift = effect / spread * np.sqrt(clips)
    return float(stats.nct.sf(limit, free, shift) + stats.nct.cdf(-limit, free, shift))
