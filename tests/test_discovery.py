"""The instrument prints the law that it was shown, and no other."""

import re
from dataclasses import replace
from functools import lru_cache

import numpy as np
import pytest

from cavendish.data import Picture, Split
from cavendish.errors import BadInputError
from cavendish.measure.discovery import CONSTANTS, NO_LAW, NOT_COMPARED, OTHER, SAME, Discovery, discover
from cavendish.motion import Trajectory
from cavendish.readout import Reader
from cavendish.scenes import (
    AristotleFall,
    BouncingBall,
    Collision,
    Composition,
    DragFall,
    Orbit,
    Parabola,
    RunawayMotion,
    Support,
    UniformMotion,
)
from cavendish.scenes.scene import Scene

PIXEL = 10 / 64  # m
UNTOLD = {  # scenes whose law has a part that no track tells, and which part; they are not compared
    "hidden-friction": "every ball has a friction of its own, and only on the sand",
    "pushable": "buttons push",
    "pushable-pair": "buttons push",
    "platform": "buttons walk and jump",
    "combinatorial": "forces of contact and turning bodies, by an engine",
}


def truth_of(scene: Scene, count: int = 20) -> Trajectory:
    """Simulate training clips."""
    return Split(scene).trajectories(np.arange(count))


def read_video(scene: Scene) -> Trajectory:
    """Film training clips at 64 px and read them back."""
    clip = Split(scene, picture=Picture(64, 64)).clips(np.arange(12))
    assert clip.trajectory is not None
    return Reader.of(scene.draw(clip.trajectory)).read(clip.frames.numpy(), clip.trajectory.time)


@lru_cache
def own(scene: Scene) -> Discovery:
    """Read a scene's own law off its video, once for all tests."""
    return discover(scene, read_video(scene))


def jittered(truth: Trajectory, size: float) -> Trajectory:
    """Add white noise to every place."""
    noise = np.random.default_rng(0).normal(0, size, truth.position.shape)
    return replace(truth, position=truth.position + noise)


def constant(found: Discovery, name: str) -> float:
    """Return a constant of the printed law."""
    return next(c.value for c in found.parameters if c.name == name)


def test_every_scene_s_own_law_is_found_in_its_video(scene: Scene) -> None:
    if scene.space == 3:
        with pytest.raises(BadInputError, match=f"{scene.name()}: laws are read from motion in a plane"):
            discover(scene, truth_of(scene, count=2))
        return
    if scene.name() in UNTOLD:
        found = discover(scene, truth_of(scene, count=4))
        assert (found.verdict, found.parameters) == (NOT_COMPARED, ())
        assert "tracks alone do not tell" in found.printed_law
        return
    found = own(scene)
    assert found.verdict == SAME, found.printed_law
    assert found.residual_ratio < 1.1
    idle = (np.ptp(truth_of(scene, count=12).position, axis=1) == 0).all((1, 2))  # in which nothing moves at all
    assert found.discarded == pytest.approx(idle.mean())


def test_a_ball_that_bounces_where_it_should_lie_is_found_out() -> None:
    scene, truth = Support(), truth_of(Support())
    late = np.maximum(truth.time - (truth.velocity[:, :, 0, 1] != 0).sum(1)[:, None] * scene.step, 0.0)
    hop = np.maximum(3.0 * late - 0.5 * scene.gravity * late**2, 0.0)
    hopping = truth.position + hop[..., None, None] * np.array([0.0, 1.0])
    assert discover(scene, truth).verdict == SAME
    found = discover(scene, replace(truth, position=hopping))
    assert found.verdict == CONSTANTS, found.printed_law
    assert constant(found, "restitution at walls") > 0.2


def test_a_ball_that_rests_from_the_start_is_judged_and_one_that_freezes_is_not() -> None:
    scene, truth = Composition(), truth_of(Composition())
    assert (truth.velocity[:, 0] == 0).all(-1).any()
    assert discover(scene, truth).discarded < 0.2  # clips in which nothing moves
    frozen = truth.position.copy()
    frozen[:, 3:] = frozen[:, 2:3]
    assert discover(scene, replace(truth, position=frozen)).discarded > 0.4


