"""The instrument: perfect for the oracle, merciless to the rest, and its intervals cover."""

from dataclasses import replace

import numpy as np
import pytest

from cavendish.data import Split
from cavendish.data.study_grid import INSIDE, OUTSIDE, study_grid
from cavendish.errors import BadInputError
from cavendish.measure import MEASUREMENTS, scorecard
from cavendish.measure.copying import case_index
from cavendish.measure.distance import error_curve
from cavendish.measure.motion import (
    mean_velocity,
    position_error,
    scored_frames,
    velocity_error_per_frame_x,
    velocity_error_x,
    velocity_error_y,
)
from cavendish.measure.results import MODEL, Entry, RegionResult, Results
from cavendish.measure.score import score
from cavendish.measure.study_ruler import study_velocity_error
from cavendish.measure.verdict import HEADLINE, judge
from cavendish.motion import Shape, Trajectory
from cavendish.render import render
from cavendish.scenes import Collision, Parabola, UniformMotion
from cavendish.scenes.scene import Scene

UNWEIGHED = {  # scenes of which only motion is compared, and why their laws add no score
    "pushable": "buttons push and drag takes: nothing is kept",
    "pushable-pair": "buttons push and drag takes: nothing is kept",
    "platform": "jumps give energy and landings take it: nothing is kept",
    "throw-and-slide": "laws are weighed in a plane",
    "rolling-spheres": "laws are weighed in a plane",
}


def truth_of(scene: Scene, region: str = "interpolation", count: int = 20) -> Trajectory:
    """Simulate fresh clips."""
    return Split(scene, region).trajectories(np.arange(count))


def shifted(truth: Trajectory, velocity: float) -> Trajectory:
    """Plant a fault: everything drifts to the right from the first imagined frame on."""
    drift = velocity * np.maximum(truth.time - truth.time[2], 0)
    position = truth.position + drift[:, None, None] * np.eye(truth.position.shape[-1])[0]
    return replace(truth, position=position)


def test_oracle_scores_perfectly(scene: Scene) -> None:
    truth = truth_of(scene)
    card = scorecard(scene, truth, truth)
    assert all(s.value == 0 and s.high == 0 for s in card.scores[: len(MEASUREMENTS)])
    for s in card.scores[len(MEASUREMENTS) :]:  # laws are integrated: a fraction of a millimetre is lost on the way
        within = 0.3 if "noise" in s.name else 3e-3 if " off " in s.name else 3e-4
        assert abs(s.value) < within, s.name
        assert s.n > 0


def test_planted_violation_is_found_and_grows_with_its_size(scene: Scene) -> None:
    truth = truth_of(scene)
    sizes = (0.05, 0.1, 0.2, 0.5, 1.0)
    for measure in (velocity_error_x, velocity_error_per_frame_x, position_error):
        assert np.all(np.diff([measure(scene, truth, shifted(truth, v)).value for v in sizes]) > 0)
    for v in sizes:
        assert velocity_error_x(scene, truth, shifted(truth, v)).value == pytest.approx(v, rel=1e-6)
        assert velocity_error_y(scene, truth, shifted(truth, v)).value == 0


def test_a_frozen_ball_is_wrong_by_its_whole_speed() -> None:
    scene, truth = UniformMotion(), truth_of(UniformMotion())
    still = replace(truth, position=np.broadcast_to(truth.position[:, 2:3], truth.position.shape))
    assert scorecard(scene, truth, still)[HEADLINE].value == pytest.approx(np.abs(truth.velocity[:, 0, 0, 0]).mean())


def test_a_vanished_ball_never_looks_lawful(scene: Scene) -> None:
    truth = truth_of(scene)
    gone = truth.position.copy()
    gone[:, 5:] = np.nan
    card = scorecard(scene, truth, replace(truth, position=gone))
    assert card["lost share"].value > 0.5
    assert card[HEADLINE].n < card[HEADLINE].clips


def test_a_jitter_shows_per_frame_but_not_in_the_time_mean() -> None:
    scene, truth = UniformMotion(), truth_of(UniformMotion())
    wobble = 0.02 * (-1.0) ** np.arange(32)
    card = scorecard(scene, truth, replace(truth, position=truth.position + wobble[:, None, None]))
    assert card["velocity error x, per frame"].value == pytest.approx(0.4, rel=1e-6)
    assert card[HEADLINE].value < 0.03


def test_scored_frames_are_imagined_and_fully_visible(scene: Scene) -> None:
    truth = truth_of(scene)
    scored = scored_frames(scene, truth)
    assert not scored[:, : scene.context].any()
    drawing = scene.draw(truth)
    wide = np.ones(len(drawing.shape))
    if drawing.outline is not None:
        boxes = (drawing.shape == Shape.POLYGON) & (scene.name() != "combinatorial")  # there they turn
        wide[boxes] = np.abs(drawing.outline[boxes, :, 0]).max(-1)
    x, r = drawing.centre[..., 0][scored], (wide * drawing.extent)[scored]
    assert ((x - r >= 0) & (x + r <= 10)).all()


