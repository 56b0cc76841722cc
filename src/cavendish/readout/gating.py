"""Where a body is in a map of its shares, before any fit: medians of its pixels, then a gated centroid (`reader`)."""

import numpy as np
from jaxtyping import Float
from numba import njit


@njit(cache=True, nogil=True)
def coarse(share: Float[np.ndarray, "h w"]) -> tuple[float, float, float, float]:
    """Return the median column and row (px) of the pixels more than half covered, their number, and the total share.

    The total leaves out shares under a quarter, so that haze does not count as body.
    """
    height, width = share.shape
    columns, rows = np.zeros(width), np.zeros(height)
    total = 0.0
    for y in range(height):
        for x in range(width):
            s = share[y, x]
            if s > 0.25:
                total += s
                if s > 0.5:
                    columns[x] += 1.0
                    rows[y] += 1.0
    area = columns.sum()
    return _median(columns, area), _median(rows, area), area, total


@njit(cache=True, nogil=True)
def _median(counts: Float[np.ndarray, " k"], total: float) -> float:
    so_far = 0.0
    for k in range(len(counts)):
        so_far += counts[k]
        if so_far >= 0.5 * total:
            return k + 0.5
    return 0.5 * len(counts)


@njit(cache=True, nogil=True)
def centroid(
    share: Float[np.ndarray, "h w"], aspect: float, x0: float, y0: float, gate: float, total: float
) -> tuple[float, float, float]:
    """Return the centroid and mass of the shares inside a gate, less the mean share of its surroundings."""
    height, width = share.shape
    haze, outside = 0.0, 0
    m = mx = my = inside = ix = iy = 0.0
    reach = gate + 4.0  # haze is measured in a ring around the gate
    top, bottom = max(0, int((y0 - reach) / aspect)), min(height, int((y0 + reach) / aspect) + 2)
    left, right = max(0, int(x0 - reach)), min(width, int(x0 + reach) + 2)
    for i in range(top, bottom):
        y = (i + 0.5) * aspect
        for j in range(left, right):
            x = j + 0.5
            d = (x - x0) ** 2 + (y - y0) ** 2
            s = share[i, j]
            if d <= gate * gate:
                m += s
                mx += s * x
                my += s * y
                inside += 1.0
                ix += x
                iy += y
            elif s < 0.25:
                haze += s
                outside += 1
    if outside > 0:
        haze /= outside
        m -= haze * inside
        mx -= haze * ix
        my -= haze * iy
    if m <= 0.0:
        return x0, y0, 0.0
    return mx / m, my / m, m
