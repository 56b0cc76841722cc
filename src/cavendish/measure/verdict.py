"""From scores to one sentence, by rules that are written down here and nowhere else.

Let e be the velocity error (time mean, x) with its interval, s that of a frozen ball (the mean true speed), and c
the case index (0 follows the truth, 1 replays the nearest training clip) outside the training velocities.
    not learnt   e_in > 10 % of s, or more than 10 % of frames lost, inside the training ranges
    law          every outside region: e's lower bound <= 2 * e_in's upper bound, and lost <= 10 %
    copy         otherwise, and c's lower bound > 1/2
    bent         otherwise: right inside, wrong outside, but nearer to the truth than to the cases
"""

from dataclasses import dataclass

from cavendish.measure.results import MODEL, RegionResult, Results
from cavendish.measure.score import Score

HEADLINE = "velocity error x, time mean"
INSIDE = "interpolation"
TOLERATED = 0.10


@dataclass(frozen=True)
class Verdict:
    """The judgement and the figures that it rests on."""

    judgement: str
    sentence: str


def judge(results: Results) -> Verdict:
    """Judge a model by its results."""
    if INSIDE not in [region.region for region in results.regions]:
        return Verdict(
            "not judged", "Nothing inside the taught ranges was weighed, so nothing can be compared with it."
        )
    inside = results.of(INSIDE).of(MODEL)
    error, lost = inside[HEADLINE], inside["lost share"]
    speed = results.of(INSIDE).of("freeze")[HEADLINE].value
    scale = f"{error.value:.2g} m/s ({100 * error.value / speed:.1f} % of the mean speed)"
    if error.n == 0:
        return Verdict("not learnt", "This model has not learnt to move things yet: no ball could be followed.")
    if error.value > TOLERATED * speed or lost.value > TOLERATED:
        where = f"even on familiar sizes and speeds it errs by {scale} and loses {100 * lost.value:.0f} % of frames"
        return Verdict("not learnt", f"This model has not learnt to move things yet: {where}.")
    start = f"Among familiar sizes and speeds this model moves things right to {scale}"
    return _judge_outside(start, error, [region for region in results.regions if region.region != INSIDE])


def _judge_outside(start: str, inside: Score, outside: list[RegionResult]) -> Verdict:
    if not outside:
        return Verdict("inside only", f"{start}; nothing outside was weighed.")
    failed = [region for region in outside if _fails(region, inside)]
    if not failed:
        return Verdict("law", f"{start}, and outside them it does as well: it has learnt the law.")
    worst = max(failed, key=lambda region: region.of(MODEL)[HEADLINE].value)
    ratio = worst.of(MODEL)[HEADLINE].value / max(inside.value, 1e-9)
    end = f"outside ({worst.region}) it errs {ratio:.0f} times as much"
    copying = _copying(outside)
    if copying is not None and copying.low > 0.5:
        return Verdict("copy", f"{start}; {end} and moves more like its nearest training case: it copies its homework.")
    return Verdict("bent", f"{start}; {end}: it has learnt its range, not the law.")


def _fails(region: RegionResult, inside: Score) -> bool:
    entry = region.of(MODEL)
    return not entry[HEADLINE].low <= 2 * inside.high or entry["lost share"].value > TOLERATED


def _copying(outside: list[RegionResult]) -> Score | None:
    for region in outside:
        if region.region == "ood-velocity":
            return region.of(MODEL).copying
    return None
