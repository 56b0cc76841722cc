"""Drawing list -> frames: every pixel shows the exact share of its area that a shape covers.

The shares of discs and rings (`discs`) and of polygons (`polygons`) are areas of intersection in closed form.
Colours mix by share in linear light ("over"), so a reader inverts the picture by unmixing colours.
A pixel shared by the rims of two shapes is exact for the lower one and assumes independence for the upper.
"""

import math
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int, UInt8
from numba import njit

from cavendish.errors import BadInputError
from cavendish.motion import RING_HOLE, RING_RIM, Drawing, Scenery, Shape
from cavendish.render.colour import BYTE_OF_LIGHT, LIGHT_OF_BYTE
from cavendish.render.discs import disc_share, ring_share
from cavendish.render.polygons import polygon_share

MAXIMUM_SIDE = 8192  # px
RING, POLYGON, SOLID = int(Shape.RING), int(Shape.POLYGON), int(Shape.SOLID)


class _Canvas(NamedTuple):
    """What every stroke of the brush needs; compiled code takes it apart."""

    pixel: Float[np.ndarray, " d"]  # m
    light_of_byte: Float[np.ndarray, " light"]
    byte_of_light: UInt8[np.ndarray, " byte"]


class _Bodies(NamedTuple):
    shape: Int[np.ndarray, " n"]
    centre: Float[np.ndarray, "t n d"]
    extent: Float[np.ndarray, "t n"]
    angle: Float[np.ndarray, "t n"]
    outline: Float[np.ndarray, "n v d"]
    silhouette: Float[np.ndarray, "t n v d"]
    order: Int[np.ndarray, "t n"]
    colour: UInt8[np.ndarray, "n c"]


class _Polygons(NamedTuple):
    corners: Float[np.ndarray, "t p v d"]
    colour: UInt8[np.ndarray, "p c"]


def render(drawing: Drawing, height: int, width: int) -> UInt8[np.ndarray, "*b t h w c"]:
    """Paint a drawing at any size and aspect; the frame shows the drawing's whole world.

    Row 0 of a frame is its top, y = world height. Bodies whose centre is NaN are not painted.
    """
    if not (1 <= height <= MAXIMUM_SIDE and 1 <= width <= MAXIMUM_SIDE):
        raise BadInputError(f"frame size {height} x {width} px, expected 1 to {MAXIMUM_SIDE} on either side")
    lead = drawing.centre.shape[:-2]
    frames = np.empty((math.prod(lead), height, width, 3), np.uint8)
    frames.reshape(len(frames), -1)[:] = np.tile(drawing.background, height * width)
    pixel = np.array([drawing.world.width / width, drawing.world.height / height])
    canvas = _Canvas(pixel, LIGHT_OF_BYTE, BYTE_OF_LIGHT)
    _paint(frames, canvas, _polygons(drawing.behind, lead), _bodies(drawing), _polygons(drawing.front, lead))
    return frames.reshape(*lead, height, width, 3)


def _bodies(drawing: Drawing) -> _Bodies:
    """Lay the bodies out as compiled code wants them: one axis for all frames of all clips."""
    count = len(drawing.shape)
    angle = np.zeros(drawing.extent.shape) if drawing.angle is None else drawing.angle
    outline = np.zeros((count, 0, 2)) if drawing.outline is None else drawing.outline
    if (drawing.shape == POLYGON).any() and outline.shape[1] < 3:
        raise BadInputError(f"a polygon has {outline.shape[1]} corners in the drawing's outline, expected 3 or more")
    return _Bodies(
        np.ascontiguousarray(drawing.shape),
        _flat(drawing.centre, count, 2),
        _flat(drawing.extent, count),
        _flat(angle, count),
        np.ascontiguousarray(outline, dtype=np.float64),
        np.zeros((0, 0, 0, 2))
        if drawing.silhouette is None
        else _flat(drawing.silhouette, *drawing.silhouette.shape[-3:]),
        np.zeros((0, 0), np.int64) if drawing.order is None else np.ascontiguousarray(drawing.order).reshape(-1, count),
        np.ascontiguousarray(drawing.colour),
    )


def _polygons(scenery: Scenery, lead: tuple[int, ...]) -> _Polygons:
    """Give scenery that stands still to every frame."""
    last = scenery.corners.shape[-3:]
    spread = np.broadcast_to(scenery.corners, (*lead, *last))
    corners = np.ascontiguousarray(spread, dtype=np.float64).reshape(math.prod(lead), *last)
    return _Polygons(corners, np.ascontiguousarray(scenery.colour))


def _flat(array: Float[np.ndarray, "..."], *last: int) -> Float[np.ndarray, "..."]:
    return np.ascontiguousarray(array, dtype=np.float64).reshape(-1, *last)


