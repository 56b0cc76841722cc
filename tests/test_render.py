"""Frames show exactly what the drawing list says."""

import numpy as np
import pytest
import torch

from cavendish.data import Split
from cavendish.errors import BadInputError
from cavendish.motion import Drawing, Shape, World
from cavendish.render import render
from cavendish.render.colour import LIGHT_OF_BYTE, light_of, srgb_of
from cavendish.render.raster import disc_share
from cavendish.render.tensors import Canvas, render_tensors
from cavendish.scenes import BouncingBall, Collision, UniformMotion
from cavendish.scenes.scene import Scene

UNIT = np.array([1.0, 1.0])
WHITE = np.array([255, 255, 255], np.uint8)
BLACK = np.array([[0, 0, 0]], np.uint8)


def drawing(x: float, y: float, radius: float, world: World | None = None) -> Drawing:
    """Draw one black disc on white."""
    return Drawing(
        np.array([Shape.DISC]), np.array([[[x, y]]], float), np.array([[radius]], float), BLACK, WHITE, world or World()
    )


def covered(frames: np.ndarray) -> np.ndarray:
    """Return the share of each pixel that black covers."""
    return 1 - LIGHT_OF_BYTE[frames[0, ..., 0]]


@pytest.mark.parametrize("place", [(20.0, 20.0), (20.3, 19.77), (20.5, 20.5)])
@pytest.mark.parametrize("radius", [0.3, 1.0, 7.25])
def test_shares_add_up_to_the_area_of_the_disc(place: tuple[float, float], radius: float) -> None:
    share = disc_share(*place, radius, UNIT, 0, 40, 0, 40)
    assert abs(share.sum() - np.pi * radius**2) < 1e-9
    assert share.min() > -1e-9
    assert share.max() < 1 + 1e-9


def test_shares_equal_a_count_of_many_points() -> None:
    share = disc_share(5.31, 4.87, 3.2, UNIT, 0, 10, 0, 10)
    fine = (np.arange(4000) + 0.5) / 400
    inside = (fine[None, :] - 5.31) ** 2 + (fine[:, None] - 4.87) ** 2 <= 3.2**2
    assert np.abs(share - inside.reshape(10, 400, 10, 400).mean((1, 3))).max() < 1e-3


def test_pixels_may_be_oblong() -> None:
    frames = render(drawing(5, 5, 2), 40, 80)
    assert abs(covered(frames).sum() * (10 / 40) * (10 / 80) - np.pi * 4) < 0.05


@pytest.mark.parametrize(("height", "width"), [(1, 1), (3, 200), (128, 128), (97, 31)])
def test_any_size_and_aspect(height: int, width: int) -> None:
    assert render(drawing(5, 5, 2), height, width).shape == (1, height, width, 3)


def test_up_is_up() -> None:
    high = covered(render(drawing(2, 8, 1), 50, 50))
    assert high[:25, :25].sum() > 0
    assert high[25:].sum() == 0


def test_half_a_disc_at_the_edge_is_half_painted() -> None:
    whole, half = covered(render(drawing(5, 5, 2), 64, 64)).sum(), covered(render(drawing(0, 5, 2), 64, 64)).sum()
    assert abs(half / whole - 0.5) < 1e-3


def test_what_has_no_place_is_not_painted() -> None:
    assert (render(drawing(np.nan, 5, 2), 32, 32) == 255).all()
    assert (render(drawing(500.0, -900.0, 2), 32, 32) == 255).all()


def test_a_later_body_hides_an_earlier_one() -> None:
    colours = np.array([[255, 0, 0], [0, 0, 255]], np.uint8)
    both = Drawing(np.array([0, 0]), np.full((1, 2, 2), 5.0), np.array([[2.0, 1.0]]), colours, WHITE, World())
    frame = render(both, 40, 40)[0]
    assert tuple(frame[20, 20]) == (0, 0, 255)
    assert tuple(frame[20, 14]) == (255, 0, 0)


def test_light_and_bytes_are_inverse() -> None:
    values = np.linspace(0, 1, 1000)
    assert np.abs(srgb_of(light_of(values)) - values).max() < 1e-6
    assert np.array_equal(np.rint(255 * srgb_of(LIGHT_OF_BYTE)), np.arange(256))


@pytest.mark.parametrize(("height", "width"), [(0, 10), (10, 9000)])
def test_impossible_frame_sizes_are_refused(height: int, width: int) -> None:
    with pytest.raises(BadInputError, match="frame size"):
        render(drawing(5, 5, 2), height, width)


def differences(scene: Scene, dtype: torch.dtype, side: int) -> np.ndarray:
    """Return by how many bytes torch's pictures of a few clips differ from the compiled renderer's."""
    drawing = scene.draw(Split(scene).trajectories(np.arange(2)))
    ours = render_tensors(drawing, Canvas(side, side + 9, "cpu", dtype)).numpy().astype(int)
    return np.abs(ours - render(drawing, side, side + 9))


def test_torch_paints_the_same_picture(scene: Scene) -> None:
    assert differences(scene, torch.float64, 31).max() <= 1


@pytest.mark.parametrize("scene", [UniformMotion(), Collision(), BouncingBall()], ids=lambda scene: scene.name())
def test_torch_paints_the_same_picture_in_single_precision(scene: Scene) -> None:
    assert differences(scene, torch.float32, 128).max() <= 1
