"""Comparing a map of shares with the exact shares of a shape: fitting it, seen in part or turned; telling shapes apart.

A place is (x, y, r, theta) in pixel widths and radians, y down, theta counter-clockwise on the screen.
"""

import math

import numpy as np
from jaxtyping import Float
from numba import njit

from cavendish.motion import RING_HOLE, RING_RIM, Shape
from cavendish.render.discs import disc_share, ring_share
from cavendish.render.polygons import polygon_share

RING, POLYGON = int(Shape.RING), int(Shape.POLYGON)
TURNS = 48  # angles tried before the fit, in one turn of a shape onto itself
PICTURES_SPENT = 12  # pixels compared in one fit, in pictures: what spreads over half of one is no body
LEAST_STIFFNESS = 0.1  # in a fit: what the pixels tell nothing about stays where it is
BLUR = 0.25  # pixel widths that a polygon's edges move to either side to learn how its shares change


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
        drawn = ring_share(x, y, RING_RIM * r, RING_RIM * RING_HOLE * r, pixel, left, right, top, bottom)
    else:
        drawn = disc_share(x, y, r, pixel, left, right, top, bottom)
    return float(((share[top:bottom, left:right] - drawn) ** 2).sum())


@njit(cache=True, nogil=True)
def drawn(
    place: Float[np.ndarray, " four"],
    aspect: float,
    shape: int,
    outline: Float[np.ndarray, "v d"],
    box: tuple[int, int, int, int],
) -> Float[np.ndarray, "h w"]:
    """Return the shares of a disc or a turned polygon in the pixels of a box (left, right, top, bottom)."""
    x, y, r = place[0], place[1], place[2]
    if shape != POLYGON:
        return disc_share(x, y, r, np.array([1.0, aspect]), box[0], box[1], box[2], box[3])
    cosine, sine = r * math.cos(place[3]), r * math.sin(place[3])
    corners = np.empty_like(outline)
    for v in range(len(outline)):
        corners[v, 0] = x + cosine * outline[v, 0] - sine * outline[v, 1]
        corners[v, 1] = (y - sine * outline[v, 0] - cosine * outline[v, 1]) / aspect
    return polygon_share(corners, box[0], box[1], box[2], box[3])


@njit(cache=True, nogil=True)
def box_around(x: float, y: float, reach: float, aspect: float, height: int, width: int) -> tuple[int, int, int, int]:
    """Return the columns and rows within reach of a point (left, right, top, bottom)."""
    left, top = min(width, max(0, int(x - reach))), min(height, max(0, int((y - reach) / aspect)))
    right, bottom = min(width, int(x + reach) + 1), min(height, int((y + reach) / aspect) + 2)
    return left, max(left, right), top, max(top, bottom)


@njit(cache=True, nogil=True)
def _box_of(
    place: Float[np.ndarray, " four"],
    aspect: float,
    outline: Float[np.ndarray, "v d"],
    height: int,
    width: int,
) -> tuple[int, int, int, int]:
    """Return the columns and rows that a turned polygon can touch."""
    cosine, sine = place[2] * math.cos(place[3]), place[2] * math.sin(place[3])
    x, y = cosine * outline[:, 0] - sine * outline[:, 1], -sine * outline[:, 0] - cosine * outline[:, 1]
    left, right = min(width, max(0, int(place[0] + x.min() - 2))), min(width, int(place[0] + x.max() + 2) + 1)
    top, bottom = (
        min(height, max(0, int((place[1] + y.min() - 2) / aspect))),
        int((place[1] + y.max() + 2) / aspect) + 1,
    )
    return left, max(left, right), top, max(top, min(height, bottom))