@njit(cache=True, nogil=True)
def _paint(
    frames: UInt8[np.ndarray, "t h w c"],
    canvas: _Canvas,
    behind: _Polygons,
    bodies: _Bodies,
    front: _Polygons,
) -> None:
    for t in range(frames.shape[0]):
        for p in range(len(behind.colour)):
            _paint_polygon(frames[t], canvas, behind.corners[t, p], behind.colour[p])
        for k in range(len(bodies.shape)):
            n = bodies.order[t, k] if len(bodies.order) > 0 else k
            centre, extent, colour = bodies.centre[t, n], bodies.extent[t, n], bodies.colour[n]
            if bodies.shape[n] == SOLID:
                _paint_polygon(frames[t], canvas, bodies.silhouette[t, n], colour)
            elif bodies.shape[n] == POLYGON:
                corners = _placed(bodies.outline[n], centre, extent, bodies.angle[t, n])
                _paint_polygon(frames[t], canvas, corners, colour)
            else:
                _paint_round(frames[t], canvas, bodies.shape[n] == RING, centre, extent, colour)
        for p in range(len(front.colour)):
            _paint_polygon(frames[t], canvas, front.corners[t, p], front.colour[p])


@njit(cache=True, nogil=True)
def _placed(
    outline: Float[np.ndarray, "v d"], centre: Float[np.ndarray, " d"], extent: float, angle: float
) -> Float[np.ndarray, "v d"]:
    """Turn, scale and move an outline."""
    corners = np.empty_like(outline)
    cosine, sine = extent * math.cos(angle), extent * math.sin(angle)
    for v in range(len(outline)):
        corners[v, 0] = centre[0] + cosine * outline[v, 0] - sine * outline[v, 1]
        corners[v, 1] = centre[1] + sine * outline[v, 0] + cosine * outline[v, 1]
    return corners


@njit(cache=True, nogil=True)
def _paint_round(
    frame: UInt8[np.ndarray, "h w c"],
    canvas: _Canvas,
    ring: bool,
    centre: Float[np.ndarray, " d"],
    extent: float,
    colour: UInt8[np.ndarray, " c"],
) -> None:
    pixel = canvas.pixel
    r = extent * RING_RIM if ring else extent
    x, y = centre[0], frame.shape[0] * pixel[1] - centre[1]  # y now points down, like the rows
    if not (math.isfinite(x) and math.isfinite(y) and r > 0.0):
        return
    left, right = _span(x - r, x + r, pixel[0], frame.shape[1])
    top, bottom = _span(y - r, y + r, pixel[1], frame.shape[0])
    if right <= left or bottom <= top:
        return
    if ring:
        share = ring_share(x, y, r, r * RING_HOLE, pixel, left, right, top, bottom)
    else:
        share = disc_share(x, y, r, pixel, left, right, top, bottom)
    _blend(frame[top:bottom, left:right], share, colour, canvas)


@njit(cache=True, nogil=True)
def _paint_polygon(
    frame: UInt8[np.ndarray, "h w c"],
    canvas: _Canvas,
    corners: Float[np.ndarray, "v d"],
    colour: UInt8[np.ndarray, " c"],
) -> None:
    inside = np.empty_like(corners)  # the same corners in pixels, y down
    for v in range(len(corners)):
        inside[v, 0] = corners[v, 0] / canvas.pixel[0]
        inside[v, 1] = frame.shape[0] - corners[v, 1] / canvas.pixel[1]
        if not (math.isfinite(inside[v, 0]) and math.isfinite(inside[v, 1])):
            return
    left, right = _span(inside[:, 0].min(), inside[:, 0].max(), 1.0, frame.shape[1])
    top, bottom = _span(inside[:, 1].min(), inside[:, 1].max(), 1.0, frame.shape[0])
    if right <= left or bottom <= top:
        return
    _blend(frame[top:bottom, left:right], polygon_share(inside, left, right, top, bottom), colour, canvas)


@njit(cache=True, nogil=True)
def _span(low: float, high: float, pixel: float, count: int) -> tuple[int, int]:
    first = max(0.0, math.floor(low / pixel))
    last = min(float(count), math.ceil(high / pixel))
    return int(min(first, float(count))), int(max(last, 0.0))


@njit(cache=True, nogil=True)
def _blend(
    patch: UInt8[np.ndarray, "h w c"],
    share: Float[np.ndarray, "h w"],
    colour: UInt8[np.ndarray, " c"],
    canvas: _Canvas,
) -> None:
    light_of_byte, byte_of_light = canvas.light_of_byte, canvas.byte_of_light
    for i in range(share.shape[0]):
        for j in range(share.shape[1]):
            s = share[i, j]
            if s >= 1.0 - 1e-9:
                for c in range(3):
                    patch[i, j, c] = colour[c]
            elif s > 1e-9:
                for c in range(3):
                    light = s * light_of_byte[colour[c]] + (1.0 - s) * light_of_byte[patch[i, j, c]]
                    patch[i, j, c] = byte_of_light[int(light * 65536 + 0.5)]
