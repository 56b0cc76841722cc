"""The exact share of every pixel's area that a disc or a ring covers.

A pixel is a rectangle [x_j, x_j+1] x [y_i, y_i+1] of the world. For a disc of radius r at the origin let
    A(a, b) = area of the disc where x <= a and y <= b;  the share of a pixel is the second difference
    (A(x_j+1, y_i+1) - A(x_j, y_i+1) - A(x_j+1, y_i) + A(x_j, y_i)) / (pixel area).
With P(a) = (a sqrt(r^2 - a^2) + r^2 asin(a / r)) / 2 and a, b clipped to [-r, r] (Green's theorem):
    a^2 + b^2 <= r^2 :  A = a b + P(a) + P(b) + pi r^2 / 4          (the corner lies in the disc)
    else             :  A = 0, 2 P(b) + pi r^2 / 2, 2 P(a) + pi r^2 / 2 or 2 P(a) + 2 P(b)
                        for (a, b) in the quadrants (-, -), (+, -), (-, +), (+, +).
Only P needs roots and arcs, once per row and column, and only pixels on the rim need A: of each row, the chord
at its edge nearer to the centre bounds what is touched, the chord at its farther edge what is covered whole.
A ring is the share of its outer disc less the share of its hole.
"""

import math

import numpy as np
from jaxtyping import Float
from numba import njit


@njit(cache=True, nogil=True)
def disc_share(
    x: float, y: float, r: float, pixel: Float[np.ndarray, " d"], left: int, right: int, top: int, bottom: int
) -> Float[np.ndarray, "h w"]:
    """Return the share of each pixel of a box that a disc covers; all lengths in the unit of `pixel`, y down."""
    a, p_a = _edges(x, r, pixel[0], left, right)
    b, p_b = _edges(y, r, pixel[1], top, bottom)
    share = np.zeros((bottom - top, right - left))
    for i in range(bottom - top):
        near, far = _nearest_and_farthest(b[i], b[i + 1])
        outer, inner = math.sqrt(max(r * r - near * near, 0.0)), math.sqrt(max(r * r - far * far, 0.0))
        first, last = _columns(x - outer, x + outer, pixel[0], left, right, False)
        full, empty = _columns(x - inner, x + inner, pixel[0], left, right, True)
        share[i, full:empty] = 1.0
        for j in range(first, last):
            if full <= j < empty:
                continue
            above = _corner(a[j + 1], p_a[j + 1], b[i], p_b[i], r) - _corner(a[j], p_a[j], b[i], p_b[i], r)
            below = _corner(a[j + 1], p_a[j + 1], b[i + 1], p_b[i + 1], r) - _corner(
                a[j], p_a[j], b[i + 1], p_b[i + 1], r
            )
            share[i, j] = (below - above) / (pixel[0] * pixel[1])
    return share


@njit(cache=True, nogil=True)
def _nearest_and_farthest(low: float, high: float) -> tuple[float, float]:
    """Return the smallest and the largest distance from 0 in an interval."""
    far = max(abs(low), abs(high))
    return (0.0, far) if low <= 0.0 <= high else (min(abs(low), abs(high)), far)


@njit(cache=True, nogil=True)
def _columns(low: float, high: float, pixel: float, left: int, right: int, whole: bool) -> tuple[int, int]:
    """Return the columns of a box that an interval touches, or those that it covers whole."""
    if whole:
        first, last = math.ceil(low / pixel), math.floor(high / pixel)
    else:
        first, last = math.floor(low / pixel), math.ceil(high / pixel)
    first, last = min(max(int(first), left), right), min(max(int(last), left), right)
    return first - left, max(first, last) - left


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
def ring_share(
    x: float,
    y: float,
    outer: float,
    hole: float,
    pixel: Float[np.ndarray, " d"],
    left: int,
    right: int,
    top: int,
    bottom: int,
) -> Float[np.ndarray, "h w"]:
    """Return the share of each pixel of a box that an annulus covers: an outer disc less a hole."""
    share = disc_share(x, y, outer, pixel, left, right, top, bottom)
    share -= disc_share(x, y, hole, pixel, left, right, top, bottom)
    return share
