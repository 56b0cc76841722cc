"""The depth of what every pixel's middle shows: exact, by meeting each ray with the ground, the spheres and the boxes.

The ray through a pixel is X(s) = eye + s axes^T (u / focal, v / focal, 1), so s is the depth p_3 itself:
    ground   s = -eye_y / d_y;          sphere   |X(s) - C|^2 = r^2, the smaller root;
    box      the latest entry into its three slabs, if that is before the earliest exit.
Where the ray meets nothing (the sky) the depth is infinite.
"""

import math

import numpy as np
from jaxtyping import Bool, Float
from numba import njit

from cavendish.errors import BadInputError
from cavendish.motion import Drawing


def depth_map(drawing: Drawing, height: int, width: int) -> Float[np.ndarray, "*b t h w"]:
    """Return the depth [m] along the optical axis for the middle of every pixel of a drawing in perspective."""
    stage, world = drawing.stage, drawing.world
    if stage is None:
        raise BadInputError("depth: the drawing is flat, expected a scene in perspective")
    u = ((np.arange(width) + 0.5) / width - 0.5) * world.width / stage.focal
    v = (0.5 - (np.arange(height) + 0.5) / height) * world.height / stage.focal
    lead, count = stage.eye.shape[:-1], len(stage.sphere)
    depth = np.empty((math.prod(lead), height, width))
    _trace(
        depth,
        np.ascontiguousarray(stage.eye).reshape(-1, 3),
        np.ascontiguousarray(stage.axes).reshape(-1, 3, 3),
        (u, v),
        (stage.centre.reshape(-1, count, 3), stage.half.reshape(-1, count, 3), stage.sphere),
    )
    return depth.reshape(*lead, height, width)


@njit(cache=True, nogil=True)
def _trace(
    depth: Float[np.ndarray, "t h w"],
    eye: Float[np.ndarray, "t 3"],
    axes: Float[np.ndarray, "t 3 3"],
    screen: tuple[Float[np.ndarray, " w"], Float[np.ndarray, " h"]],
    solids: tuple[Float[np.ndarray, "t n 3"], Float[np.ndarray, "t n 3"], Bool[np.ndarray, " n"]],
) -> None:
    u, v = screen
    centre, half, sphere = solids
    ray = np.empty(3)
    for t in range(len(depth)):
        for i in range(len(v)):
            for j in range(len(u)):
                for d in range(3):
                    ray[d] = u[j] * axes[t, 0, d] + v[i] * axes[t, 1, d] + axes[t, 2, d]
                nearest = -eye[t, 1] / ray[1] if ray[1] < 0.0 else math.inf
                for n in range(len(sphere)):
                    if sphere[n]:
                        met = _meet_sphere(eye[t], ray, centre[t, n], half[t, n])
                    else:
                        met = _meet_box(eye[t], ray, centre[t, n], half[t, n])
                    nearest = min(nearest, met)
                depth[t, i, j] = nearest


@njit(cache=True, nogil=True)
def _meet_sphere(
    eye: Float[np.ndarray, " 3"],
    ray: Float[np.ndarray, " 3"],
    centre: Float[np.ndarray, " 3"],
    half: Float[np.ndarray, " 3"],
) -> float:
    off = eye - centre
    a, b, c = (ray * ray).sum(), (ray * off).sum(), (off * off).sum() - half[0] ** 2
    inside = b * b - a * c
    return (-b - math.sqrt(inside)) / a if inside >= 0.0 and b < 0.0 else math.inf


@njit(cache=True, nogil=True)
def _meet_box(
    eye: Float[np.ndarray, " 3"],
    ray: Float[np.ndarray, " 3"],
    centre: Float[np.ndarray, " 3"],
    half: Float[np.ndarray, " 3"],
) -> float:
    first, last = 0.0, math.inf
    for d in range(3):
        off = centre[d] - eye[d]
        if abs(ray[d]) < 1e-12:
            if abs(off) > half[d]:
                return math.inf
            continue
        a, b = (off - half[d]) / ray[d], (off + half[d]) / ray[d]
        first, last = max(first, min(a, b)), min(last, max(a, b))
    return first if 0.0 < first <= last else math.inf
