"""Intervals cover, p values are uniform where nothing is wrong, and many questions cost something."""

import numpy as np
import pytest
from scipy import stats

from cavendish.errors import BadInputError
from cavendish.measure.playing import nmi
from cavendish.measure.score import jackknifed, score
from cavendish.measure.statistics import coverage, crps, holm, over_seeds, p_zero, paired, pass_at, power


def test_a_paired_difference_is_found_that_unpaired_scores_hide() -> None:
    rng = np.random.default_rng(0)
    hard = rng.exponential(1.0, 60)  # clips differ far more than the models do
    ours, theirs = score("e", "m", hard + rng.normal(0, 0.01, 60)), score("e", "m", hard + 0.02)
    found = paired(ours, theirs)
    assert ours.low < theirs.value < ours.high
    assert found.high < 0
    assert found.p < 0.001


def test_p_values_are_uniform_when_nothing_is_wrong() -> None:
    rng = np.random.default_rng(1)
    p = [p_zero(rng.normal(0, 1, 30)) for _ in range(2000)]
    assert stats.kstest(p, "uniform").pvalue > 0.01


def test_seeds_widen_the_interval() -> None:
    rng = np.random.default_rng(2)
    seeds = [score("e", "m", shift + rng.normal(0, 0.1, 50)) for shift in (0.0, 0.5, 1.0)]
    mean, low, high = over_seeds(seeds)
    assert mean == pytest.approx(0.5, abs=0.05)
    assert high - low > 5 * (seeds[0].high - seeds[0].low)
    with pytest.raises(BadInputError, match="at least 2"):
        over_seeds(seeds[:1])


@pytest.mark.parametrize("kept", [0.0, 0.4])
def test_mutual_information_of_few_clips_is_neither_flattered_nor_outside_its_interval(kept: float) -> None:
    true = nmi(np.full((5, 5), (1 - kept) / 25) + np.eye(5) * kept / 5)
    rng, covered, values = np.random.default_rng(4), 0, []
    for _ in range(40):
        pressed = rng.integers(5, size=(48, 12))
        told = np.where(rng.random(pressed.shape) < kept, pressed, rng.integers(5, size=pressed.shape))
        table = np.zeros((48, 5, 5))
        np.add.at(table, (np.arange(48)[:, None], told, pressed), 1)
        found = jackknifed("NMI", "", 48, lambda drawn, table=table: nmi(table[drawn].sum(0)))  # type: ignore[misc]
        assert found.low < found.value < found.high
        covered += found.low <= true <= found.high
        values.append(found.value - true)
    assert covered >= 34
    assert abs(np.mean(values)) < 2 * np.std(values) / np.sqrt(40) + 1e-3  # the plug-in value is 0.01 too large


def test_holm_is_bonferroni_for_the_smallest_and_keeps_the_order() -> None:
    assert holm(np.array([0.04, 0.01, 0.03])).tolist() == pytest.approx([0.06, 0.03, 0.06])


def test_pass_at_k_is_unbiased() -> None:
    chance, n, k = 0.3, 6, 3
    mean = sum(stats.binom.pmf(c, n, chance) * pass_at(k, c, n) for c in range(n + 1))
    assert mean == pytest.approx(1 - (1 - chance) ** k)
    with pytest.raises(BadInputError, match="pass@4"):
        pass_at(4, 1, 3)


def test_a_sharp_and_honest_ensemble_has_the_best_crps() -> None:
    rng = np.random.default_rng(3)
    truth = rng.normal(0, 1, 4000)
    honest, narrow, wide = (rng.normal(0, s, (4000, 16)) for s in (1.0, 0.3, 3.0))
    means = [crps(sample, truth).mean() for sample in (honest, narrow, wide)]
    assert means[0] == pytest.approx(1 / np.sqrt(np.pi), abs=0.02)  # of a standard normal law
    assert means[0] < min(means[1:])
    assert coverage(narrow, truth) < 0.6
    assert 0.8 < coverage(rng.normal(0, 1, (4000, 99)), truth) < 0.95


def test_power_is_what_simulation_finds() -> None:
    rng = np.random.default_rng(4)
    found = np.mean([p_zero(rng.normal(0.5, 1.0, 30)) < 0.05 for _ in range(1000)])
    assert power(0.5, 1.0, 30) == pytest.approx(found, abs=0.04)


def test_scores_of_different_clips_are_not_paired() -> None:
    with pytest.raises(BadInputError, match="paired"):
        paired(score("e", "m", np.ones(3)), score("e", "m", np.ones(4)))
