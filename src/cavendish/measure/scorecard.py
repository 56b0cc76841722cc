"""All questions about one model on one region, asked at once."""

from collections.abc import Iterator
from dataclasses import dataclass

from cavendish.errors import BadInputError
from cavendish.measure.motion import (
    lost_share,
    position_error,
    radius_drift,
    velocity_error_per_frame_x,
    velocity_error_per_frame_y,
    velocity_error_x,
    velocity_error_y,
)
from cavendish.measure.score import Measurement, Score
from cavendish.motion import Trajectory
from cavendish.scenes import Scene

MEASUREMENTS: tuple[Measurement, ...] = (
    velocity_error_x,
    velocity_error_per_frame_x,
    velocity_error_y,
    velocity_error_per_frame_y,
    position_error,
    radius_drift,
    lost_share,
)


@dataclass(frozen=True)
class Scorecard:
    """The answers, in the order of MEASUREMENTS."""

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


def scorecard(scene: Scene, truth: Trajectory, imagined: Trajectory) -> Scorecard:
    """Ask every question; both trajectories are batches of the same clips on the same clock."""
    if truth.position.shape != imagined.position.shape or truth.position.ndim != 4:
        raise BadInputError(
            f"truth is {truth.position.shape}, imagined {imagined.position.shape}; "
            "expected equal (clips, frames, bodies, 2)"
        )
    if truth.time.shape != imagined.time.shape or abs(truth.time - imagined.time).max() > 1e-6:
        raise BadInputError("truth and imagined trajectories have different clocks")
    return Scorecard(tuple(measure(scene, truth, imagined) for measure in MEASUREMENTS))
