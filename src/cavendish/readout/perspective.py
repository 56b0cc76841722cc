"""From the frame to space: readings of a scene in perspective, lifted by the true camera; landmarks found in the frame.

What the reader finds is the centroid u of a silhouette. With the true depth p_3 of the body's centre and the true
offset between its projection and that centroid (both follow from the scene's own camera),
    X = eye + axes^T (p_3 (u + offset - middle) / focal, p_3).
A video cannot tell depth by one eye, so the depth is given; what is judged is the direction of every ray.
Landmarks are read in windows around their true places, one at a time, by the same reader.
"""

from dataclasses import replace

import numpy as np
from jaxtyping import Float, UInt8

from cavendish.motion import Drawing, Shape, Trajectory, World
from cavendish.readout.reader import Reader, differentiate
from cavendish.scenes import Scene
from cavendish.scenes.perspective import GROUND, MARK, in_clear_view, landmarks, middle, project

WINDOWS = 16  # pictures are so many times as high as what is searched on either side of a landmark


def lift(scene: Scene, truth: Trajectory, reading: Trajectory) -> Trajectory:
    """Return a reading in the scene's own space; what a flat scene's reader found is there already."""
    drawing = scene.draw(truth)
    stage = drawing.stage
    if stage is None:
        return reading
    true, depth = project(stage, drawing.world, stage.centre)
    flat = (reading.position + true - drawing.centre - middle(drawing.world)) / stage.focal
    seen = depth[..., None] * np.concatenate([flat, np.ones_like(depth)[..., None]], -1)
    position = stage.eye[..., None, :] + seen @ stage.axes
    return replace(
        reading,
        position=position,
        velocity=differentiate(position, truth.time),
        radius=truth.radius * reading.radius / drawing.extent,
        factors=truth.factors,
    )


def read_landmarks(frames: UInt8[np.ndarray, "*b t h w c"], drawing: Drawing) -> Float[np.ndarray, "*b t k d"]:
    """Return where the landmarks' centroids are in the frame, in its metres; NaN where something is too near."""
    *lead, height, width, _ = frames.shape
    pixel, window = np.array([drawing.world.width / width, drawing.world.height / height]), height // WINDOWS
    places = landmarks(drawing).mean(-2)
    column = np.nan_to_num(np.floor(places[..., 0] / pixel[0])).astype(int)
    row = np.nan_to_num(np.floor(height - places[..., 1] / pixel[1])).astype(int)
    seen = in_clear_view(drawing, (window + 1) * float(pixel.max()))
    around = np.arange(-window, window + 1)
    flat, found = frames.reshape(-1, height, width, 3), np.full((*places.shape[:-2], places.shape[-2], 2), np.nan)
    side = 2 * window + 1
    reader = Reader(
        np.array([MARK], np.uint8),
        np.array(GROUND, np.uint8),
        World(side * pixel[0], side * pixel[1]),
        np.array([Shape.SOLID]),
    )
    for k in range(places.shape[-2]):
        rows = np.clip(row[..., k].reshape(-1, 1, 1) + around[:, None], 0, height - 1)
        columns = np.clip(column[..., k].reshape(-1, 1, 1) + around, 0, width - 1)
        crops = flat[np.arange(len(flat))[:, None, None], rows, columns]
        inside = reader.read(crops, np.arange(float(len(crops)))).position.reshape(*lead, 2)
        corner = np.stack([column[..., k] - window, height - 1 - row[..., k] - window], -1) * pixel
        found[..., k, :] = np.where(seen[..., k, None], corner + inside, np.nan)
    return found
