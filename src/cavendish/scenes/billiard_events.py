"""Balls in a box, from impact to impact, compiled: no time steps, so no step error.

Two balls that approach each other (d . w < 0, with offset d and relative velocity w) meet after
    t = (d^2 - R^2) / (-d . w + sqrt((d . w)^2 - w^2 (d^2 - R^2))),   R = r1 + r2,
the smaller root in the form that does not cancel. A frictionless elastic impact changes momenta along d only,
    v1 += 2 m2 / (m1 + m2) (w . d / d^2) d,   v2 -= 2 m1 / (m1 + m2) (w . d / d^2) d,
which keeps energy and momentum to rounding; a wall reverses one component. Between impacts balls fly straight,
and states at asked instants are read off without touching the game, so they do not depend on the instants asked.
"""

import math

import numpy as np
from jaxtyping import Float
from numba import njit

WALL_X, WALL_Y = -1, -2  # in place of the second ball of a pair


@njit(cache=True, nogil=True)
def play(
    position: Float[np.ndarray, "n d"],
    velocity: Float[np.ndarray, "n d"],
    radius: Float[np.ndarray, " n"],
    mass: Float[np.ndarray, " n"],
    box: Float[np.ndarray, " d"],
    time: Float[np.ndarray, " t"],
) -> tuple[Float[np.ndarray, "t n d"], Float[np.ndarray, "t n d"], int]:
    """Return positions and velocities at the asked instants (from 0 on), and the number of impacts until the last."""
    place, speed = position.copy(), velocity.copy()
    places, speeds = np.empty((len(time), *place.shape)), np.empty((len(time), *place.shape))
    now, impacts, k = 0.0, 0, 0
    while True:
        wait, first, second = _next_impact(place, speed, radius, box)
        while k < len(time) and time[k] < now + wait:
            places[k] = place + speed * (time[k] - now)
            speeds[k] = speed
            k += 1
        if k == len(time):
            return places, speeds, impacts
        place += speed * wait
        now += wait
        impacts += 1
        if second == WALL_X:
            speed[first, 0] = -speed[first, 0]
        elif second == WALL_Y:
            speed[first, 1] = -speed[first, 1]
        else:
            _collide(place, speed, mass, first, second)


@njit(cache=True, nogil=True)
def _next_impact(
    place: Float[np.ndarray, "n d"],
    speed: Float[np.ndarray, "n d"],
    radius: Float[np.ndarray, " n"],
    box: Float[np.ndarray, " d"],
) -> tuple[float, int, int]:
    """Return the time to the next impact, the ball, and the other ball or the wall."""
    soonest, first, second = math.inf, 0, WALL_X
    for i in range(len(place)):
        for axis in range(2):
            v = speed[i, axis]
            if v != 0.0:
                end = box[axis] - radius[i] if v > 0.0 else radius[i]
                wait = max(0.0, (end - place[i, axis]) / v)
                if wait < soonest:
                    soonest, first, second = wait, i, WALL_X - axis
        for j in range(i + 1, len(place)):
            dx, dy = place[j, 0] - place[i, 0], place[j, 1] - place[i, 1]
            wx, wy = speed[j, 0] - speed[i, 0], speed[j, 1] - speed[i, 1]
            closing = -(dx * wx + dy * wy)
            if closing <= 0.0:
                continue
            apart = dx * dx + dy * dy - (radius[i] + radius[j]) ** 2
            square = closing * closing - (wx * wx + wy * wy) * apart
            if square > 0.0:
                wait = max(0.0, apart / (closing + math.sqrt(square)))
                if wait < soonest:
                    soonest, first, second = wait, i, j
    return soonest, first, second


@njit(cache=True, nogil=True)
def _collide(
    place: Float[np.ndarray, "n d"], speed: Float[np.ndarray, "n d"], mass: Float[np.ndarray, " n"], i: int, j: int
) -> None:
    dx, dy = place[j, 0] - place[i, 0], place[j, 1] - place[i, 1]
    wx, wy = speed[j, 0] - speed[i, 0], speed[j, 1] - speed[i, 1]
    push = 2.0 * (wx * dx + wy * dy) / ((dx * dx + dy * dy) * (mass[i] + mass[j]))
    speed[i, 0] += push * mass[j] * dx
    speed[i, 1] += push * mass[j] * dy
    speed[j, 0] -= push * mass[i] * dx
    speed[j, 1] -= push * mass[i] * dy
