"""What was taught together can be asked apart, and the reader names the look that came out."""

import numpy as np
import pytest

from cavendish.data import Picture, Split
from cavendish.errors import BadInputError
from cavendish.readout import Reader
from cavendish.scenes import AttributeConflict
from cavendish.scenes.attribute_conflict import LOOKS, PAIRS
from cavendish.scenes.looks import in_view

SCENE = AttributeConflict()
HIGH = {
    "colour": lambda rows: rows[:, 2] == 1,
    "shape": lambda rows: rows[:, 3] == 1,
    "ring": lambda rows: rows[:, 3] == 2,
    "size": lambda rows: rows[:, 0] > 1.05,
    "velocity": lambda rows: rows[:, 1] > 2.5,
}


def sampled(region: str, count: int = 60) -> np.ndarray:
    """Draw factor rows."""
    rng = np.random.default_rng(0)
    return np.array([SCENE.sample(region, rng) for _ in range(count)])


@pytest.mark.parametrize("pair", PAIRS, ids="-".join)
def test_attributes_agree_where_taught_and_differ_where_swapped(pair: tuple[str, str]) -> None:
    for region in (region for region in SCENE.regions() if region.startswith("-".join(pair))):
        first, second = (HIGH[attribute](sampled(region)) for attribute in pair)
        assert ((first != second) == region.endswith("-swapped")).all(), region
        assert 0 < first.mean() < 1, region


def test_an_attribute_outside_the_pair_is_that_of_the_control() -> None:
    rows = sampled("size-velocity")
    assert (rows[:, 2:4] == 0).all()
    assert (sampled("train")[:, 2:4] == 0).all()
    assert np.ptp(sampled("colour-size")[:, 1]) > 2


def test_binary_lessons_show_the_extremes_only() -> None:
    rows = sampled("size-velocity-binary")
    assert set(rows[:, 0]) == {0.7, 1.4}
    assert set(rows[:, 1]) == {1.0, 4.0}


@pytest.mark.parametrize("sigma", [0, 10])
@pytest.mark.parametrize("region", ["colour-shape", "colour-shape-swapped", "colour-ring", "colour-ring-swapped"])
def test_the_reader_names_the_look(region: str, sigma: float) -> None:
    clip = Split(SCENE, region, picture=Picture(128, 128)).clips(np.arange(8))
    truth, frames = clip.trajectory, clip.frames.numpy()
    assert truth is not None
    drawing = SCENE.draw(truth)
    noise = np.random.default_rng(0).normal(0, sigma, frames.shape)
    found = Reader.of(drawing).read(np.clip(frames + noise, 0, 255).round().astype(np.uint8), truth.time)
    shown = in_view(drawing, 10 / 128)
    somewhere = shown.any(-1)
    assert somewhere.mean() > 0.5
    assert np.array_equal(~found.lost[somewhere], shown[somewhere])


def test_every_look_is_drawn_as_named() -> None:
    rows = np.array([[1.0, 1.0, colour, shape, 3.0, 5.0] for colour, shape in LOOKS])
    shown = in_view(SCENE.draw(SCENE.simulate(rows, np.array([0.0]))))
    assert np.array_equal(shown[:, 0], np.eye(len(LOOKS), dtype=bool))


@pytest.mark.parametrize(("column", "named"), [(2, "colour"), (3, "shape")])
def test_unknown_looks_are_refused(column: int, named: str) -> None:
    rows = sampled("train", 1)
    rows[0, column] = 0.5
    with pytest.raises(BadInputError, match=named):
        SCENE.simulate(rows, SCENE.clock())


def test_looks_that_are_the_same_are_refused() -> None:
    drawing = SCENE.draw(SCENE.simulate(sampled("train", 1), SCENE.clock()))
    twice = Reader(drawing.colour[[0, 0]], drawing.background, drawing.world, drawing.shape[[0, 0]])
    with pytest.raises(BadInputError, match="told apart"):
        twice.read(np.zeros((1, 8, 8, 3), np.uint8), np.zeros(1))
