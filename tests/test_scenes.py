"""The laws of nature hold, exactly, in every scene."""

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cavendish.data import Split
from cavendish.errors import BadInputError
from cavendish.motion import Trajectory
from cavendish.scenes import SCENES, AttributeConflict, Collision, Combinatorial, Parabola, UniformMotion, scene_named
from cavendish.scenes.looks import in_view
from cavendish.scenes.scene import Scene

FINE = np.linspace(0.0, 3.1, 3101)


def sampled(scene: Scene, region: str = "train", count: int = 50, seed: int = 0) -> np.ndarray:
    """Draw factor rows."""
    rng = np.random.default_rng(seed)
    return np.array([scene.sample(region, rng) for _ in range(count)])


def world_of(scene: Scene, time: np.ndarray, count: int = 16) -> Trajectory:
    """Simulate a few clips of the training region."""
    return scene.simulate(sampled(scene, count=count), time)


def test_same_seed_same_world(scene: Scene) -> None:
    assert np.array_equal(sampled(scene, seed=3), sampled(scene, seed=3))
    assert not np.array_equal(sampled(scene, seed=3), sampled(scene, seed=4))


def test_invariants_stay_constant(scene: Scene) -> None:
    for name, value in scene.invariants(world_of(scene, FINE)).items():
        scale = np.maximum(np.abs(value).max(axis=1), 1e-9)
        assert (np.ptp(value, axis=1) / scale).max() < 1e-9, name


def test_velocity_is_the_slope_of_position(scene: Scene) -> None:
    moving = world_of(scene, FINE)
    x, step = moving.position, FINE[1] - FINE[0]
    slope = (8 * (x[:, 3:-1] - x[:, 1:-3]) - (x[:, 4:] - x[:, :-4])) / (12 * step)
    bend = np.abs(np.diff(moving.velocity, n=4, axis=1)).max((2, 3))
    smooth = bend < 1e-5  # not across an impact, nor across a sudden change of the force
    smooth[:, 1:-1] &= smooth[:, 2:] & smooth[:, :-2]
    allowed = 1e-3 if isinstance(scene, Combinatorial) else 1e-5  # an engine's steps are as long as these
    assert np.abs(slope - moving.velocity[:, 2:-2])[smooth].max() < allowed
    assert smooth.mean() > (0.03 if isinstance(scene, Combinatorial) else 0.97)  # there, something touches most often


def test_time_may_be_asked_in_any_steps(scene: Scene) -> None:
    whole, some = world_of(scene, FINE), world_of(scene, FINE[::31])
    assert np.array_equal(whole.position[:, ::31], some.position)


def test_factors_stay_in_the_range_of_their_region(scene: Scene) -> None:
    for region in scene.regions():
        rows = sampled(scene, region)
        for factor, column in zip(scene.factors, rows.T, strict=True):
            if factor.ranges:
                inside = [(low <= column) & (column <= high) for low, high in factor.intervals(region)]
                assert np.any(inside, axis=0).all(), (region, factor.name)


def test_bodies_start_inside_the_world(scene: Scene) -> None:
    drawing = scene.draw(world_of(scene, scene.clock()))
    start, radius = drawing.centre[:, 0], drawing.extent[:, 0, :, None]
    size = np.array([scene.world.width, scene.world.height])
    inside = ((start - radius >= -1e-9) & (start + radius <= size + 1e-9)).all(-1)
    if isinstance(scene, Combinatorial):  # long bodies lie nearer to a wall than their mean radius
        seen = in_view(drawing)[:, 0]
        assert (seen | (start + radius < 0).any(-1)).all()
    elif isinstance(scene, AttributeConflict):  # one look is shown, the others wait outside
        assert (inside.sum(-1) == 1).all()
        assert (inside | (start + 1.3 * radius < 0).any(-1)).all()
    else:
        assert inside.all()


@pytest.mark.parametrize("hole", ["speeds-1.5-3.5", "speeds-1.25-4", "radii-0.8-1.2"])
def test_a_lesson_with_a_hole_leaves_out_what_is_asked_inside(hole: str) -> None:
    first = 0 if hole.startswith("radii") else 2
    low, high = (float(edge) for edge in hole.split("-")[1:])
    taught, asked = sampled(Collision(), f"around-{hole}", 300), sampled(Collision(), f"inside-{hole}", 300)
    there = [(rows[:, first : first + 2] > low) & (rows[:, first : first + 2] < high) for rows in (taught, asked)]
    assert not there[0].all(1).any()
    assert there[1].all()
    one_ball_there = there[0].any(1)
    assert one_ball_there.mean() > 0.05  # only the pair is new


