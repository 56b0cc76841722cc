"""Every shape is painted by its exact area, and read back where it was drawn."""

import math

import numpy as np
import pytest

from cavendish.errors import BadInputError
from cavendish.motion import RING_HOLE, Drawing, Shape, World
from cavendish.readout import Reader
from cavendish.render import render
from cavendish.render.colour import LIGHT_OF_BYTE
from cavendish.render.polygons import polygon_share
from cavendish.scenes.looks import BLUE, GREY, RED, WHITE, box_outline, grey, regular_outline, rod, slab

SIDE = 128
PIXEL = 10 / SIDE
OUTLINES = {
    "square": box_outline(),
    "bar": box_outline(4.0),
    "triangle": regular_outline(3),
    "hexagon": regular_outline(6),
}
FRAMES = 60


def drawn(name: str, seed: int = 0) -> Drawing:
    """Draw one red shape at random places, sizes and angles."""
    rng = np.random.default_rng(seed)
    shape = {"disc": Shape.DISC, "ring": Shape.RING}.get(name, Shape.POLYGON)
    return Drawing(
        np.array([shape]),
        rng.uniform(3, 7, (FRAMES, 1, 2)),
        rng.uniform(0.4, 1.2, (FRAMES, 1)),
        np.array([RED], np.uint8),
        np.array(WHITE, np.uint8),
        World(),
        rng.uniform(0, 2 * np.pi, (FRAMES, 1)),
        OUTLINES[name][None] if name in OUTLINES else None,
    )


