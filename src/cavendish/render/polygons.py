"""The exact share of every pixel's area that a polygon covers, by signed accumulation along its edges.

With pixels as unit squares, an edge that passes through row i from (x_a, y_a) to (x_b, y_b) covers, to its right,
    dy (j + 1 - x_m)  of the column j that it crosses   and   dy  of every column further right,
where dy = y_b - y_a is signed and x_m is the edge's mean abscissa within that column. Summing over the edges and
then along the row gives the signed area of the polygon in every pixel (Green's theorem), with no approximation.
It holds for any polygon that does not cross itself, in either direction of travel.
"""

import math

import numpy as np
from jaxtyping import Float
from numba import njit


@njit(cache=True, nogil=True)
def polygon_share(
    corners: Float[np.ndarray, "v d"], left: int, right: int, top: int, bottom: int
) -> Float[np.ndarray, "h w"]:
    """Return the share of each pixel of a box that a polygon covers; corners in pixels, y down."""
    share = np.zeros((bottom - top, right - left))
    last = corners[len(corners) - 1]
    turn = 0.0
    for corner in corners:
        turn += last[0] * corner[1] - corner[0] * last[1]
        _edge(share, last[0] - left, last[1] - top, corner[0] - left, corner[1] - top)
        last = corner
    side = -1.0 if turn > 0.0 else 1.0
    for i in range(share.shape[0]):
        covered = 0.0
        for j in range(share.shape[1]):
            covered += share[i, j]
            share[i, j] = side * covered
    return share


@njit(cache=True, nogil=True)
def _edge(share: Float[np.ndarray, "h w"], x0: float, y0: float, x1: float, y1: float) -> None:
    """Add one edge's part to every row that it passes through."""
    sign = 1.0
    if y0 > y1:
        x0, y0, x1, y1, sign = x1, y1, x0, y0, -1.0
    low, high = max(y0, 0.0), min(y1, float(share.shape[0]))
    if low >= high:
        return
    slope = (x1 - x0) / (y1 - y0)
    for i in range(int(low), math.ceil(high)):
        a, b = max(low, float(i)), min(high, i + 1.0)
        if b > a:
            x_a, x_b = x0 + (a - y0) * slope, x0 + (b - y0) * slope
            _stretch(share[i], min(x_a, x_b), max(x_a, x_b), sign * (b - a))


@njit(cache=True, nogil=True)
def _stretch(row: Float[np.ndarray, " w"], x_a: float, x_b: float, dy: float) -> None:
    """Add a stretch of an edge within one row, from x_a to x_b >= x_a, of signed height dy."""
    width = len(row)
    if x_a >= width:
        return
    if x_b <= 0.0:
        row[0] += dy
        return
    if x_b - x_a < 1e-12:  # upright: one column, and no division by the width of the stretch
        _column(row, int(x_a), max(x_a, 0.0), dy)
        return
    steepness = dy / (x_b - x_a)
    if x_a < 0.0:
        row[0] -= x_a * steepness
        x_a = 0.0
    end = min(x_b, float(width))
    for j in range(int(x_a), math.ceil(end)):
        a, b = max(x_a, float(j)), min(end, j + 1.0)
        _column(row, j, 0.5 * (a + b), steepness * (b - a))


@njit(cache=True, nogil=True)
def _column(row: Float[np.ndarray, " w"], j: int, middle: float, dy: float) -> None:
    row[j] += dy * (j + 1 - middle)
    if j + 1 < len(row):
        row[j + 1] += dy * (middle - j)