def test_three_boxes_of_speeds_can_be_left_out() -> None:
    boxes = [((1.2, 2.2), (2.7, 3.7)), ((2.7, 3.7), (1.2, 2.2)), ((2.9, 3.5), (3.3, 3.9))]
    for region, wanted in (("around-speeds-three", 0), ("inside-speeds-three", 300)):
        pairs = sampled(Collision(), region, 300)[:, 2:4]
        hits = [
            ((a < pairs[:, 0]) & (pairs[:, 0] < b) & (c < pairs[:, 1]) & (pairs[:, 1] < d)) for (a, b), (c, d) in boxes
        ]
        assert np.any(hits, axis=0).sum() == wanted
        if wanted:
            assert min(np.sum(hits, axis=1)) > 50


def test_the_flip_test_teaches_one_half_and_asks_the_other() -> None:
    slow, fast = sampled(UniformMotion(), "slow")[:, 1], sampled(UniformMotion(), "fast")[:, 1]
    assert slow.max() < 2.5 < fast.min()


def test_law_can_be_parsed(scene: Scene) -> None:
    assert len(scene.law.expressions()) == len(scene.law.equations) > 0


def test_law_can_be_read(scene: Scene) -> None:
    text = scene.law.readable()
    assert "=" in text
    assert "Derivative" not in text
    assert Parabola.law.readable() == "x'' = 0; y'' = -g"


def test_name_leads_back_to_the_scene(scene: Scene) -> None:
    assert scene_named(scene.name()) is type(scene)


def test_uniform_motion_is_the_closed_form() -> None:
    rows = sampled(UniformMotion(), count=200)
    moving = UniformMotion().simulate(rows, FINE)
    x = rows[:, 2:3] + rows[:, 1:2] * FINE
    assert np.abs(moving.position[:, :, 0, 0] - x).max() <= 1e-12
    assert np.abs(moving.position[:, :, 0, 1] - rows[:, 3:4]).max() <= 1e-12


def test_parabola_is_the_closed_form() -> None:
    rows = sampled(Parabola(), count=200)
    moving = Parabola().simulate(rows, FINE)
    assert np.abs(moving.position[:, :, 0, 0] - (rows[:, 2:3] + rows[:, 1:2] * FINE)).max() <= 1e-12
    assert np.abs(moving.position[:, :, 0, 1] - (rows[:, 3:4] - 1.25 * FINE**2)).max() <= 1e-12


def test_collision_keeps_momentum_and_energy() -> None:
    scene = Collision()
    for value in scene.invariants(scene.simulate(sampled(scene, count=500), FINE)).values():
        change = np.abs(value[:, -1] - value[:, 0])
        assert (change / np.maximum(np.abs(value).max(axis=1), 1e-3)).max() <= 1e-12


def test_collision_happens_at_the_instant_of_contact() -> None:
    scene, rows = Collision(), sampled(Collision(), count=100)
    for row, instant in zip(rows, scene.impact_time(rows), strict=True):
        position = scene.simulate(row[None], np.array([instant])).position[0, 0, :, 0]
        assert abs(position[1] - position[0] - row[0] - row[1]) < 1e-12


@pytest.mark.parametrize("restitution", [0.0, 0.3, 1.0])
def test_balls_part_at_restitution_times_the_closing_speed(restitution: float) -> None:
    moving = Collision(restitution).simulate(sampled(Collision()), np.array([0.0, 1e3]))
    speed = moving.velocity[..., 0]
    closing, parting = speed[:, 0, 0] - speed[:, 0, 1], speed[:, 1, 1] - speed[:, 1, 0]
    assert np.allclose(parting, restitution * closing, atol=1e-12)


def test_balls_never_overlap() -> None:
    moving = world_of(Collision(), FINE)
    gap = moving.position[:, :, 1, 0] - moving.position[:, :, 0, 0] - moving.radius.sum(-1)
    assert gap.min() > -1e-9


SPEED = st.floats(-5.0, 5.0)
RADIUS = st.floats(0.2, 2.0)


