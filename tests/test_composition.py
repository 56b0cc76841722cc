"""Events taught apart are asked together, and what a picture does not tell is told as a distribution."""

import numpy as np
import pytest

from cavendish.data import Picture, Split
from cavendish.data.ambiguity import outcomes
from cavendish.errors import BadInputError
from cavendish.motion import Trajectory
from cavendish.scenes import Billiard, Composition, UniformMotion

COUNT = 40


def events(region: str) -> tuple[np.ndarray, np.ndarray, np.ndarray, Trajectory]:
    """Tell for every clip whether the balls meet, and which of them meets a wall, by looking at the truth closely."""
    scene = Composition()
    rng = np.random.default_rng(0)
    rows = np.array([scene.sample(region, rng) for _ in range(COUNT)])
    moving = scene.simulate(rows, np.arange(3101) * 1e-3)
    x, r = moving.position[..., 0], moving.radius
    apart = np.linalg.norm(np.diff(moving.position, axis=2)[:, :, 0], axis=-1) - r.sum(-1)
    met = (apart < 0.0081).any(1)
    walls = ((x - r < 0.0041) | (x + r > 10 - 0.0041)).any(1)
    return met, walls[:, 0], walls[:, 1], moving


def test_space_is_taught_apart_and_asked_together() -> None:
    met, red_wall, blue_wall, moving = events("spatial")
    moves = (moving.velocity[:, 0, :, 0] != 0).T
    assert not met.any()
    assert (moves.sum(0) == 1).all()
    assert (red_wall == moves[0]).all()
    assert 0.05 < moves[0].mean() < 0.95
    assert not blue_wall.any()
    met, red_wall, blue_wall, moving = events("spatial-both")
    assert not met.any()
    assert red_wall.all()
    assert (moving.velocity[:, 0, :, 0] != 0).all()


def test_time_is_taught_apart_and_asked_together() -> None:
    met, red_wall, blue_wall, _ = events("temporal")
    assert (met != red_wall).all()
    assert not blue_wall.any()
    assert 0.2 < met.mean() < 0.8
    met, red_wall, _, _ = events("temporal-both")
    assert (met & red_wall).all()
    met, red_wall, blue_wall, _ = events("temporal-unseen")
    assert not red_wall.any()
    assert (met != blue_wall).all()


@pytest.mark.parametrize("region", Composition.regions())
def test_nothing_happens_before_the_pupil_is_asked(region: str) -> None:
    velocity = Split(Composition(), region).trajectories(np.arange(30)).velocity
    assert np.array_equal(velocity[:, 0], velocity[:, Composition.context])


def test_worlds_that_look_the_same_agree_to_half_a_pixel() -> None:
    scene, row = UniformMotion(), np.array([1.0, 2.0, 3.0, 5.0])
    futures = outcomes(scene, row, Picture(64, 64), 200, np.random.default_rng(0))
    off = np.abs(futures.factors - row)
    assert off[:, 1].max() == 0.0  # a speed is no length
    assert 0.07 < off[:, [0, 2, 3]].max() <= 5 / 64
    assert np.ptp(futures.position[:, -1, 0, 0]) <= 10 / 64  # straight flight keeps the doubt as it is


def test_impacts_turn_half_a_pixel_into_different_futures() -> None:
    row = np.array([0.5, 3.0, 0.0, 1.0, 5.0, 0.5, 0.0, 0.0, 4.0, 5.5, 0.5, 0.0, 0.0, 7.0, 2.0])
    futures = outcomes(Billiard(), row, Picture(64, 64), 300, np.random.default_rng(0))
    spread = futures.position.std(0)
    assert spread[-1].max() > 5 * spread[0].max()


def test_outcomes_are_seeded_and_impossible_ones_refused() -> None:
    row = np.array([0.7, 2.0, 3.0, 5.0])
    first, again = (outcomes(UniformMotion(), row, Picture(), 9, np.random.default_rng(3)) for _ in range(2))
    assert np.array_equal(first.factors, again.factors)
    with pytest.raises(BadInputError, match="count"):
        outcomes(UniformMotion(), row, Picture(), 0, np.random.default_rng(0))
    with pytest.raises(BadInputError, match="radius"):
        outcomes(UniformMotion(), -row, Picture(), 9, np.random.default_rng(0))