def read(drawing: Drawing, frames: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the misses of centre (pixels) and radius (relative)."""
    found = Reader.of(drawing).read(frames, np.arange(len(frames)) * 0.1)
    return (found.position - drawing.centre) / PIXEL, found.radius / drawing.extent - 1


SHAPES = ["disc", "ring", *OUTLINES]


@pytest.mark.parametrize(("sigma", "allowed"), [(0, 0.03), (10, 0.15)])
@pytest.mark.parametrize("name", SHAPES)
def test_every_shape_is_read_where_it_was_drawn(name: str, sigma: float, allowed: float) -> None:
    drawing = drawn(name)
    frames = render(drawing, SIDE, SIDE)
    noise = np.random.default_rng(1).normal(0, sigma, frames.shape)
    centre, _ = read(drawing, np.clip(frames + noise, 0, 255).round().astype(np.uint8))
    assert np.sqrt((centre**2).mean()) <= allowed


@pytest.mark.parametrize("name", SHAPES)
def test_radius_is_the_root_of_area_over_pi_for_every_shape(name: str) -> None:
    drawing = drawn(name)
    frames = render(drawing, SIDE, SIDE)
    assert np.abs(read(drawing, frames)[1]).max() < 5e-3
    share = (1 - LIGHT_OF_BYTE[frames[..., 1]]).sum((1, 2)) * PIXEL**2
    assert np.abs(share / (np.pi * drawing.extent[:, 0] ** 2) - 1).max() < 5e-3


def test_a_ring_has_a_hole() -> None:
    drawing = drawn("ring")
    frames = render(drawing, SIDE, SIDE)
    for frame, (x, y), extent in zip(frames, drawing.centre[:, 0], drawing.extent[:, 0], strict=True):
        middle = 0.5 * (1 + RING_HOLE) * extent / math.sqrt(1 - RING_HOLE**2)
        row, column = int(SIDE - y / PIXEL), int(x / PIXEL)
        assert tuple(frame[row, column]) == WHITE
        if extent > 0.8:
            assert tuple(frame[row, int((x + middle) / PIXEL)]) == RED


@pytest.mark.parametrize("corners", [3, 4, 7, 40])
@pytest.mark.parametrize("turn", [0.0, 0.3, math.pi / 2])
@pytest.mark.parametrize("direction", [1, -1])
def test_shares_add_up_to_the_area_of_the_polygon(corners: int, turn: float, direction: int) -> None:
    angle = turn + np.arange(corners) * 2 * np.pi / corners
    polygon = np.array([20.3, 19.6]) + 7.3 * np.stack([np.cos(angle), np.sin(angle)], -1)
    share = polygon_share(polygon[::direction].copy(), 0, 40, 0, 40)
    assert abs(share.sum() - 0.5 * corners * 7.3**2 * math.sin(2 * np.pi / corners)) < 1e-9
    assert share.min() > -1e-9
    assert share.max() < 1 + 1e-9


def test_shares_of_a_slanted_polygon_equal_a_count_of_many_points() -> None:
    polygon = np.array([(1.3, 0.7), (8.9, 3.1), (7.2, 8.8), (2.1, 9.4)])
    fine = (np.arange(4000) + 0.5) / 400
    x, y = np.meshgrid(fine, fine)
    inside = np.ones_like(x, bool)
    for (x0, y0), (x1, y1) in zip(polygon, np.roll(polygon, -1, axis=0), strict=True):
        inside &= (x1 - x0) * (y - y0) - (y1 - y0) * (x - x0) >= 0
    share = polygon_share(polygon, 0, 10, 0, 10)
    assert np.abs(share - inside.reshape(10, 400, 10, 400).mean((1, 3))).max() < 1e-3


@pytest.mark.parametrize(("dx", "dy"), [(0, 0), (-25, 3), (25, -4), (2, 30), (-6, -30), (33, 33), (400, 0), (0, -400)])
def test_a_polygon_cut_by_its_box_keeps_the_rest(dx: float, dy: float) -> None:
    polygon = np.array([(10.0, 5.0), (31.0, 12.0), (24.0, 33.0), (9.0, 27.0)]) + np.array([dx, dy])
    whole = polygon_share(polygon, -500, 500, -500, 500)[500:540, 500:540]
    assert np.abs(whole - polygon_share(polygon, 0, 40, 0, 40)).max() < 1e-12


def test_a_square_of_whole_pixels_is_painted_sharply() -> None:
    drawing = Drawing(
        np.array([Shape.POLYGON]),
        np.array([[[5.0, 5.0]]]),
        np.array([[2 / math.sqrt(math.pi)]]),
        np.array([RED], np.uint8),
        np.array(WHITE, np.uint8),
        World(),
        None,
        box_outline()[None],
    )
    frame = render(drawing, 10, 10)[0]
    assert (frame[4:6, 4:6] == RED).all()
    assert (frame == RED).all(-1).sum() == 4


def test_a_polygon_without_corners_is_refused() -> None:
    drawing = drawn("disc")
    square = Drawing(
        np.array([Shape.POLYGON]),
        drawing.centre,
        drawing.extent,
        drawing.colour,
        drawing.background,
        drawing.world,
    )
    with pytest.raises(BadInputError, match="outline"):
        render(square, 8, 8)


def with_scenery(x: np.ndarray) -> tuple[Drawing, np.ndarray]:
    """Draw a red ball that hangs on a rod at abscissa x, over a floor, and passes behind a screen."""
    centre = np.stack([x, np.full_like(x, 5.0)], -1)[:, None]
    hanger = rod(np.broadcast_to([5.0, 10.0], centre[:, 0].shape), centre[:, 0], 0.15)
    drawing = Drawing(
        np.array([Shape.DISC]),
        centre,
        np.full((len(x), 1), 0.8),
        np.array([RED], np.uint8),
        np.array(WHITE, np.uint8),
        World(),
        behind=grey(hanger, slab(0.0, 0.0, 10.0, 1.0)),
        front=grey(slab(4.0, 1.0, 6.0, 8.0)),
    )
    return drawing, render(drawing, SIDE, SIDE)


def test_scenery_is_seen_but_is_no_body() -> None:
    drawing, frames = with_scenery(np.linspace(1.0, 2.5, 20))
    assert (frames == GREY).all(-1).mean() > 0.15
    centre, radius = read(drawing, frames)
    assert np.sqrt((centre**2).mean()) < 0.03
    assert np.abs(radius).max() < 5e-3


def test_a_ball_behind_the_screen_is_lost() -> None:
    drawing, frames = with_scenery(np.linspace(4.9, 5.1, 5))
    assert Reader.of(drawing).read(frames, np.arange(5) * 0.1).lost.all()


def test_a_ball_half_behind_the_screen_is_found_from_what_is_seen() -> None:
    x = np.linspace(3.3, 4.2, 30)
    drawing, frames = with_scenery(x)
    centre, radius = read(drawing, frames)
    assert np.abs(centre).max() < 0.1
    assert np.abs(radius).max() < 0.01


def test_red_and_blue_are_told_apart_from_grey() -> None:
    drawing, _ = with_scenery(np.full(1, 2.0))
    both = Drawing(
        np.array([Shape.DISC, Shape.RING]),
        np.array([[[2.0, 5.0], [8.0, 5.0]]]),
        np.array([[0.8, 0.8]]),
        np.array([RED, BLUE], np.uint8),
        drawing.background,
        drawing.world,
        behind=drawing.behind,
        front=drawing.front,
    )
    centre, _ = read(both, render(both, SIDE, SIDE))
    assert np.abs(centre).max() < 0.03
