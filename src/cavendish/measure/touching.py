"""How deep bodies are in one another, or how far apart, from outlines alone; compiled.

A body is covered by points p with a radius each: a disc by its centre with radius r, a polygon by points on its
outline and inside it with radius 0. With the signed distance d_B of a point from the outline of B, negative inside,
    depth(A, B) = max over p in A of (r_p - d_B(p)),   taken both ways,
is positive where they overlap and minus the gap (to the spacing of the points) where they do not.
"""

import math

import numpy as np
from jaxtyping import Float, Int
from numba import njit

FAR = 3.0  # m; bodies farther apart than this are not compared


@njit(cache=True, nogil=True)
def depths(
    place: Float[np.ndarray, "t n four"],
    outline: Float[np.ndarray, "n v d"],
    points: Float[np.ndarray, "n m d"],
    corners: Int[np.ndarray, " n"],
    box: Float[np.ndarray, " four"],
) -> Float[np.ndarray, "t n n_plus_one"]:
    """Return how deep each body is in every other one, and last in the walls of a box (left, bottom, right, top).

    A place is x, y, extent and angle; NaN = not there. A body with no corners is a disc.
    """
    t, n, _ = place.shape
    found = np.full((t, n, n + 1), -FAR)
    reach = np.ones(n)
    for i in range(n):
        if corners[i] > 0:
            reach[i] = np.sqrt((outline[i] ** 2).sum(-1)).max()
    for k in range(t):
        for i in range(n):
            if math.isnan(place[k, i, 0] + place[k, i, 2]):
                continue
            found[k, i, n] = _in_walls(place[k, i], points[i], corners[i], box)
            for j in range(n):
                if j == i or math.isnan(place[k, j, 0] + place[k, j, 2]):
                    continue
                apart = math.hypot(place[k, i, 0] - place[k, j, 0], place[k, i, 1] - place[k, j, 1])
                if apart < reach[i] * place[k, i, 2] + reach[j] * place[k, j, 2] + FAR:
                    depth = _depth(place[k, i], points[i], corners[i], place[k, j], outline[j, : corners[j]])
                    found[k, i, j] = max(found[k, i, j], depth)
                    found[k, j, i] = max(found[k, j, i], depth)
    return found


@njit(cache=True, nogil=True)
def _depth(
    place: Float[np.ndarray, " four"],
    points: Float[np.ndarray, "m d"],
    corners: int,
    other: Float[np.ndarray, " four"],
    outline: Float[np.ndarray, "v d"],
) -> float:
    """Return how deep the points of one body are in another; in the other's own frame, at extent 1."""
    radius = place[2] if corners == 0 else 0.0
    cosine, sine = place[2] * math.cos(place[3]), place[2] * math.sin(place[3])
    back_cosine, back_sine = math.cos(other[3]) / other[2], math.sin(other[3]) / other[2]
    deepest = -FAR
    for p in range(1 if corners == 0 else len(points)):
        x = place[0] + cosine * points[p, 0] - sine * points[p, 1] - other[0]
        y = place[1] + sine * points[p, 0] + cosine * points[p, 1] - other[1]
        if len(outline) == 0:
            distance = math.hypot(x, y) - other[2]
        else:
            distance = other[2] * _signed(back_cosine * x + back_sine * y, back_cosine * y - back_sine * x, outline)
        deepest = max(deepest, radius - distance)
    return deepest


@njit(cache=True, nogil=True)
def _signed(x: float, y: float, outline: Float[np.ndarray, "v d"]) -> float:
    """Return the distance of a point from an outline, negative inside (even-odd rule)."""
    least, inside = np.inf, False
    last = len(outline) - 1
    for v in range(len(outline)):
        ax, ay, bx, by = outline[last, 0], outline[last, 1], outline[v, 0], outline[v, 1]
        last = v
        dx, dy = bx - ax, by - ay
        length = dx * dx + dy * dy
        if length == 0.0:
            continue
        s = min(1.0, max(0.0, ((x - ax) * dx + (y - ay) * dy) / length))
        least = min(least, (x - ax - s * dx) ** 2 + (y - ay - s * dy) ** 2)
        if (ay > y) != (by > y) and x < ax + (y - ay) * dx / dy:
            inside = not inside
    return -math.sqrt(least) if inside else math.sqrt(least)


@njit(cache=True, nogil=True)
def _in_walls(
    place: Float[np.ndarray, " four"], points: Float[np.ndarray, "m d"], corners: int, box: Float[np.ndarray, " four"]
) -> float:
    """Return how deep a body is in the walls."""
    radius = place[2] if corners == 0 else 0.0
    cosine, sine = place[2] * math.cos(place[3]), place[2] * math.sin(place[3])
    deepest = -FAR
    for p in range(1 if corners == 0 else len(points)):
        x = place[0] + cosine * points[p, 0] - sine * points[p, 1]
        y = place[1] + sine * points[p, 0] + cosine * points[p, 1]
        room = min(x - box[0], box[2] - x, y - box[1], box[3] - y)
        deepest = max(deepest, radius - room)
    return deepest