def test_gravity_drag_kepler_and_restitution_are_exact_on_true_video() -> None:
    assert abs(constant(own(Parabola()), "g") / 2.5 - 1) < 0.005
    assert abs(constant(own(DragFall()), "c") / 3.0 - 1) < 0.005
    assert abs(constant(own(Orbit()), "p") + 2) < 0.02
    bounced = own(BouncingBall())
    assert abs(constant(bounced, "restitution at walls") - 0.8) < 0.01


def test_a_pixel_of_jitter_leaves_gravity_within_two_per_cent() -> None:
    found = discover(Parabola(), jittered(truth_of(Parabola(), count=100), PIXEL))  # 20 clips leave 2.3 % (docs)
    assert found.verdict in (SAME, CONSTANTS)
    assert abs(constant(found, "g") / 2.5 - 1) < 0.02


@pytest.mark.parametrize(
    ("told", "lie", "verdict", "printed"),
    [
        (UniformMotion(), RunawayMotion(), OTHER, "x'' = 0.30 x'"),
        (Parabola(), AristotleFall(), OTHER, "y'' = -0.83 m"),
        (Parabola(), Parabola(gravity=-2.5), CONSTANTS, "y'' = 2.50"),
        (Parabola(), DragFall(), OTHER, "x'' = -3.00 x'/m; y'' = -3.00 y'/m - 2.50"),
        (Collision(), Collision(restitution=0.5), CONSTANTS, "restitution between bodies = 0.50"),
        (Orbit(), Orbit(exponent=-1.0), CONSTANTS, "r^(-1.00 - 1)"),
    ],
    ids=["runaway", "aristotle", "antigravity", "honey", "dough", "logarithmic"],
)
def test_wrong_physics_is_printed_as_it_was_simulated(told: Scene, lie: Scene, verdict: str, printed: str) -> None:
    found = discover(told, read_video(lie))
    assert found.verdict == verdict
    assert printed in re.sub(r"\d+\.\d+", lambda number: f"{float(number[0]):.2f}", found.printed_law)


def test_a_frozen_or_vanished_ball_obeys_no_law() -> None:
    scene, truth = UniformMotion(), truth_of(UniformMotion())
    frozen = truth.position.copy()
    frozen[:, 3:] = frozen[:, 2:3]
    assert discover(scene, replace(truth, position=frozen)).verdict == NO_LAW
    gone = truth.position.copy()
    gone[:, 8:] = np.nan
    assert discover(scene, replace(truth, position=gone)).verdict == NO_LAW


def test_a_wandering_ball_obeys_no_law() -> None:
    truth = truth_of(Parabola())
    walk = np.cumsum(np.random.default_rng(0).normal(0, 0.05, truth.position.shape), 1)
    found = discover(Parabola(), replace(truth, position=truth.position + walk), noise=0.003)
    assert found.verdict == NO_LAW


def test_a_wrong_term_that_came_first_is_left_again() -> None:
    truth = Split(DragFall(), seed=71).trajectories(np.arange(20))  # here x' resembles what g and y'/m do together
    noise = np.random.default_rng(71).normal(0, 0.003, truth.position.shape)
    found = discover(DragFall(), replace(truth, position=truth.position + noise))
    assert found.verdict == SAME, found.printed_law


def test_a_law_is_found_in_the_same_way_twice() -> None:
    tracks = jittered(truth_of(DragFall()), 0.01)
    assert repr(discover(DragFall(), tracks)) == repr(discover(DragFall(), tracks))  # a NaN is not equal to itself


def test_a_clock_that_stumbles_is_refused() -> None:
    truth = truth_of(Parabola())
    time = truth.time + 0.03 * (np.arange(32) % 2)
    with pytest.raises(BadInputError, match="one rate"):
        discover(Parabola(), replace(truth, time=time))


def test_motion_in_space_is_refused() -> None:
    truth = truth_of(Parabola())
    deep, fast = (np.concatenate([v, v[..., :1]], -1) for v in (truth.position, truth.velocity))
    with pytest.raises(BadInputError, match="in a plane"):
        discover(Parabola(), replace(truth, position=deep, velocity=fast))
