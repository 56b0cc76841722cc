"""How far imagined motion is from the truth: position, velocity (two definitions), size, and what vanished.

Scored frames are the imagined ones (index >= context) in which the true body lies fully inside the world
(Kang et al. 2024, released evaluator) and behind no screen. Velocities of truth and imagination are the same
forward differences,
    v_k = (x_k+1 - x_k) / (t_k+1 - t_k)     for k and k+1 both scored,
so a step across an impact is no error in itself. Two errors per clip and axis, averaged over bodies:
    per frame   mean_k |v_k - u_k|           (the formula of the paper)
    time mean   |mean_k v_k - mean_k u_k|    (what its evaluator computed; after the impact, if there is one).
A body that is lost in more than half of its scored frames has no velocity; the lost share tells of it.
"""

import numpy as np
from jaxtyping import Bool, Float, Int

from cavendish.measure.score import Score, score
from cavendish.motion import Trajectory
from cavendish.scenes import Scene
from cavendish.scenes.looks import in_view

JUMP = 0.1  # m/s; a sudden change of the true velocity's slope beyond this is an impact
AXES = {"x": 0, "y": 1}
SLOW = 0.1  # m/s; below it a direction says nothing


def scored_frames(scene: Scene, truth: Trajectory) -> Bool[np.ndarray, "b t n"]:
    """Mark imagined frames whose true body is wholly in view."""
    seen = in_view(scene.draw(truth))
    seen[:, : scene.context] = False
    return seen


def position_error(scene: Scene, truth: Trajectory, imagined: Trajectory) -> Score:
    """Mean distance between imagined and true centres."""
    distance = np.linalg.norm(imagined.position - truth.position, axis=-1)
    return score("position error", "m", _clip_mean(distance, scored_frames(scene, truth)))


def velocity_error_per_frame_x(scene: Scene, truth: Trajectory, imagined: Trajectory) -> Score:
    """Mean |v - u| along x over frames."""
    return score("velocity error x, per frame", "m/s", _per_frame(scene, truth, imagined, "x"))


def velocity_error_per_frame_y(scene: Scene, truth: Trajectory, imagined: Trajectory) -> Score:
    """Mean |v - u| along y over frames."""
    return score("velocity error y, per frame", "m/s", _per_frame(scene, truth, imagined, "y"))


def velocity_error_x(scene: Scene, truth: Trajectory, imagined: Trajectory) -> Score:
    """|mean v - mean u| along x: the study's figure."""
    return score("velocity error x, time mean", "m/s", _time_mean(scene, truth, imagined, "x"))


def velocity_error_y(scene: Scene, truth: Trajectory, imagined: Trajectory) -> Score:
    """|mean v - mean u| along y."""
    return score("velocity error y, time mean", "m/s", _time_mean(scene, truth, imagined, "y"))


def radius_drift(scene: Scene, truth: Trajectory, imagined: Trajectory) -> Score:
    """Mean |r / r_true - 1|: does the ball keep its size?"""
    drift = np.abs(imagined.radius / truth.radius - 1)
    return score("radius drift", "", _clip_mean(drift, scored_frames(scene, truth)))


def lost_share(scene: Scene, truth: Trajectory, imagined: Trajectory) -> Score:
    """Share of scored frames in which the reader found no body."""
    scored = scored_frames(scene, truth)
    lost = np.where(scored, imagined.lost, False).sum((1, 2))
    return score("lost share", "", lost / np.maximum(scored.sum((1, 2)), 1))


def reversed_share(scene: Scene, truth: Trajectory, imagined: Trajectory) -> Score:
    """Share of the bodies whose mean imagined velocity points against the true one."""
    u, v = mean_velocity(scene, truth, truth), mean_velocity(scene, truth, imagined)
    speed = np.minimum(np.linalg.norm(u, axis=-1), np.linalg.norm(v, axis=-1))
    telling = np.nan_to_num(speed) > SLOW
    against = telling & ((u * v).sum(-1) < 0)
    asked = np.isfinite(u).all(-1) & np.isfinite(v).all(-1)
    share = against.sum(1) / np.maximum(asked.sum(1), 1)
    return score("reversed share", "", np.where(asked.any(1), share, np.nan))