def test_collisions_are_judged_after_the_impact() -> None:
    scene, truth = Collision(), truth_of(Collision())
    mean = mean_velocity(scene, truth, truth)
    after = truth.velocity[:, -1]
    found = np.isfinite(mean[..., 0])
    assert found.any()
    assert np.abs(mean[..., 0] - after[..., 0])[found].max() < 1e-9


def test_intervals_cover_at_their_rate() -> None:
    rng = np.random.default_rng(0)
    covered = 0
    for _ in range(200):
        found = score("x", "", rng.exponential(1.0, 60))
        covered += found.low <= 1.0 <= found.high
    assert 0.88 <= covered / 200 <= 0.99


def test_clips_without_an_answer_leave_n_smaller() -> None:
    found = score("x", "m", np.array([1.0, np.nan, 3.0]))
    assert (found.value, found.n, found.clips) == (2.0, 2, 3)
    assert np.isnan(score("x", "m", np.array([np.nan])).value)


@pytest.mark.parametrize("scene", [UniformMotion(), Parabola()], ids=lambda s: s.name())
@pytest.mark.parametrize(("groups", "figure", "within"), [(INSIDE, 0.0099, 0.0003), (OUTSIDE, 0.0112, 0.0004)])
def test_the_study_s_ruler_has_the_study_s_floor(scene: Scene, groups: tuple, figure: float, within: float) -> None:
    truth = scene.simulate(study_grid(scene, groups, np.random.default_rng(0)), scene.clock())
    errors = []
    for start in range(0, len(truth.position), 64):  # one film at a time is 13 MB
        part = truth[slice(start, start + 64)]
        errors += study_velocity_error(scene, part, render(scene.draw(part), 256, 256)).values
    assert abs(np.nanmean(errors) - figure) <= within


def test_case_index_is_zero_for_truth_and_one_for_the_case() -> None:
    scene, truth = UniformMotion(), truth_of(UniformMotion(), "ood-velocity")
    case = shifted(truth, 0.7)
    assert case_index(scene, truth, case, truth).value == pytest.approx(0.0)
    assert case_index(scene, truth, case, case).value == pytest.approx(1.0)
    assert case_index(scene, truth, case, shifted(truth, 0.35)).value == pytest.approx(0.5)
    assert case_index(scene, truth, truth, truth).n == 0


def test_curves_never_mix_taught_and_untaught_values() -> None:
    factor = UniformMotion.factors[1]
    values = np.linspace(0.0, 6.0, 601)
    taught = (values >= 1.0) & (values < 4.0)
    points = error_curve(factor, values, np.where(taught, 0.0, 1.0))
    assert {p.error.value for p in points if p.distance == 0} == {0.0}
    assert {p.error.value for p in points if p.distance > 0} == {1.0}


def results_with(inside: float, outside: float, copying: float, lost: float = 0.0) -> Results:
    """Make results of a model whose error inside and outside is known."""

    def region(name: str, error: float) -> RegionResult:
        spread = np.linspace(0.9, 1.1, 20)
        scores = (score(HEADLINE, "m/s", error * spread), score("lost share", "", np.full(20, lost)))
        frozen = (score(HEADLINE, "m/s", 2.5 * spread),)
        index = score("case index", "", copying * spread)
        return RegionResult(name, 0.0, (Entry(MODEL, scores, index), Entry("freeze", frozen, index)))

    return Results((region("interpolation", inside), region("ood-velocity", outside)))


@pytest.mark.parametrize(
    ("results", "judgement"),
    [
        (results_with(0.04, 0.05, 0.1), "law"),
        (results_with(0.04, 1.0, 0.3), "bent"),
        (results_with(0.04, 1.0, 0.8), "copy"),
        (results_with(0.5, 1.0, 0.3), "not learnt"),
        (results_with(0.04, 0.05, 0.1, lost=0.3), "not learnt"),
        (results_with(np.nan, np.nan, np.nan), "not learnt"),
    ],
)
def test_the_verdict_follows_its_written_rules(results: Results, judgement: str) -> None:
    assert judge(results).judgement == judgement


def test_without_a_weighing_inside_there_is_no_verdict() -> None:
    assert judge(Results(results_with(0.04, 0.05, 0.1).regions[1:])).judgement == "not judged"


def test_trajectories_that_do_not_match_are_refused() -> None:
    scene, truth = UniformMotion(), truth_of(UniformMotion())
    with pytest.raises(BadInputError, match="expected equal"):
        scorecard(scene, truth, truth[slice(0, 5)])
    with pytest.raises(BadInputError, match="clocks"):
        scorecard(scene, truth, replace(truth, time=truth.time * 2))


def test_every_measurement_has_a_name_of_its_own(scene: Scene) -> None:
    card = scorecard(scene, truth_of(scene), truth_of(scene))
    assert len({s.name for s in card}) == len(card.scores)
    assert (len(card.scores) == len(MEASUREMENTS)) == (scene.name() in UNWEIGHED)
