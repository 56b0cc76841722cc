"""What is said of a clip can be understood again: every scene, every style."""

from typing import get_args

import numpy as np
import pytest

from cavendish.data import Split
from cavendish.data.captions import DIGITS, Style, describe, understand
from cavendish.errors import BadInputError
from cavendish.scenes import Collision, Parabola, UniformMotion
from cavendish.scenes.scene import Scene


def rng() -> np.random.Generator:
    """Return a seeded generator."""
    return np.random.default_rng(7)


@pytest.mark.parametrize("style", get_args(Style))
def test_what_is_described_is_understood(scene: Scene, style: Style) -> None:
    tolerance = 0.5 * 10.0 ** (1 - DIGITS[style])
    for region in (scene.regions()[0], scene.regions()[-1]):
        moving = Split(scene, region, flip=0.0 if scene.handed else 0.5).trajectories(np.arange(12))
        mirrored = 0
        for caption, row in zip(describe(scene, moving, style, rng()), moving.factors, strict=True):
            again = understand(caption)
            assert again.scene is type(scene)
            assert np.abs(again.factors - row).max() <= tolerance * np.abs(row).max()
            assert (np.abs(again.factors - row) <= tolerance * np.abs(row) + 1e-12).all()
            mirrored += again.mirrored
        assert (mirrored == 0) == scene.handed


def test_mirrored_clips_are_called_so() -> None:
    told = Split(UniformMotion(), flip=1.0).trajectories(np.arange(20))
    assert all(understand(text).mirrored for text in describe(UniformMotion(), told, "numeric", rng()))


def test_paraphrases_are_seeded_and_differ() -> None:
    moving = Split(Collision()).trajectories(np.arange(8))
    first, again = (describe(Collision(), moving, "paraphrase", rng()) for _ in range(2))
    assert first == again
    other = describe(Collision(), moving, "paraphrase", np.random.default_rng(8))
    assert not set(first) & set(other)


def test_people_may_write_captions_of_their_own() -> None:
    text = "parabola: a size of 1.25 m, the pace is 2 m/s, x = 1.5, and y 8"
    assert np.array_equal(understand(text).factors, [1.25, 2.0, 1.5, 8.0])
    assert understand(text.upper()).scene is Parabola


@pytest.mark.parametrize(
    ("caption", "named"),
    [
        ("parabolla: radius 1, velocity 2, x 1, y 8", "did you mean 'parabola'"),
        ("parabola: raduis 1, velocity 2, x 1, y 8", "did you mean 'radius'"),
        ("parabola: radius 1, velocity 2, x 1", "'y' of parabola is not named"),
        ("parabola: radius 1, radius 2, velocity 2, x 1, y 8", "named twice"),
        ("parabola: radius 1 m/s, velocity 2, x 1, y 8", "expected m"),
        ("parabola: radius, velocity 2, x 1, y 8", "0 values"),
        ("parabola: density 3, velocity 2, x 1, y 8", "names no factor"),
        ("attribute-conflict: colour green, shape disc, radius 1, velocity 2, x 1, y 8", "names no factor"),
        ("", "unknown scene"),
    ],
)
def test_captions_that_cannot_be_understood_are_refused(caption: str, named: str) -> None:
    with pytest.raises(BadInputError, match=named):
        understand(caption)


def test_an_unknown_style_is_refused() -> None:
    with pytest.raises(BadInputError, match="did you mean 'terse'"):
        describe(Parabola(), Split(Parabola()).trajectories(np.arange(1)), "tersee", rng())  # type: ignore[arg-type]
