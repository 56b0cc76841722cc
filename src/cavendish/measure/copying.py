"""Does a model follow the law, or replay the nearest case it was taught?

For every clip, with time-mean velocities u (truth), c (nearest training clip) and v (imagined),
    index = |v - u| / (|v - u| + |v - c|):     0 follows the truth, 1 follows the training case.
It says something only where truth and case differ, |u - c| > 0.1 m/s: outside the training range.
"""

import numpy as np

from cavendish.measure.motion import mean_velocity
from cavendish.measure.score import Score, score
from cavendish.motion import Trajectory
from cavendish.scenes import Scene

APART = 0.1  # m/s


def case_index(scene: Scene, truth: Trajectory, case: Trajectory, imagined: Trajectory) -> Score:
    """Compare the imagined velocity with the true one and with the nearest training clip's."""
    u, c, v = (mean_velocity(scene, truth, moving) for moving in (truth, case, imagined))
    to_truth, to_case = (np.linalg.norm(v - other, axis=-1).mean(-1) for other in (u, c))
    telling = np.linalg.norm(u - c, axis=-1).mean(-1) > APART
    total = to_truth + to_case
    index = np.where(telling & (total > 0), to_truth / np.where(total > 0, total, 1), np.nan)
    return score("case index", "", index)
