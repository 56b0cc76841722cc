"""An independent engine tells the same story, within the error that its own steps imply."""

import numpy as np
import pymunk
import pytest

from cavendish.scenes import Billiard, Collision, Parabola

STEP = 1e-3  # s


def ball(space: pymunk.Space, radius: float, position: np.ndarray, velocity: np.ndarray) -> pymunk.Body:
    """Put a frictionless elastic disc of density 1 into another engine's world."""
    mass = np.pi * radius**2
    body = pymunk.Body(mass, pymunk.moment_for_circle(mass, 0, radius))
    body.position, body.velocity = tuple(position), tuple(velocity)
    shape = pymunk.Circle(body, radius)
    shape.elasticity, shape.friction = 1.0, 0.0
    space.add(body, shape)
    return body


def box(space: pymunk.Space) -> None:
    """Wall the world in, with walls a metre thick, so that nothing slips through."""
    for start, end in (((-1, -1), (11, -1)), ((11, -1), (11, 11)), ((11, 11), (-1, 11)), ((-1, 11), (-1, -1))):
        wall = pymunk.Segment(space.static_body, start, end, 1.0)
        wall.elasticity, wall.friction = 1.0, 0.0
        space.add(wall)


def test_a_stepped_fall_lags_the_parabola_by_its_own_step() -> None:
    space = pymunk.Space()
    space.gravity = (0.0, -2.5)
    body = ball(space, 1.0, np.array([2.0, 8.0]), np.array([2.0, 0.0]))
    for _ in range(2000):
        space.step(STEP)
    truth = Parabola().simulate(np.array([[1.0, 2.0, 2.0, 8.0]]), np.array([2.0])).position[0, 0, 0]
    lag = 2.5 * STEP * 2.0 / 2  # a step's new speed is used for the whole step
    assert abs(body.position.x - truth[0]) < 1e-9
    assert abs(abs(body.position.y - truth[1]) - lag) < 1e-9


@pytest.mark.parametrize("seed", range(5))
def test_speeds_after_a_collision_agree(seed: int) -> None:
    row = Collision().sample("train", np.random.default_rng(seed))
    space = pymunk.Space()
    space.collision_slop, space.iterations = 0.0, 30
    bodies = [
        ball(space, row[i], np.array([row[4 + i], row[6]]), np.array([speed, 0.0]))
        for i, speed in ((0, row[2]), (1, -row[3]))
    ]
    for _ in range(3100):
        space.step(STEP)
    moving = Collision().simulate(row[None], np.array([3.1]))
    late = STEP * (row[2] + row[3])  # a stepped engine notices the contact up to one step too late
    for body, x, u in zip(bodies, moving.position[0, 0, :, 0], moving.velocity[0, 0, :, 0], strict=True):
        assert abs(body.velocity.x - u) < 1e-6
        assert abs(body.position.x - x) < 2 * late


@pytest.mark.parametrize("seed", range(5))
def test_the_first_second_of_billiard_agrees(seed: int) -> None:
    scene = Billiard()
    row = scene.sample("train", np.random.default_rng(seed))
    truth = scene.simulate(row[None], np.array([0.0, 1.0]))
    space = pymunk.Space()
    space.collision_slop, space.iterations = 0.0, 30
    box(space)
    step = STEP / 10
    bodies = [ball(space, truth.radius[0, 0, n], truth.position[0, 0, n], truth.velocity[0, 0, n]) for n in range(3)]
    for _ in range(10_000):
        space.step(step)
    found = np.array([[*body.position] for body in bodies])
    fastest = np.linalg.norm(truth.velocity[0, 0], axis=-1).sum()
    assert np.abs(found - truth.position[0, 1]).max() < 2 * step * fastest  # contacts are noticed up to a step late
