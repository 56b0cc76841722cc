"""Is an imagined world one world? Reprojection error of landmarks that stand still while the camera moves.

For each landmark the point X in space that fits all its readings u_t best is found (Gauss-Newton on
sum_t |P_t(X) - u_t|^2 from the true place, P_t the true camera of frame t); what is left over,
    error = rms_t |P_t(X) - u_t| / focal   [rad],
is zero for any rigid set of landmarks, also a shifted one, and grows where they drift, swim or jump.
(Hartley & Zisserman 2004, chapter 12.) Only landmarks read in five frames or more count.
"""

import numpy as np
from jaxtyping import Bool, Float

from cavendish.errors import BadInputError
from cavendish.measure.score import Score, score
from cavendish.motion import Stage, Trajectory
from cavendish.scenes import Scene
from cavendish.scenes.perspective import area_and_centroid, landmarks, project

STEPS, ENOUGH = 8, 5


def reprojection_error(scene: Scene, truth: Trajectory, seen: Float[np.ndarray, "b t k d"]) -> Score:
    """Return how far readings of the landmarks are from any one place in space, as an angle."""
    drawing = scene.draw(truth)
    stage = drawing.stage
    if stage is None:
        raise BadInputError(f"{scene.name()}: has no camera, expected a scene in perspective")
    still = np.broadcast_to(stage.marks, (*stage.eye.shape[:-1], *stage.marks.shape))
    offset = project(stage, scene.world, still)[0] - area_and_centroid(landmarks(drawing))[1]
    centres = seen + offset
    counted = np.isfinite(centres).all(-1)
    place = _triangulate(stage, scene, centres, counted)
    miss = np.where(counted[..., None], project(stage, scene.world, place)[0] - centres, 0.0)
    enough = counted.sum(1) >= ENOUGH
    total = np.where(enough, (miss**2).sum((1, 3)), 0.0).sum(1)
    number = np.where(enough, counted.sum(1), 0).sum(1)
    with np.errstate(invalid="ignore", divide="ignore"):
        return score("reprojection error", "rad", np.sqrt(total / number) / stage.focal)


def _triangulate(
    stage: Stage, scene: Scene, centres: Float[np.ndarray, "b t k d"], counted: Bool[np.ndarray, "b t k"]
) -> Float[np.ndarray, "b t k 3"]:
    """Return the place in space that fits each landmark best, repeated for every frame."""
    place = np.broadcast_to(stage.marks, (*centres.shape[:-1], 3)).copy()
    for _ in range(STEPS):
        here, depth = project(stage, scene.world, place)
        flat = (here - np.array([scene.world.width, scene.world.height]) / 2) / stage.focal
        axes = stage.axes[:, :, None]
        slope = stage.focal * (axes[..., :2, :] - flat[..., None] * axes[..., 2:, :]) / depth[..., None, None]
        slope = np.where(counted[..., None, None], slope, 0.0)
        miss = np.where(counted[..., None], centres - here, 0.0)
        normal = np.einsum("btkdi,btkdj->bkij", slope, slope) + 1e-12 * np.eye(3)
        step = np.linalg.solve(normal, np.einsum("btkdi,btkd->bki", slope, miss)[..., None])[..., 0]
        place = place + step[:, None]
    return place
