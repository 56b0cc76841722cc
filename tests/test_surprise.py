"""Impossible twins share their beginning, and a smoothness detector is not mistaken for a physicist."""

from functools import lru_cache

import numpy as np
import pytest
import torch
from jaxtyping import Float
from torch import Tensor

from cavendish.errors import BadInputError
from cavendish.measure.surprise import BASELINES, KINDS, FeatureSmoothness, Pairs, Surprised, matched_pairs, preference
from cavendish.training import seeded
from cavendish.video import Clip


class Seer:
    """Is surprised by every frame that differs from what it was told."""

    def __init__(self, known: Clip) -> None:
        self.known = known

    def surprise(self, clip: Clip, generator: torch.Generator) -> Float[Tensor, "b t"]:
        """Return the mean difference from the known films."""
        return (clip.frames.float() - self.known.frames.float()).abs().mean((2, 3, 4))


class Indifferent:
    """Is never surprised."""

    def surprise(self, clip: Clip, generator: torch.Generator) -> Float[Tensor, "b t"]:
        """Return nothing but zeros."""
        return torch.zeros(clip.frames.shape[:2])


@lru_cache
def films_of(kind: str) -> Pairs:
    """Film a dozen pairs, once for all tests."""
    return matched_pairs(kind, 12)


@pytest.mark.parametrize("kind", KINDS)
def test_twins_share_their_beginning_and_differ_to_the_end(kind: str) -> None:
    pairs = films_of(kind)
    assert len(pairs.parting) >= 6
    assert (pairs.parting >= KINDS[kind][0].context).all()
    for possible, impossible, k in zip(pairs.possible.frames, pairs.impossible.frames, pairs.parting, strict=True):
        assert torch.equal(possible[:k], impossible[:k])
        assert not torch.equal(possible[k], impossible[k])


@pytest.mark.parametrize("kind", KINDS)
def test_who_knows_the_future_tells_every_pair_and_who_knows_nothing_tells_none(kind: str) -> None:
    pairs = films_of(kind)
    sure = preference(Seer(pairs.possible), pairs, seeded(0))
    assert sure.accuracy.value == sure.auroc.value == 1.0
    blind = preference(Indifferent(), pairs, seeded(0))
    assert blind.accuracy.value == blind.auroc.value == 0.5


def test_baselines_are_fooled_by_smooth_violations_but_see_jumps() -> None:
    def accuracy(baseline: str, kind: str) -> float:
        return preference(BASELINES[baseline], matched_pairs(kind, 30), seeded(0)).accuracy.value

    assert accuracy("linear prediction", "continuity") > 0.9
    assert accuracy("linear prediction", "permanence, occluded") < 0.1  # nothing that moves is nothing strange
    assert accuracy("frame difference", "solidity") < 1.0


def test_every_baseline_answers_every_frame() -> None:
    films = films_of("gravity").possible
    for baseline in BASELINES.values():
        assert isinstance(baseline, Surprised)
        found = baseline.surprise(films, seeded(0))
        assert found.shape == films.frames.shape[:2]
        assert torch.isfinite(found).all()
    flat = FeatureSmoothness(lambda clip: torch.arange(32.0)[None, :, None].expand(len(clip.frames), 32, 3))
    assert np.allclose(flat.surprise(films, seeded(0)).numpy(), 0, atol=1e-6)


def test_an_unknown_violation_is_refused_by_name() -> None:
    with pytest.raises(BadInputError, match="gravity"):
        matched_pairs("gravitas", 4)
