"""(scene, truth, imagined) -> scores. A new measurement is one file and two lines in `scorecard`."""

from cavendish.measure.score import Measurement, Score
from cavendish.measure.scorecard import MEASUREMENTS, Scorecard, scorecard

__all__ = ["MEASUREMENTS", "Measurement", "Score", "Scorecard", "scorecard"]
