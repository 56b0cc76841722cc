"""The depth of what every pixel's middle shows: exact, by meeting each ray with the ground, the spheres and the boxes.

The ray through a pixel is X(s) = eye + s axes^T (u / focal, v / focal, 1), so s is the depth p_3 itself:
    ground   s = -eye_y / d_y;          sphere   |X(s) - C|^2 = r^2, the smaller root;
    box      the latest entry into its three slabs, if that is before the earliest exit.
Where the ray meets nothing (the sky) the depth is infinite.
"""

import numpy as np
from jaxtyping import Float

from cavendish.errors import BadInputError
from cavendish.motion import Drawing


def depth_map(drawing: Drawing, height: int, width: int) -> Float[np.ndarray, "*b t h w"]:
    """Return the depth [m] along the optical axis for the middle of every pixel of a drawing in perspective."""
    stage, world = drawing.stage, drawing.world
    if stage is None:
        raise BadInputError("depth: the drawing is flat, expected a scene in perspective")
    u = ((np.arange(width) + 0.5) / width - 0.5) * world.width / stage.focal
    v = (0.5 - (np.arange(height) + 0.5) / height) * world.height / stage.focal
    screen = np.stack(np.broadcast_arrays(u, v[:, None], 1.0), -1)
    ray = screen @ stage.axes[..., None, :, :]
    with np.errstate(divide="ignore", invalid="ignore"):
        depth = np.where(ray[..., 1] < 0, -stage.eye[..., None, None, 1] / ray[..., 1], np.inf)
        for n, sphere in enumerate(stage.sphere):
            off = (stage.centre[..., n, :] - stage.eye)[..., None, None, :]
            meet = _sphere if sphere else _box
            depth = np.fmin(depth, meet(ray, off, stage.half[..., n, None, None, :]))
    return depth


def _sphere(
    ray: Float[np.ndarray, "*b 3"], off: Float[np.ndarray, "*#b 3"], half: Float[np.ndarray, "*#b 3"]
) -> Float[np.ndarray, "*b"]:
    a, b, c = (ray**2).sum(-1), (ray * off).sum(-1), (off**2).sum(-1) - half[..., 0] ** 2
    return np.where((b > 0) & (b**2 >= a * c), (b - np.sqrt(b**2 - a * c)) / a, np.inf)


def _box(
    ray: Float[np.ndarray, "*b 3"], off: Float[np.ndarray, "*#b 3"], half: Float[np.ndarray, "*#b 3"]
) -> Float[np.ndarray, "*b"]:
    faces = np.stack([(off - half) / ray, (off + half) / ray])
    first, last = faces.min(0).max(-1), faces.max(0).min(-1)
    return np.where((first > 0) & (first <= last), first, np.inf)
