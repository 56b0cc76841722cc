"""Choosing experiments: the world obeys its law, choosers stay in their box, and watching cannot tell a mass."""

import numpy as np
import pytest

from cavendish.errors import BadInputError
from cavendish.studies import Study
from cavendish.studies.active import Active, Watching
from cavendish.studies.experiment import Trial
from cavendish.studies.shots import CHOOSERS, Ensemble, Known, Shots, likeliest_law, outcome, touching
from cavendish.training import seeded

RNG = np.random.default_rng(0)
SHOTS = RNG.random((400, 3))


def known(world: Shots, count: int = 60) -> Known:
    """Make some experiments and two learners of them."""
    u = np.random.default_rng(1).random((count, 3))
    seen = world.see(u, np.random.default_rng(2))
    return Known(u, seen, Ensemble(u, seen, 0), Ensemble(u[:40], seen[:40], 0), 0)


def test_a_shot_that_misses_flies_on_and_leaves_blue_at_rest() -> None:
    after, hit = outcome(SHOTS, 3.0, 0.8), touching(SHOTS)
    assert 0.05 < hit.mean() < 0.25
    assert not after[~hit, 2:].any()
    assert np.allclose(after[~hit], outcome(SHOTS, 0.5, 0.1)[~hit])


def test_impacts_keep_momentum_and_lose_the_energy_that_restitution_says() -> None:
    ratio, hit = 3.0, SHOTS[touching(SHOTS)]
    soft, hard, none = (outcome(hit, ratio, e) for e in (0.0, 1.0, -1.0))  # e = -1: they pass through each other
    for after in (soft, hard):
        assert np.allclose(after[:, :2] + ratio * after[:, 2:], none[:, :2], atol=1e-9)
    gained = [(after - none)[:, :2] for after in (soft, hard)]
    assert np.allclose(2 * gained[0], gained[1])


def test_laws_are_judged_all_at_once_as_one_by_one() -> None:
    ratio, e = np.array([0.5, 3.0]), np.array([0.2, 0.9])
    both = outcome(SHOTS, ratio, e)
    assert np.array_equal(both, np.stack([outcome(SHOTS, *law) for law in zip(ratio, e, strict=True)]))


@pytest.mark.parametrize("way", CHOOSERS)
def test_choosers_stay_inside_the_box_and_keep_to_the_budget(way: str) -> None:
    chosen = CHOOSERS[way](known(Shots()), 20, np.random.default_rng(3))
    assert chosen.shape == (20, 3)
    assert (chosen >= 0).all()
    assert (chosen <= 1).all()


def test_the_law_is_found_in_front_of_a_screen_too() -> None:
    for screen in (False, True):
        ratio, restitution = likeliest_law(known(Shots(screen=screen), 200), np.random.default_rng(4))
        assert ratio == pytest.approx(3.0, rel=0.05)
        assert restitution == pytest.approx(0.8, abs=0.03)


def test_disagreement_is_caught_by_a_noisy_screen_and_laws_are_not() -> None:
    world = Shots(screen=True)
    looks = {way: CHOOSERS[way](known(world, 200), 40, np.random.default_rng(5)) for way in ("disagreement", "laws")}
    share = {way: world.flickers(u).mean() for way, u in looks.items()}
    assert share["disagreement"] > 2 * 0.125  # the screen fills an eighth of the box
    assert share["laws"] < share["disagreement"]


def test_watching_cannot_tell_the_heavier_ball_and_one_push_can() -> None:
    passive, pushed = (Active().attempt(Trial("x", Watching(pushes, 0))).scores[0] for pushes in (False, True))
    assert 0.42 < passive.value < 0.58
    assert pushed.value > 0.9


def test_no_world_model_is_asked(tiny_study: Study) -> None:
    with pytest.raises(BadInputError, match="active trains no world model, got tiny"):
        Active().ask(tiny_study, tiny_study.model.build(seeded(0)))
