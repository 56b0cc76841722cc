"""Drawing list -> frames: every pixel shows the exact share of its area that a shape covers.

A pixel is a rectangle [x_j, x_j+1] x [y_i, y_i+1] of the world. For a disc of radius r at the origin let
    A(a, b) = area of the disc where x <= a and y <= b;  the share of a pixel is the second difference
    (A(x_j+1, y_i+1) - A(x_j, y_i+1) - A(x_j+1, y_i) + A(x_j, y_i)) / (pixel area).
With P(a) = (a sqrt(r^2 - a^2) + r^2 asin(a / r)) / 2 and a, b clipped to [-r, r] (Green's theorem):
    a^2 + b^2 <= r^2 :  A = a b + P(a) + P(b) + pi r^2 / 4          (the corner lies in the disc)
    else             :  A = 0, 2 P(b) + pi r^2 / 2, 2 P(a) + pi r^2 / 2 or 2 P(a) + 2 P(b)
                        for (a, b) in the quadrants (-, -), (+, -), (-, +), (+, +).
Only P needs roots and arcs, once per row and column, so a disc costs four additions per pixel of its box.
Colours mix by share in linear light ("over"), so a reader inverts the picture by unmixing colours.
A pixel shared by the rims of two discs is exact for the lower one and assumes independence for the upper.
"""

import math

import numpy as np
from jaxtyping import Float, Int, UInt8
from numba import njit

from cavendish.errors import BadInputError
from cavendish.motion import Drawing
from cavendish.render.colour import BYTE_OF_LIGHT, LIGHT_OF_BYTE

MAXIMUM_SIDE = 8192  # px


def render(drawing: Drawing, height: int, width: int) -> UInt8[np.ndarray, "*b t h w c"]:
    """Paint a drawing at any size and aspect; the frame shows the drawing's whole world.

    Row 0 of a frame is its top, y = world height. Bodies whose centre is NaN are not painted.
    """
    if not (1 <= height <= MAXIMUM_SIDE and 1 <= width <= MAXIMUM_SIDE):
        raise BadInputError(f"frame size {height} x {width} px, expected 1 to {MAXIMUM_SIDE} on either side")
    *lead, bodies, _ = drawing.centre.shape
    centre = np.ascontiguousarray(drawing.centre, dtype=np.float64).reshape(-1, bodies, 2)
    extent = np.ascontiguousarray(drawing.extent, dtype=np.float64).reshape(-1, bodies)
    frames = np.empty((len(centre), height, width, 3), np.uint8)
    blank = np.tile(drawing.background, height * width)
    pixel = np.array([drawing.world.width / width, drawing.world.height / height])
    _paint(frames, blank, centre, extent, drawing.colour, pixel, LIGHT_OF_BYTE, BYTE_OF_LIGHT)
    return frames.reshape(*lead, height, width, 3)


@njit(cache=True, nogil=True)
def _paint(
    frames: UInt8[np.ndarray, "t h w c"],
    blank: UInt8[np.ndarray, " hwc"],
    centre: Float[np.ndarray, "t n d"],
    extent: Float[np.ndarray, "t n"],
    colour: UInt8[np.ndarray, "n c"],
    pixel: Float[np.ndarray, " d"],
    light_of_byte: Float[np.ndarray, " light"],
    byte_of_light: UInt8[np.ndarray, " byte"],
) -> None:
    height, width = frames.shape[1], frames.shape[2]
    for t in range(frames.shape[0]):
        frames[t].reshape(-1)[:] = blank
        for n in range(centre.shape[1]):
            r = extent[t, n]
            x, y = centre[t, n, 0], height * pixel[1] - centre[t, n, 1]  # y now points down, like the rows
            if not (math.isfinite(x) and math.isfinite(y) and r > 0.0):
                continue
            left, right = _span(x, r, pixel[0], width)
            top, bottom = _span(y, r, pixel[1], height)
            if right <= left or bottom <= top:
                continue
            share = disc_share(x, y, r, pixel, left, right, top, bottom)
            _blend(frames[t, top:bottom, left:right], share, colour[n], light_of_byte, byte_of_light)


@njit(cache=True, nogil=True)
def _span(middle: float, r: float, pixel: float, count: int) -> tuple[int, int]:
    first = max(0.0, math.floor((middle - r) / pixel))
    last = min(float(count), math.ceil((middle + r) / pixel))
    return int(min(first, float(count))), int(max(last, 0.0))


@njit(cache=True, nogil=True)
def disc_share(
    x: float, y: float, r: float, pixel: Float[np.ndarray, " d"], left: int, right: int, top: int, bottom: int
) -> Float[np.ndarray, "h w"]:
    """Return the share of each pixel of a box that a disc covers; all lengths in the unit of `pixel`, y down."""
    a, p_a = _edges(x, r, pixel[0], left, right)
    b, p_b = _edges(y, r, pixel[1], top, bottom)
    share = np.empty((bottom - top, right - left))
    above = np.empty(right - left + 1)
    for j in range(right - left + 1):
        above[j] = _corner(a[j], p_a[j], b[0], p_b[0], r)
    for i in range(bottom - top):
        before = _corner(a[0], p_a[0], b[i + 1], p_b[i + 1], r)
        for j in range(right - left):
            here = _corner(a[j + 1], p_a[j + 1], b[i + 1], p_b[i + 1], r)
            share[i, j] = (here - before - above[j + 1] + above[j]) / (pixel[0] * pixel[1])
            above[j] = before
            before = here
        above[right - left] = before
    return share


@njit(cache=True, nogil=True)
def _edges(
    middle: float, r: float, pixel: float, first: int, last: int
) -> tuple[Float[np.ndarray, " edge"], Float[np.ndarray, " edge"]]:
    edge = np.empty(last - first + 1)
    area = np.empty(last - first + 1)
    for k in range(last - first + 1):
        a = min(r, max(-r, (first + k) * pixel - middle))
        edge[k] = a
        area[k] = 0.5 * (a * math.sqrt(r * r - a * a) + r * r * math.asin(a / r))
    return edge, area


@njit(cache=True, nogil=True)
def _corner(a: float, p_a: float, b: float, p_b: float, r: float) -> float:
    if a * a + b * b <= r * r:
        return a * b + p_a + p_b + 0.25 * math.pi * r * r
    if a <= 0.0:
        return 0.0 if b <= 0.0 else 2 * p_a + 0.5 * math.pi * r * r
    return 2 * p_b + 0.5 * math.pi * r * r if b <= 0.0 else 2 * (p_a + p_b)


@njit(cache=True, nogil=True)
def _blend(
    patch: UInt8[np.ndarray, "h w c"],
    share: Float[np.ndarray, "h w"],
    colour: Int[np.ndarray, " c"],
    light_of_byte: Float[np.ndarray, " light"],
    byte_of_light: UInt8[np.ndarray, " byte"],
) -> None:
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
