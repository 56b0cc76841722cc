"""Comparing a map of shares with the exact shares of a shape: fitting a disc seen in part, telling shapes apart."""

import math

import numpy as np
from jaxtyping import Float
from numba import njit

from cavendish.motion import RING_HOLE, Shape
from cavendish.render.discs import disc_share, ring_share
from cavendish.render.polygons import polygon_share

RING, POLYGON = int(Shape.RING), int(Shape.POLYGON)
RIM = 1 / math.sqrt(1 - RING_HOLE**2)  # outer radius of a ring of equal-area radius 1


@njit(cache=True, nogil=True)
def difference(
    share: Float[np.ndarray, "h w"],
    pixel: Float[np.ndarray, " d"],
    found: Float[np.ndarray, " four"],
    shape: int,
    outline: Float[np.ndarray, "v d"],
) -> float:
    """Return the sum of squared differences between the shares and those of an upright shape in the place found."""
    height, width = share.shape
    x, y, r = found[0], height * pixel[1] - found[1], found[2]
    left, right = max(0, int((x - 2 * r) / pixel[0])), min(width, int((x + 2 * r) / pixel[0]) + 2)
    top, bottom = max(0, int((y - 2 * r) / pixel[1])), min(height, int((y + 2 * r) / pixel[1]) + 2)
    if shape == POLYGON:
        corners = np.empty_like(outline)
        for v in range(len(outline)):
            corners[v, 0] = (x + r * outline[v, 0]) / pixel[0]
            corners[v, 1] = (y - r * outline[v, 1]) / pixel[1]
        drawn = polygon_share(corners, left, right, top, bottom)
    elif shape == RING:
        drawn = ring_share(x, y, RIM * r, RIM * RING_HOLE * r, pixel, left, right, top, bottom)
    else:
        drawn = disc_share(x, y, r, pixel, left, right, top, bottom)
    return float(((share[top:bottom, left:right] - drawn) ** 2).sum())


@njit(cache=True, nogil=True)
def fit_disc(
    share: Float[np.ndarray, "h w"], hidden: Float[np.ndarray, "h w"], aspect: float, x: float, y: float, r: float
) -> tuple[float, float, float]:
    """Fit centre and radius of a disc that is seen in part, by Gauss-Newton on its exact shares where it can be seen.

    The radius seen in part is a poor start, so the steps are bounded by half a pixel width per iteration
    and the fit runs longer than its quadratic end alone would need.
    """
    height, width = share.shape
    unit = np.array([1.0, aspect])
    h = 1e-3
    for _ in range(60):
        reach = r + 3.0
        left, right = max(0, int(x - reach)), min(width, int(x + reach) + 1)
        top, bottom = max(0, int((y - reach) / aspect)), min(height, int((y + reach) / aspect) + 1)
        if right - left < 1 or bottom - top < 1:
            break
        base = disc_share(x, y, r, unit, left, right, top, bottom)
        along_x = (disc_share(x + h, y, r, unit, left, right, top, bottom) - base) / h
        along_y = (disc_share(x, y + h, r, unit, left, right, top, bottom) - base) / h
        along_r = (disc_share(x, y, r + h, unit, left, right, top, bottom) - base) / h
        normal, target = np.zeros((3, 3)), np.zeros(3)
        for i in range(bottom - top):
            for j in range(right - left):
                if hidden[top + i, left + j] > 0.01:
                    continue
                slope = (along_x[i, j], along_y[i, j], along_r[i, j])
                miss = share[top + i, left + j] - base[i, j]
                for p in range(3):
                    target[p] += slope[p] * miss
                    for q in range(3):
                        normal[p, q] += slope[p] * slope[q]
        for p in range(3):
            normal[p, p] += 1e-6 + 1e-3 * normal[p, p]
        change = np.linalg.solve(normal, target)
        for p in range(3):
            change[p] = min(0.5, max(-0.5, change[p]))
        x, y, r = x + change[0], y + change[1], max(0.5, r + change[2])
        if abs(change[0]) + abs(change[1]) + abs(change[2]) < 1e-6:
            break
    return x, y, r
