"""Error as a curve over one factor, inside and outside the range that was taught."""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from jaxtyping import Float

from cavendish.measure.score import Score, score
from cavendish.scenes import Factor


@dataclass(frozen=True)
class CurvePoint:
    """The mean error of the clips whose factor lies in one bin."""

    middle: float
    distance: float  # from the training range to the bin's middle, in the factor's unit; 0 inside
    error: Score


BINS_INSIDE, BINS_OUTSIDE = 6, 3  # per interval


def error_curve(factor: Factor, values: Float[np.ndarray, " b"], errors: Float[np.ndarray, " b"]) -> list[CurvePoint]:
    """Bin one error per clip by a factor's value, never mixing taught and untaught values in one bin."""
    ((low, high),) = factor.intervals("train")
    spans = dict.fromkeys(span for intervals in factor.ranges.values() for span in intervals)
    points = []
    for start, stop in sorted(spans):
        parts = BINS_INSIDE if (start, stop) == (low, high) else BINS_OUTSIDE
        cuts = np.linspace(start, stop, parts + 1)
        for left, right in pairwise(cuts):
            inside = (values >= left) & (values < right)
            if np.isfinite(errors[inside]).any():
                middle = float(left + right) / 2
                distance = max(low - middle, middle - high, 0.0)
                points.append(CurvePoint(middle, distance, score("error", "", errors[inside])))
    return points
