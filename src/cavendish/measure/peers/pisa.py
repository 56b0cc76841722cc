"""PISA's trajectory metrics (arXiv 2503.09595) on masks of one falling object, per frame, in units of sqrt(2) * side.

    L1 as coded   mean over x and y of |centroid difference|; the paper calls it L2
    true L2       length of the centroid difference
    Chamfer       mean distance to the nearest pixel of the other mask, averaged over both ways
    IoU           |A & B| / |A | B|
Their code turns a frame without a mask into NaN and leaves it out, so that an object that vanishes costs nothing:
`mean_skipping_missing`. `mean_punishing_missing` counts such a frame as the worst there is: 1, or 0 for the IoU.
"""

import numpy as np
from jaxtyping import Bool, Float
from scipy.ndimage import distance_transform_edt

Masks = Bool[np.ndarray, "t h w"]
PerFrame = Float[np.ndarray, " t"]


def centroid_l1_as_coded(made: Masks, true: Masks) -> PerFrame:
    """Mean absolute difference per coordinate."""
    return np.asarray(np.abs(_apart(made, true)).mean(-1))


def centroid_l2(made: Masks, true: Masks) -> PerFrame:
    """Euclidean distance of the centroids."""
    return np.asarray(np.linalg.norm(_apart(made, true), axis=-1))


def chamfer(made: Masks, true: Masks) -> PerFrame:
    """Mean distance from each mask's pixels to the other mask."""
    values = []
    for a, b in zip(made, true, strict=True):
        if not (a.any() and b.any()):
            values.append(np.nan)
            continue
        there, back = distance_transform_edt(~b)[a].mean(), distance_transform_edt(~a)[b].mean()
        values.append((there + back) / 2 / _unit(made))
    return np.array(values)


def iou(made: Masks, true: Masks) -> PerFrame:
    """Overlap of the masks."""
    both, either = (made & true).sum((1, 2)), (made | true).sum((1, 2))
    present = made.any((1, 2)) & true.any((1, 2))
    return np.where(present, both / np.maximum(either, 1), np.nan)


def mean_skipping_missing(values: PerFrame) -> float:
    """Average as the authors' code does."""
    found = values[np.isfinite(values)]
    return float(found.mean()) if found.size else float("nan")


def mean_punishing_missing(values: PerFrame, worst: float) -> float:
    """Average with the worst value where a mask is missing."""
    return float(np.where(np.isfinite(values), values, worst).mean())


def _apart(made: Masks, true: Masks) -> Float[np.ndarray, "t d"]:
    return np.asarray((_centroids(made) - _centroids(true)) / _unit(made))


def _centroids(masks: Masks) -> Float[np.ndarray, "t d"]:
    places = [np.argwhere(mask) for mask in masks]
    return np.array([place.mean(0) if len(place) else (np.nan, np.nan) for place in places])


def _unit(masks: Masks) -> float:
    return float(np.sqrt(2) * max(masks.shape[1:]))