@njit(cache=True, nogil=True)
def fit(
    share: Float[np.ndarray, "h w"],
    hidden: Float[np.ndarray, "h w"],
    aspect: float,
    start: Float[np.ndarray, " four"],
    shape: int,
    outline: Float[np.ndarray, "v d"],
    reach: float,
    blur: float,
) -> Float[np.ndarray, " four"]:
    """Fit the place of a shape, by Gauss-Newton on its exact shares where it can be seen.

    The radius seen in part is a poor start, so the steps are bounded by half a pixel width per iteration
    and the fit runs longer than its quadratic end alone would need. A disc has no angle to fit. A straight edge along
    a row of pixels changes only the row on its one side, so slopes of polygons can be taken over a blur (a part of a
    pixel) both ways: else a bar's end would rest on the border of two rows, where it learns of one only.
    """
    height, width = share.shape
    free, blurred = 4 if shape == POLYGON else 3, shape == POLYGON and blur > 0.0
    place = start.copy()
    place[2] = max(0.5, place[2])
    spent = 0
    for _ in range(60):
        near = box_around(place[0], place[1], reach * place[2] + 3.0, aspect, height, width)
        box = _box_of(place, aspect, outline, height, width) if blurred else near
        spent += (box[1] - box[0]) * (box[3] - box[2])
        if box[1] - box[0] < 1 or box[3] - box[2] < 1 or spent > PICTURES_SPENT * height * width:
            break
        base = drawn(place, aspect, shape, outline, box)
        slopes = np.empty((free, *base.shape))
        for p in range(free):
            fine, coarse = 1e-3 if p < 3 else 1e-3 / place[2], blur if p < 2 else blur / reach
            h = coarse / (place[2] if p == 3 else 1.0) if blurred else fine
            moved, back = place.copy(), place.copy()
            moved[p], back[p] = place[p] + h, place[p] - h
            behind = drawn(back, aspect, shape, outline, box) if blurred else base
            slopes[p] = (drawn(moved, aspect, shape, outline, box) - behind) / (2 * h if blurred else h)
        normal, target = np.zeros((free, free)), np.zeros(free)
        for i in range(base.shape[0]):
            for j in range(base.shape[1]):
                if hidden[box[2] + i, box[0] + j] > 0.01 or not slopes[:, i, j].any():
                    continue
                miss = share[box[2] + i, box[0] + j] - base[i, j]
                for p in range(free):
                    target[p] += slopes[p, i, j] * miss
                    for q in range(free):
                        normal[p, q] += slopes[p, i, j] * slopes[q, i, j]
        for p in range(free):
            normal[p, p] += LEAST_STIFFNESS
        change = np.linalg.solve(normal, target)
        size, turn = 0.0, 0.5 / place[2]
        for p in range(free):
            bound = 0.5 if p < 3 else turn
            change[p] = min(bound, max(-bound, change[p]))
            place[p] += change[p]
            size += abs(change[p])
        place[2] = max(0.5, place[2])
        if size < (1e-4 if blurred else 1e-6):
            break
    return place


@njit(cache=True, nogil=True)
def best_turn(
    share: Float[np.ndarray, "h w"],
    hidden: Float[np.ndarray, "h w"],
    aspect: float,
    place: Float[np.ndarray, " four"],
    inside: Float[np.ndarray, "m d"],
    period: float,
) -> float:
    """Return the angle at which points inside the outline meet the largest mean share; what is hidden counts by half.

    Else a bar would be laid across its neighbours, where nearly all of it is hidden and the rest fits by chance.
    """
    height, width = share.shape
    best, most = 0.0, -1.0
    for turn in range(TURNS):
        angle = period * turn / TURNS
        cosine, sine = place[2] * math.cos(angle), place[2] * math.sin(angle)
        total, count = 0.0, 1e-9
        for m in range(len(inside)):
            j = int(place[0] + cosine * inside[m, 0] - sine * inside[m, 1])
            i = int((place[1] - sine * inside[m, 0] - cosine * inside[m, 1]) / aspect)
            if 0 <= i < height and 0 <= j < width:
                seen = hidden[i, j] < 0.25
                total += share[i, j] if seen else 0.0
                count += 1.0 if seen else 0.5
        if total / count > most:
            best, most = angle, total / count
    return best
