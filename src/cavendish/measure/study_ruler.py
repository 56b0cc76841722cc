"""The ruler of Kang et al. 2024 (arXiv 2411.02385), slip included, to compare with their printed numbers.

Their raster puts pixel k at k / (W - 1) of the world, their parser reads it at k / W, so every position and
speed is read as (W - 1) / W of what it was: a floor of v / W in every velocity error they print. Here pixel k
covers [k, k + 1] / W, so their reading of our frames is
    x_read = (mean index + 1/2) / W * (W - 1) / W * (world width).
Mask: red (R > 127, G < 127, B < 127), blue likewise; centre = mean of the mask's pixel indices.
Error: | mean_t (x_t+1 - x_t) / 0.1 - v0 | over frames >= 3 whose true ball lies fully inside, x only,
averaged over balls; in collisions after the impact. Filters: clips with a radius below 0.6 m (collision:
at most 0.5 m) are dropped. Use it for nothing but that comparison.
"""

import numpy as np
from jaxtyping import Float, UInt8

from cavendish.measure.motion import mean_velocity
from cavendish.measure.score import Score, score
from cavendish.motion import Trajectory
from cavendish.readout.reader import differentiate
from cavendish.scenes import Scene

NAME = "velocity error x, study's ruler"
SMALLEST_RADIUS = 0.6  # m, one ball
SMALLEST_RADII = 0.5  # m, collision; exclusive
MAIN_CHANNEL = (0, 2)  # red ball, blue ball


def study_velocity_error(scene: Scene, truth: Trajectory, frames: UInt8[np.ndarray, "b t h w c"]) -> Score:
    """Score frames as the study's released evaluator would, its unit slip included.

    It knows one red and one blue ball; a scene with more bodies gets no score (n = 0).
    """
    if scene.bodies > len(MAIN_CHANNEL):
        return score(NAME, "m/s", np.full(len(frames), np.nan))
    read = _read(scene, truth.time, frames)
    miss = mean_velocity(scene, truth, read)[..., 0] - mean_velocity(scene, truth, truth)[..., 0]
    smallest = truth.radius.min((1, 2))
    kept = smallest >= SMALLEST_RADIUS - 1e-9 if scene.bodies == 1 else smallest > SMALLEST_RADII
    return score(NAME, "m/s", np.where(kept, np.abs(miss).mean(-1), np.nan))


def _read(scene: Scene, time: Float[np.ndarray, " t"], frames: UInt8[np.ndarray, "b t h w c"]) -> Trajectory:
    width = frames.shape[-2]
    slip = (width - 1) / width
    columns = (np.arange(width) + 0.5) / width * scene.world.width * slip
    position = np.full((*frames.shape[:2], scene.bodies, 2), np.nan)
    for body in range(scene.bodies):
        main = MAIN_CHANNEL[body]
        others = [c for c in range(3) if c != main]
        mask = (frames[..., main] > 127) & (frames[..., others] < 127).all(-1)
        counts = mask.sum(-2)
        with np.errstate(invalid="ignore", divide="ignore"):
            position[..., body, 0] = (counts * columns).sum(-1) / counts.sum(-1)
        position[..., body, 1] = 0.0  # the study reads x only
    blank = np.full(position.shape[:-1], np.nan)
    return Trajectory(time, position, differentiate(position, time), blank, blank, np.zeros((len(frames), 0)))
