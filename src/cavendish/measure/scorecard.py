"""All questions about one model on one region, asked at once: gates first, then errors, then laws.

Every score is 0 where imagination is perfect, and stands beside how many clips it could be asked of: the discard rate
of a score is 1 - n / clips. There is no composite score; one number would be gameable.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from cavendish.errors import BadInputError
from cavendish.measure.gates import area_drift, doubled_share, still_share, vanished_share
from cavendish.measure.lawfulness import READER_NOISE, contact_scores, invariant_scores, law_scores
from cavendish.measure.motion import (
    lost_share,
    position_error,
    radius_drift,
    reversed_share,
    velocity_error_per_frame_x,
    velocity_error_per_frame_y,
    velocity_error_x,
    velocity_error_y,
)
from cavendish.measure.score import Measurement, Score
from cavendish.measure.tracks import CARTESIAN
from cavendish.motion import Metres, Trajectory
from cavendish.scenes import Scene

GATES: tuple[Measurement, ...] = (lost_share, vanished_share, still_share, doubled_share, area_drift)
MEASUREMENTS: tuple[Measurement, ...] = (
    *GATES,
    velocity_error_x,
    velocity_error_per_frame_x,
    velocity_error_y,
    velocity_error_per_frame_y,
    position_error,
    radius_drift,
    reversed_share,
)


@dataclass(frozen=True)
class Scorecard:
    """The answers: those of MEASUREMENTS in their order, then what the scene's law asks."""

    scores: tuple[Score, ...]

    def __iter__(self) -> Iterator[Score]:
        """Go through the scores."""
        return iter(self.scores)

    def __getitem__(self, name: str) -> Score:
        """Find a score by its name."""
        for score in self.scores:
            if score.name == name:
                return score
        raise KeyError(f"no score '{name}', known: {', '.join(s.name for s in self.scores)}")


def scorecard(scene: Scene, truth: Trajectory, imagined: Trajectory, noise: Metres = READER_NOISE) -> Scorecard:
    """Ask every question; both trajectories are batches of the same clips on the same clock.

    `noise` is the reader's error on pictures like the imagined ones, the unit of the normalised law residual.
    """
    if truth.position.shape != imagined.position.shape or truth.position.ndim != 4:
        raise BadInputError(
            f"truth is {truth.position.shape}, imagined {imagined.position.shape}; "
            "expected equal (clips, frames, bodies, 2)"
        )
    if truth.time.shape != imagined.time.shape or abs(truth.time - imagined.time).max() > 1e-6:
        raise BadInputError("truth and imagined trajectories have different clocks")
    answers = [measure(scene, truth, imagined) for measure in MEASUREMENTS]
    if truth.position.shape[-1] == len(CARTESIAN):
        answers += law_scores(scene, truth, imagined, noise)
        answers += invariant_scores(scene, truth, imagined)
        answers += contact_scores(scene, truth, imagined)
    return Scorecard(tuple(answers))
