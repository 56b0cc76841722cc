"""A box walks, falls and jumps over columns, from event to event, compiled: no time steps, so no step error.

The box [x - a, x + a] x [y - a, y + a] moves with a constant speed u along and y'' = -g in the air. Between events
x = x_0 + u t, y = y_0 + v t - g t^2 / 2. Events: its front or back edge meets the border of a column; it lands, after
    t = (v + sqrt(v^2 + 2 g c)) / g   with the clearance c above the highest column under it;
its lower edge, rising along a wall that stopped it, passes that wall's top (the same with c < 0, smaller root).
A wall stops the walk, a landing stops the fall; the world's sides are walls without a top.
"""

import math

import numpy as np
from jaxtyping import Float, Int
from numba import njit

SLACK = 1e-9  # m; touching is not overlapping


@njit(cache=True, nogil=True)
def walk(
    state: Float[np.ndarray, " four"],
    heights: Float[np.ndarray, " columns"],
    nature: Float[np.ndarray, " four"],
    waits: Float[np.ndarray, " t"],
    steps: Int[np.ndarray, "t two"],
) -> Float[np.ndarray, "t five"]:
    """Return x, y, v_x, v_y and the height under the box at every instant; `steps` is (direction, jump) from each on.

    The state is x, y, v_y and the half side a; nature is the walking speed, jump speed, g and the width of a column.
    """
    x, y, v, a = state
    speed, leap, g, width = nature
    states = np.empty((len(waits), 5))
    reached = 0.0
    for k in range(len(waits)):
        floor = _support(x, a, heights, width)
        states[k] = x, y, reached, v, floor
        if steps[k, 1] and v <= 0.0 and y - a <= floor + SLACK:
            v = leap
        left, way = waits[k], float(steps[k, 0])
        u = way * speed
        while left > 0.0:
            floor, ahead = _support(x, a, heights, width), _ahead(x, a, way, heights, width)
            u = 0.0 if ahead > y - a + SLACK else way * speed
            if u != 0.0:
                floor = max(floor, ahead)
            grounded = v <= 0.0 and y - a <= floor + SLACK
            if grounded:
                y, v = floor + a, 0.0
            wait = min(left, _border(x, a, way, width) / speed) if u != 0.0 else left
            if not grounded:
                wait = min(wait, (v + math.sqrt(v * v + 2 * g * max(0.0, y - a - floor))) / g)
                short = v * v - 2 * g * (ahead - y + a)
                if way != 0.0 and u == 0.0 and v > 0.0 and short >= 0.0:
                    wait = min(wait, (v - math.sqrt(short)) / g)
            x += u * wait
            if not grounded:
                y += v * wait - 0.5 * g * wait * wait
                v -= g * wait
            left -= wait
        reached = u
        floor = _support(x, a, heights, width)
        if v <= 0.0 and y - a <= floor + SLACK:  # landed at this very instant
            y, v = floor + a, 0.0
    return states


@njit(cache=True, nogil=True)
def _support(x: float, a: float, heights: Float[np.ndarray, " columns"], width: float) -> float:
    """Return the height of the highest column under the box."""
    first = max(0, math.floor((x - a + SLACK) / width))
    last = min(len(heights), math.ceil((x + a - SLACK) / width))
    return float(heights[first:last].max())


@njit(cache=True, nogil=True)
def _ahead(x: float, a: float, way: float, heights: Float[np.ndarray, " columns"], width: float) -> float:
    """Return the height of the column that the front edge touches but has not entered; minus infinity if none."""
    edge = (x + way * a) / width
    border = round(edge)
    if way == 0.0 or abs(edge - border) * width > SLACK:
        return -math.inf
    column = border if way > 0 else border - 1
    return float(heights[column]) if 0 <= column < len(heights) else math.inf


@njit(cache=True, nogil=True)
def _border(x: float, a: float, way: float, width: float) -> float:
    """Return the distance to go until the front or the back edge meets the next border."""
    nearest = math.inf
    for edge in (way * x + a, way * x - a):
        nearest = min(nearest, (math.floor((edge + SLACK) / width) + 1) * width - edge)
    return nearest
