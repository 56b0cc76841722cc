"""Planted violations are answered by the score that should answer, and grow with their size."""

from dataclasses import replace

import numpy as np
import pytest

from cavendish.data import Split
from cavendish.measure import Scorecard, scorecard
from cavendish.measure.symmetry import symmetries
from cavendish.motion import Trajectory
from cavendish.scenes import ChargedParticle, Collision, Orbit, Parabola, UniformMotion
from cavendish.scenes.scene import Scene

START = 12


def truth_of(scene: Scene) -> Trajectory:
    """Simulate fresh clips."""
    return Split(scene, "interpolation").trajectories(np.arange(12))


def weighed(scene: Scene, truth: Trajectory, position: np.ndarray) -> Scorecard:
    """Score positions with reading errors of 3 mm."""
    noise = np.random.default_rng(0).normal(0, 0.003, position.shape)
    return scorecard(scene, truth, replace(truth, position=position + noise))


def jump(truth: Trajectory, size: float) -> np.ndarray:
    """Move the first body up from one frame on."""
    moved = truth.position.copy()
    moved[:, START:, 0, 1] += size
    return moved


def delay(truth: Trajectory, size: float) -> np.ndarray:
    """Repeat one frame some times."""
    frame = np.arange(32)
    return truth.position[:, np.where(frame < START, frame, np.maximum(frame - int(size), START))]


def fall(truth: Trajectory, size: float) -> np.ndarray:
    """Fall by a stronger gravity."""
    return Parabola(gravity=2.5 * (1 + size)).simulate(truth.factors, truth.time).position


def part(truth: Trajectory, size: float) -> np.ndarray:
    """Part with a restitution below 1."""
    return Collision(restitution=1 - size).simulate(truth.factors, truth.time).position


@pytest.mark.parametrize(
    ("scene", "name", "sizes", "plant"),
    [
        (Parabola(), "law residual", (0.05, 0.1, 0.2, 0.5, 1.0), fall),
        (Collision(), "restitution off the truth", (0.02, 0.05, 0.1, 0.2, 0.5), part),
        (UniformMotion(), "law residual", (0.02, 0.05, 0.1, 0.5, 1.0), jump),
        (UniformMotion(), "law residual", (1, 2, 3, 5, 8), delay),
    ],
    ids=["gravity", "restitution", "teleport", "repeated frames"],
)  # fmt: skip
def test_the_answer_grows_with_the_violation(scene: Scene, name: str, sizes: tuple, plant: object) -> None:
    truth = truth_of(scene)
    clean = weighed(scene, truth, truth.position)[name]
    found = [weighed(scene, truth, plant(truth, size))[name] for size in sizes]
    assert np.all(np.diff([f.value for f in found]) > 0)
    assert found[0].low > clean.high


def test_a_right_law_with_a_wrong_start_is_told_from_a_wrong_law() -> None:
    scene, truth = Parabola(), truth_of(Parabola())
    shift = weighed(scene, truth, truth.position - [0.39, 0.0])
    half = weighed(scene, truth, Parabola(gravity=1.25).simulate(truth.factors, truth.time).position)
    assert shift["position error"].value > 0.38
    assert shift["law residual / reader noise"].value < 5
    assert abs(shift["g along y off 2.5"].value) < 0.01
    assert half["law residual / reader noise"].value > 50
    assert half["g along y off 2.5"].value == pytest.approx(1.25, abs=0.01)


def test_a_body_that_sinks_into_another_between_two_frames_is_seen() -> None:
    scene, truth = Collision(), truth_of(Collision())
    thin = truth.factors * np.array([0.8, 0.8, 1, 1, 1, 1, 1])
    smaller = replace(truth, position=scene.simulate(thin, truth.time).position)
    card = scorecard(scene, truth, smaller)
    assert card["penetration"].value == pytest.approx((0.2 * truth.radius[:, 0].sum(-1)).mean(), rel=0.15)


def test_symmetries_are_read_off_the_law() -> None:
    names = {scene.name(): {s.name for s in symmetries(scene)} for scene in (Parabola(), Orbit(), ChargedParticle())}
    assert names == {
        "parabola": {"translation", "mirror", "boost"},
        "orbit": {"mirror", "rotation"},
        "charged-particle": {"translation", "rotation"},
    }
