"""Bodies that fly freely along x and change speed at one instant t*, compiled: the inner loop of head-on collisions.

x = x_0 + u min(t, t*) + w max(t - t*, 0),   speed u before t* and w from t* on,   y and its speed as at the start.
"""

import numpy as np
from jaxtyping import Float
from numba import njit


@njit(cache=True, nogil=True)
def fly_and_part(
    time: Float[np.ndarray, " t"],
    start: Float[np.ndarray, "b n d"],
    before: Float[np.ndarray, "b n"],
    after: Float[np.ndarray, "b n"],
    impact: Float[np.ndarray, " b"],
) -> tuple[Float[np.ndarray, "b t n d"], Float[np.ndarray, "b t n d"]]:
    """Return positions and velocities."""
    clips, bodies = before.shape
    position, velocity = np.empty((clips, len(time), bodies, 2)), np.empty((clips, len(time), bodies, 2))
    for b in range(clips):
        for t in range(len(time)):
            early, late = min(time[t], impact[b]), max(time[t] - impact[b], 0.0)
            flown = time[t] >= impact[b]
            for n in range(bodies):
                position[b, t, n, 0] = start[b, n, 0] + before[b, n] * early + after[b, n] * late
                position[b, t, n, 1] = start[b, n, 1]
                velocity[b, t, n, 0] = after[b, n] if flown else before[b, n]
                velocity[b, t, n, 1] = 0.0
    return position, velocity
