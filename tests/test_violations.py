"""Planted violations are answered by the score that should answer, and grow with their size."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from cavendish.cli import call
from cavendish.data import Picture, Split
from cavendish.measure import Scorecard, scorecard
from cavendish.measure.lag import action_lag, answered
from cavendish.measure.symmetry import symmetries
from cavendish.motion import Trajectory
from cavendish.scenes import ChargedParticle, Collision, Orbit, Parabola, Platform, Playable, Pushable, UniformMotion
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
    assert half["g along y off 2.5"].value == pytest.approx(-1.25, abs=0.01)


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


def pressed(game: Playable, count: int = 6) -> tuple[Trajectory, np.ndarray]:
    """Play a few clips."""
    clip = Split(game, "interpolation", picture=Picture(8, 8)).clips(np.arange(count))
    return clip.trajectory, clip.actions.numpy().astype(float)


@pytest.mark.parametrize("game", [Pushable(), Platform()], ids=lambda game: game.name())
def test_buttons_that_are_answered_late_are_told_to_the_frame(game: Playable) -> None:
    truth, actions = pressed(game)
    noise = np.random.default_rng(0).normal(0, 0.003, truth.position.shape)
    for late in (0, 1, 2, 3, 5, 8):
        moved = answered(game, truth, actions, late)
        found = action_lag(game, truth, actions, replace(moved, position=moved.position + noise))
        assert found.n == found.clips
        assert found.value == found.low == found.high == late


def test_a_world_that_hears_no_button_has_no_lag() -> None:
    truth, actions = pressed(Pushable())
    still = replace(truth, position=np.broadcast_to(truth.position[:, 3:4], truth.position.shape))
    assert action_lag(Pushable(), truth, actions, still).n == 0


def test_films_of_a_game_are_weighed_for_their_lag(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert call(["render", "pushable", "--count", "3", "--size", "48", "--out", str(tmp_path / "films")]) == 0
    assert call(["measure", str(tmp_path / "films"), "--scene", "pushable"]) == 0
    assert "action lag" in capsys.readouterr().out
