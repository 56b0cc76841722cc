"""Impossible twins share their beginning, and a smoothness detector is not mistaken for a physicist."""

from functools import lru_cache

import numpy as np
import pytest
import torch
from jaxtyping import Float
from torch import Tensor

from cavendish.data import Picture, Split
from cavendish.errors import BadInputError
from cavendish.measure.surprise import (
    BASELINES,
    BOTH_WAYS,
    KINDS,
    FeatureSmoothness,
    Foretold,
    Pairs,
    Surprised,
    both,
    matched_pairs,
    preference,
    standardised,
    twins,
)
from cavendish.scenes import Parabola
from cavendish.scenes.looks import in_view
from cavendish.training import seeded
from cavendish.video import Clip, Imagined


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


FALLING = Split(Parabola(), "interpolation", 24, 5, Picture(16, 16))


def films_made(kind: str) -> Pairs:
    """Film two dozen falls and their twins, made both ways."""
    return twins(FALLING, both(*BOTH_WAYS[kind]), 24)


@pytest.mark.parametrize("kind", BOTH_WAYS)
def test_violations_made_both_ways_part_after_the_context(kind: str) -> None:
    pairs = films_made(kind)
    assert len(pairs.parting) >= 20
    assert (pairs.parting >= Parabola.context).all()
    empty = [(film.frames == 255).all(-1).all((2, 3)).float().sum(1) for film in (pairs.possible, pairs.impossible)]
    emptier = np.sign((empty[1] - empty[0]).numpy())
    assert (emptier > 0).any()
    assert (emptier < 0).any()  # nobody who only counts empty frames can tell


def test_what_has_left_comes_back_where_it_was_last_seen() -> None:
    truth = FALLING.trajectories(np.arange(24))
    found = BOTH_WAYS["permanence"][1](truth, FALLING.scene).position
    back = (found != truth.position).any((2, 3)).argmax(1)
    clips = np.flatnonzero(back)
    seen = in_view(FALLING.scene.draw(truth))[..., 0]
    assert len(clips) > 12
    for clip in clips:
        last = np.flatnonzero(seen[clip])[-1]
        assert back[clip] > last
        assert np.array_equal(found[clip, back[clip] :], truth.position[clip, last - np.arange(32 - back[clip])])


def test_surprise_by_phase_forgets_what_is_usual_at_a_moment() -> None:
    pairs = films_made("gravity")
    judge = standardised(BASELINES["linear prediction"], pairs.possible, seeded(0))
    found = judge.surprise(pairs.possible, seeded(0))
    assert found[:, :2].abs().max() == 0  # never varies
    assert found[:, 5:20].mean(0).abs().max() < 1e-9
    assert torch.allclose(found[:, 5:20].std(0), torch.ones(15).double())


class Ink:
    """Sees how much ink there is, and dreams that it stays."""

    def encode(self, clip: Clip) -> Float[Tensor, "b t k"]:
        """Count."""
        return (255 - clip.frames[..., 1].float()).mean((2, 3))[..., None]

    def imagine(self, context: Clip, horizon: int, generator: torch.Generator) -> Imagined:
        """Go on with as much."""
        seen = self.encode(context)
        kept = torch.cat([seen, seen[:, -1:].expand(-1, horizon, -1)], 1)
        return Imagined(None, kept, torch.arange(kept.shape[1]) * 0.1, context.world, seen.shape[1])


def test_by_the_released_convention_windows_foretell_what_follows_their_first_frames() -> None:
    pairs = films_made("permanence")
    judge = Foretold(Ink(), 4)
    gone = judge.surprise(pairs.impossible, seeded(0))
    assert gone.shape == pairs.impossible.frames.shape[:2]
    assert gone[:, :4].abs().max() == 0  # no window foretells them
    ink = Ink().encode(pairs.impossible)[..., 0]
    assert torch.allclose(gone[:, 4], (ink[:, 4] - ink[:, 3]).abs())
    last = torch.stack([(ink[:, 31] - ink[:, k]).abs() for k in (19,)]).mean(0)
    assert torch.allclose(gone[:, 31], last)
