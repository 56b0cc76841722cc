"""Before any law: is there a body at all, one of it, of one size, that moves? `appearance` asks the camera to rest.

A body is judged if it is found and wholly in view for SHORTEST imagined frames, or should be. It is turned away if it
    vanishes    it is lost where its last two places, carried on, are well in view
    is still    its imagined places span less than STILL: a frozen ball breaks no law of motion and obeys none;
                one that rests in the given frames already is judged if something else in its clip moves
    is doubled  less than SINGLE of its colour lies in it (the reader's confidence)
    swells      its radius at the end differs from that at the start by more than SWELLS.
"""

import numpy as np
from jaxtyping import Bool, Float, Shaped

from cavendish.measure.score import Score, score
from cavendish.measure.tracks import SHORTEST, typical
from cavendish.motion import Metres, Trajectory
from cavendish.scenes import Scene
from cavendish.scenes.looks import in_view

STILL: Metres = 0.05
SINGLE = 0.6
SWELLS = 0.25
WELL_IN: Metres = 0.1
SLIVER = 0.5


def admitted(scene: Scene, moving: Trajectory) -> tuple[Bool[np.ndarray, "b n"], float]:
    """Return which bodies may be judged, and the share of those present that may not."""
    imagined = np.arange(len(moving.time))[:, None] >= scene.context
    seen = in_view(scene.draw(moving)) & ~moving.lost & imagined
    gone = vanishing(scene, moving)
    present = (seen.sum(1) >= SHORTEST) | gone
    given = np.ptp(moving.position[:, : scene.context], axis=1).max(-1)
    stays = still(scene, moving)
    rests = (given * (len(moving.time) - scene.context) < STILL * (scene.context - 1)) & ~stays.all(1, keepdims=True)
    bad = gone | (stays & ~rests) | _doubled(moving, seen) | (np.abs(swelling(scene, moving)) > SWELLS)
    kept = present & ~bad
    return kept, float((present & bad).sum() / max(present.sum(), 1)) if present.any() else 1.0


def vanishing(scene: Scene, moving: Trajectory) -> Bool[np.ndarray, "b n"]:
    """Tell which bodies are lost where their last two places, carried on, are well in view."""
    sliver = moving.radius < SLIVER * typical(moving.radius)[:, None]  # what is left at a rim tells no place
    x = np.where(sliver[..., None], np.nan, moving.position)
    carried = np.full_like(x, np.nan)
    carried[:, 2:] = 2 * x[:, 1:-1] - x[:, :-2]
    ahead = Trajectory(moving.time, carried, moving.velocity, _last_radius(moving), moving.confidence, moving.factors)
    gone = moving.lost & in_view(scene.draw(ahead), WELL_IN)
    gone[:, : scene.context] = False
    return np.asarray(gone.any(1))


def still(scene: Scene, moving: Trajectory) -> Bool[np.ndarray, "b n"]:
    """Tell which bodies hardly move in the imagined frames."""
    x = moving.position[:, scene.context :]
    low, high = np.fmin.reduce(x, 1), np.fmax.reduce(x, 1)
    return np.asarray(~(np.nan_to_num(high - low).max(-1) > STILL))


def swelling(scene: Scene, moving: Trajectory) -> Float[np.ndarray, "b n"]:
    """Return by which share a radius grows from the first imagined frames to the last ones."""
    seen = in_view(scene.draw(moving)) & ~moving.lost
    seen[:, : scene.context] = False
    order, quarter = np.cumsum(seen, 1), np.maximum(seen.sum(1, keepdims=True) // 4, 1)
    early = typical(np.where(seen & (order <= quarter), moving.radius, np.nan))
    late = typical(np.where(seen & (order > order[:, -1:] - quarter), moving.radius, np.nan))
    return np.asarray(np.nan_to_num(late / early - 1))


def still_share(scene: Scene, truth: Trajectory, imagined: Trajectory) -> Score:
    """Share of the bodies that move in truth and stand still in imagination."""
    moves = ~still(scene, truth)
    stopped = moves & still(scene, imagined) & (np.isfinite(imagined.position).all(-1).sum(1) >= SHORTEST)
    return score("still share", "", _share(stopped, moves))


def vanished_share(scene: Scene, truth: Trajectory, imagined: Trajectory) -> Score:
    """Share of the bodies that are lost in the open, or never come back from behind a screen."""
    seen = in_view(scene.draw(truth), WELL_IN)
    seen[:, : scene.context] = False
    present = seen.sum(1) >= SHORTEST
    last = seen & (np.cumsum(seen, 1) > seen.sum(1, keepdims=True) - 3)
    gone = vanishing(scene, imagined) | (last & imagined.lost).sum(1).astype(bool)
    return score("vanished share", "", _share(present & gone, present))


def doubled_share(scene: Scene, truth: Trajectory, imagined: Trajectory) -> Score:
    """Share of the frames in which less than SINGLE of a body's colour lies in the body that was found."""
    seen = in_view(scene.draw(truth)) & ~imagined.lost
    seen[:, : scene.context] = False
    doubled = seen & (imagined.confidence < SINGLE * truth.confidence)
    return score("doubled share", "", _share(doubled.sum(1), seen.sum(1)))


def area_drift(scene: Scene, truth: Trajectory, imagined: Trajectory) -> Score:
    """Mean |A_end / A_start - 1| of the bodies' areas over the imagined frames."""
    drift = np.abs((1 + swelling(scene, imagined)) ** 2 - 1)
    present = (in_view(scene.draw(truth)).sum(1) >= SHORTEST) & ~imagined.lost.all(1)
    return score("area drift", "", _share(np.where(present, drift, 0.0), present))


def _last_radius(moving: Trajectory) -> Float[np.ndarray, "b t n"]:
    radius = moving.radius.copy()
    for k in range(1, radius.shape[1]):
        radius[:, k] = np.where(np.isfinite(radius[:, k]), radius[:, k], radius[:, k - 1])
    return radius


def _doubled(moving: Trajectory, seen: Bool[np.ndarray, "b t n"]) -> Bool[np.ndarray, "b n"]:
    sure = np.where(seen, moving.confidence, 0.0).sum(1) / np.maximum(seen.sum(1), 1)
    return np.asarray(sure < SINGLE)


def _share(part: Shaped[np.ndarray, "b n"], whole: Shaped[np.ndarray, "b n"]) -> Float[np.ndarray, " b"]:
    total = whole.sum(1)
    return np.asarray(np.where(total > 0, part.sum(1) / np.maximum(total, 1), np.nan))