def mean_velocity(scene: Scene, truth: Trajectory, moving: Trajectory) -> Float[np.ndarray, "b n d"]:
    """Return each body's time-mean velocity over the scored intervals (after an impact, if there is one)."""
    counted = _intervals(scene, truth) & _after_impact(truth)
    return _body_mean(_differences(moving), counted)


def velocity_before_impact(scene: Scene, truth: Trajectory, moving: Trajectory) -> Float[np.ndarray, "b n d"]:
    """Return each body's time-mean velocity over the scored intervals that end before any impact."""
    return _body_mean(_differences(moving), _intervals(scene, truth) & _before_impact(truth))


def _per_frame(scene: Scene, truth: Trajectory, imagined: Trajectory, axis: str) -> Float[np.ndarray, " b"]:
    miss = np.abs(_differences(imagined) - _differences(truth))
    return over_bodies(_body_mean(miss, _intervals(scene, truth))[..., AXES[axis]])


def _time_mean(scene: Scene, truth: Trajectory, imagined: Trajectory, axis: str) -> Float[np.ndarray, " b"]:
    # Average the miss rather than each velocity, so that a lost frame leaves both sides of the difference.
    counted = _intervals(scene, truth) & _after_impact(truth)
    miss = _body_mean(_differences(imagined) - _differences(truth), counted)
    return over_bodies(np.abs(miss[..., AXES[axis]]))


def _differences(moving: Trajectory) -> Float[np.ndarray, "b t n d"]:
    return np.asarray(np.diff(moving.position, axis=1) / np.diff(moving.time)[:, None, None])


def _intervals(scene: Scene, truth: Trajectory) -> Bool[np.ndarray, "b t n"]:
    scored = scored_frames(scene, truth)
    return np.asarray(scored[:, 1:] & scored[:, :-1])


def _after_impact(truth: Trajectory) -> Bool[np.ndarray, "b t 1"]:
    """Mark the intervals that start after the first impact; all of them where there is none."""
    struck, first = _first_impact(truth)
    steps = np.arange(truth.velocity.shape[1] - 1)
    return np.asarray(~struck[:, None] | (steps >= first[:, None]))[..., None]


def _before_impact(truth: Trajectory) -> Bool[np.ndarray, "b t 1"]:
    struck, first = _first_impact(truth)
    steps = np.arange(truth.velocity.shape[1] - 1)
    return np.asarray(~struck[:, None] | (steps < first[:, None] - 1))[..., None]


def _first_impact(truth: Trajectory) -> tuple[Bool[np.ndarray, " b"], Int[np.ndarray, " b"]]:
    """Tell whether there is an impact, and by which frame the first has happened."""
    bend = np.abs(np.diff(truth.velocity, n=2, axis=1)).max((2, 3)) > JUMP  # bend k: a jump by frame k + 2
    return bend.any(1), bend.argmax(1) + 2


def over_bodies(values: Float[np.ndarray, "b n"]) -> Float[np.ndarray, " b"]:
    """Average over bodies that could be scored; NaN if none could."""
    found = np.isfinite(values)
    return np.where(found.any(1), np.where(found, values, 0.0).sum(1) / np.maximum(found.sum(1), 1), np.nan)


def _body_mean(values: Float[np.ndarray, "b t n d"], counted: Bool[np.ndarray, "b t n"]) -> Float[np.ndarray, "b n d"]:
    """Average over counted intervals; NaN where fewer than half of them, or none, were found."""
    found = counted[..., None] & np.isfinite(values)
    total = np.where(found, values, 0.0).sum(1)
    number = found.sum(1)
    enough = (number > 0) & (2 * number >= counted.sum(1)[..., None])
    return np.where(enough, total / np.maximum(number, 1), np.nan)


def _clip_mean(values: Float[np.ndarray, "b t n"], counted: Bool[np.ndarray, "b t n"]) -> Float[np.ndarray, " b"]:
    found = counted & np.isfinite(values)
    number = found.sum((1, 2))
    return np.where(number > 0, np.where(found, values, 0.0).sum((1, 2)) / np.maximum(number, 1), np.nan)