@settings(max_examples=200, deadline=None)
@given(r1=RADIUS, r2=RADIUS, u1=SPEED, u2=SPEED, gap=st.floats(0.0, 5.0), boost=SPEED)
def test_collision_looks_the_same_from_a_moving_train(
    r1: float, r2: float, u1: float, u2: float, gap: float, boost: float
) -> None:
    scene, time = Collision(), np.linspace(0, 3, 40)
    start = [2.0, 2.0 + r1 + r2 + gap, 5.0]
    at_rest = scene.simulate(np.array([[r1, r2, u1, -u2, *start]]), time)
    boosted = scene.simulate(np.array([[r1, r2, u1 + boost, -(u2 + boost), *start]]), time)
    difference = boosted.position[0, :, :, 0] - boost * time[:, None] - at_rest.position[0, :, :, 0]
    assert np.abs(difference).max() <= 1e-9


@settings(max_examples=200, deadline=None)
@given(r1=RADIUS, r2=RADIUS, u1=SPEED, u2=SPEED, gap=st.floats(0.0, 5.0))
def test_collision_looks_the_same_in_a_mirror(r1: float, r2: float, u1: float, u2: float, gap: float) -> None:
    scene, time, apart = Collision(), np.linspace(0, 3, 40), r1 + r2 + gap
    here = scene.simulate(np.array([[r1, r2, u1, u2, 2.0, 2.0 + apart, 5.0]]), time)
    mirrored = scene.simulate(np.array([[r2, r1, u2, u1, -2.0 - apart, -2.0, 5.0]]), time)
    assert np.abs(here.position[0, :, :, 0] + mirrored.position[0, :, ::-1, 0]).max() <= 1e-9


@settings(max_examples=200, deadline=None)
@given(r1=RADIUS, r2=RADIUS, u1=SPEED, u2=SPEED, gap=st.floats(0.0, 5.0))
def test_elastic_collision_runs_backwards(r1: float, r2: float, u1: float, u2: float, gap: float) -> None:
    scene, time = Collision(), np.linspace(0, 3, 40)
    there = scene.simulate(np.array([[r1, r2, u1, -u2, 2.0, 2.0 + r1 + r2 + gap, 5.0]]), time)
    (x1, x2), (v1, v2) = there.position[0, -1, :, 0], -there.velocity[0, -1, :, 0]
    back = scene.simulate(np.array([[r1, r2, v1, -v2, x1, x2, 5.0]]), time)
    assert np.abs(back.position[0, ::-1, :, 0] - there.position[0, :, :, 0]).max() <= 1e-9


@settings(max_examples=100, deadline=None)
@given(radius=RADIUS, speed=SPEED, x=SPEED, y=SPEED, boost=SPEED)
def test_one_ball_looks_the_same_from_a_moving_train(
    radius: float, speed: float, x: float, y: float, boost: float
) -> None:
    time = np.linspace(0, 3, 40)
    for scene in (UniformMotion(), Parabola()):
        here = scene.simulate(np.array([[radius, speed, x, y]]), time).position[0, :, 0]
        there = scene.simulate(np.array([[radius, speed + boost, x, y]]), time).position[0, :, 0]
        assert np.abs(there - here - np.stack([boost * time, 0 * time], -1)).max() <= 1e-9


def corrupted(change: Callable[[np.ndarray], None]) -> np.ndarray:
    """Return one legal row of uniform motion after a change."""
    rows = sampled(UniformMotion(), count=1)
    change(rows)
    return rows


@pytest.mark.parametrize(
    ("rows", "time", "named"),
    [
        (corrupted(lambda rows: rows.__setitem__((0, 0), 0.0)), FINE, "radius"),
        (corrupted(lambda rows: rows.__setitem__((0, 1), np.nan)), FINE, "velocity"),
        (np.ones((1, 3)), FINE, "factors"),
        (np.ones((1, 4)), FINE[::-1], "time"),
        (np.ones((1, 4)), np.array([0.0, np.inf]), "time"),
    ],
)
def test_impossible_input_is_refused_by_name(rows: np.ndarray, time: np.ndarray, named: str) -> None:
    with pytest.raises(BadInputError, match=named):
        UniformMotion().simulate(rows, time.copy())


def test_overlapping_balls_are_refused() -> None:
    with pytest.raises(BadInputError, match="overlap"):
        Collision().simulate(np.array([[1.0, 1.0, 1.0, 1.0, 4.0, 5.0, 5.0]]), FINE)


def test_unknown_names_are_refused_with_a_suggestion() -> None:
    with pytest.raises(BadInputError, match="did you mean 'parabola'"):
        scene_named("parabolla")
    with pytest.raises(BadInputError, match="did you mean 'ood-radius'"):
        Split(SCENES[0](), "ood-radis")
