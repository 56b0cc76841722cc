"""How many frames late does an imagined world answer its buttons?

The truth is simulated again with every button delayed after the given frames, a_k -> a_(k - d); of d = 0 .. LONGEST,
    lag = argmin_d  mean |x - x_true(d)|^2        over imagined frames in which the truth is in view.
A clip answers only if its best d fits it twice as well (in distance) as the motion without any button does: a world
that hears no button has no lag.
"""

from dataclasses import replace

import numpy as np
from jaxtyping import Bool, Float

from cavendish.measure.motion import scored_frames
from cavendish.measure.score import Score, score
from cavendish.motion import Trajectory
from cavendish.scenes import Playable

LONGEST = 10  # frames
TWICE = 0.5


def action_lag(scene: Playable, truth: Trajectory, actions: Float[np.ndarray, "b t a"], imagined: Trajectory) -> Score:
    """Return by how many frames the buttons' effects come late."""
    seen = scored_frames(scene, truth)
    late = [_miss(answered(scene, truth, actions, d), imagined, seen) for d in range(LONGEST + 1)]
    miss = np.stack(late, 1)
    deaf = _miss(scene.simulate(truth.factors, truth.time, _unpressed(actions, scene.context)), imagined, seen)
    best = np.nan_to_num(miss, nan=np.inf).argmin(1)
    heard = miss[np.arange(len(best)), best] < TWICE * deaf
    return score("action lag", "frames", np.where(heard, best.astype(float), np.nan))


def answered(scene: Playable, truth: Trajectory, actions: Float[np.ndarray, "b t a"], frames: int) -> Trajectory:
    """Simulate a world in which every button acts some frames late, from the last given frame on."""
    number = np.arange(actions.shape[1])
    since = np.where(number >= scene.context - 1, np.maximum(number - frames, 0), number)
    return replace(scene.simulate(truth.factors, truth.time, actions[:, since]), factors=truth.factors)


def _unpressed(actions: Float[np.ndarray, "b t a"], context: int) -> Float[np.ndarray, "b t a"]:
    return np.where(np.arange(actions.shape[1])[:, None] >= context - 1, 0.0, actions)


def _miss(truth: Trajectory, imagined: Trajectory, seen: Bool[np.ndarray, "b t n"]) -> Float[np.ndarray, " b"]:
    """Return the rms distance over counted frames; NaN where nothing was found."""
    square = ((imagined.position - truth.position) ** 2).sum(-1)
    counted = seen & np.isfinite(square)
    number = counted.sum((1, 2))
    total = np.where(counted, square, 0.0).sum((1, 2))
    return np.where(number > 0, np.sqrt(total / np.maximum(number, 1)), np.nan)
