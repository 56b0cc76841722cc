"""What cannot happen raises an alarm, what does happen raises none, and a larger fault shows more clearly."""

import sys
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

import numpy as np
import pytest

from cavendish.data import Split
from cavendish.measure.abnormality import SIGNS, Signs, alarms, limits, signs
from cavendish.motion import Drawing, Trajectory
from cavendish.scenes import Combinatorial

SPEC = spec_from_file_location("planted", Path(__file__).parents[1] / "benchmarks" / "abnormality.py")
assert SPEC is not None
assert SPEC.loader is not None
planted = module_from_spec(SPEC)
sys.modules["planted"] = planted
SPEC.loader.exec_module(planted)
SCENE = Combinatorial()
PIXEL = 10 / 128


def as_read(drawing: Drawing, rng: np.random.Generator) -> Trajectory:
    """Return what a reader with an error of a twentieth of a pixel would find; half a body has half its colour."""
    n, halves = SCENE.bodies, drawing.centre.shape[-2] > SCENE.bodies
    place = np.where(drawing.centre[..., :n, :] < 0, np.nan, drawing.centre[..., :n, :])
    found = np.isfinite(place).all(-1)
    assert drawing.angle is not None
    torn = np.isfinite(drawing.centre[..., n:, 0]).any(-1, keepdims=True) & (
        drawing.extent[..., :n] < drawing.extent[:, :1, :n]
    )
    sure = rng.uniform(0.9, 1.0, found.shape)
    confidence = np.where(found, np.where(torn & halves, 0.5, sure), 0.0)
    noise = rng.normal(0, 0.05 * PIXEL, place.shape)
    radius = np.where(found, drawing.extent[..., :n], np.nan) * rng.normal(1.0, 0.01, found.shape)
    blank = np.zeros((len(place), 0))
    return Trajectory(SCENE.clock(), place + noise, place, radius, confidence, blank, drawing.angle[..., :n])


def of_true(seed: int, count: int) -> Signs:
    """Measure the signs of true clips."""
    drawing = SCENE.draw(Split(SCENE, seed=seed).trajectories(np.arange(count)))
    return signs(drawing, as_read(drawing, np.random.default_rng(seed)), planted.ROOM)


@pytest.fixture(scope="module")
def limit() -> dict[str, float]:
    """Calibrate on true clips."""
    return limits(of_true(1, 60))


def faulty(kind: str, size: float, count: int = 6) -> Signs:
    """Measure the signs of clips with one fault each."""
    rng, split, parts = np.random.default_rng(0), Split(SCENE, seed=2), []
    index = 0
    while len(parts) < count:
        drawing = planted.PLANTS[kind](split.trajectories(np.array([index])), size, rng)
        index += 1
        if drawing is not None:
            expected = planted._expected(drawing)
            parts.append(signs(expected, as_read(drawing, rng), planted.ROOM))
    return planted.gather(parts)


def test_what_happens_raises_no_alarm(limit: dict[str, float]) -> None:
    raised = alarms(of_true(5, 40), limit)
    assert np.any(list(raised.values()), axis=0).sum() <= 2


@pytest.mark.parametrize("kind", [kind for kind in SIGNS if kind != "split"])
def test_a_planted_fault_shows_more_clearly_the_larger_it_is(kind: str, limit: dict[str, float]) -> None:
    _, five, below = planted.SIZES[kind]
    small, large = faulty(kind, below[0]), faulty(kind, five[-1])
    assert alarms(large, limit)[kind].mean() > 0.8
    assert large[kind].mean() > small[kind].mean()


def test_a_body_in_two_halves_is_found(limit: dict[str, float]) -> None:
    assert alarms(faulty("split", 1.8), limit)["split"].all()


def test_a_body_behind_a_screen_has_not_vanished() -> None:
    scene = Combinatorial(screen=1.5)
    truth = Split(scene, seed=1).trajectories(np.arange(20))
    drawing = scene.draw(truth)
    seen = as_read(drawing, np.random.default_rng(0))
    behind = np.abs(seen.position[..., 0] - 5.0) < 0.75
    behind[:, :3] = False
    seen.position[behind] = np.nan
    seen.confidence[behind] = 0.0
    assert signs(drawing, seen, planted.ROOM)["vanish"].max() == 0
