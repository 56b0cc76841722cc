"""Copying is told from law by an index, by code length, by heaps in a gap, and by what is kept of a first frame."""

from dataclasses import replace

import numpy as np
import pytest

from cavendish.data import Picture, Split
from cavendish.measure import scorecard
from cavendish.measure.copying import (
    Taught,
    bimodality,
    case_index,
    conflict_scores,
    copying_scores,
    kept_attributes,
    pull_towards_range,
    speeds,
)
from cavendish.motion import Trajectory
from cavendish.readout import Reader
from cavendish.scenes import (
    AttributeConflict,
    Billiard,
    Collision,
    DragFall,
    Occlusion,
    Parabola,
    Scene,
    UniformMotion,
)
from cavendish.studies.conflict import asked
from cavendish.studies.controls import Coast, Freeze, NearestCase, Oracle, reader_of
from cavendish.studies.symmetry import weigh_symmetries
from cavendish.training import seeded

TAUGHT = Split(UniformMotion(), picture=Picture(64, 64))


def continued() -> tuple[dict[str, Trajectory], Trajectory]:
    """Let the controls continue untaught speeds, filmed and read at 64 px; return also what they had to copy."""
    scene = UniformMotion()
    clip = replace(TAUGHT, region="ood-velocity").clips(np.arange(40))
    reader = Reader.of(scene.draw(clip.trajectory))
    cases = NearestCase(TAUGHT, 2000, reader)
    context = clip.first(scene.context)
    controls = {"oracle": Oracle(scene, clip.trajectory, 3.0), "nearest case": cases, "coast": Coast(scene, reader)}
    read = {
        name: reader.read(control.imagine(context, 29, seeded(0)).frames.numpy(), clip.trajectory.time)
        for name, control in controls.items()
    }
    return {"truth": clip.trajectory, **read}, cases.recall(context)


@pytest.fixture(scope="module")
def answers() -> tuple[dict[str, Trajectory], Trajectory]:
    """Ask once."""
    return continued()


def test_the_index_of_the_oracle_is_nought_and_of_the_copyist_one(answers: tuple) -> None:
    read, case = answers
    scene, truth = UniformMotion(), read["truth"]
    assert case_index(scene, truth, case, read["oracle"]).value < 0.05
    assert case_index(scene, truth, case, read["nearest case"]).value > 0.95


def test_the_law_is_the_shorter_code_for_the_oracle_and_cases_are_for_the_copyist(answers: tuple) -> None:
    read, case = answers
    taught = Taught(case, 2000, "train")
    oracle, copyist = (
        {s.name: s for s in copying_scores(UniformMotion(), read["truth"], read[who], taught)}
        for who in ("oracle", "nearest case")
    )
    assert oracle["bits that the law saves"].low > 25
    assert copyist["bits that the law saves"].high < -25
    assert abs(oracle["pull towards the taught range"].value) < 0.02
    fast = read["truth"].factors[:, 1] > 4
    assert np.nanmean(np.array(copyist["pull towards the taught range"].values)[fast]) > 0.8
    assert copyist["speed off the truth"].n > 20
    assert oracle["bimodality"].n == 0  # no gap was taught


def test_heaps_in_a_taught_gap_are_found_by_the_region_alone() -> None:
    truth = Split(UniformMotion(), "interpolation").trajectories(np.arange(200))
    to_edges = np.where(truth.factors[:, 1] > 2.5, 3.0, 2.0) + np.random.default_rng(0).normal(0, 0.03, 200)
    inside = np.abs(truth.factors[:, 1] - 2.5) < 0.5
    pace = np.where(inside, to_edges, truth.factors[:, 1])
    factors = np.concatenate([truth.factors[:, :1], pace[:, None], truth.factors[:, 2:]], 1)
    split = UniformMotion().simulate(factors, truth.time)
    found = [
        {s.name: s for s in copying_scores(UniformMotion(), truth, moving, Taught(truth, 9, "gap-2-3"))}["bimodality"]
        for moving in (truth, split)
    ]
    assert found[0].value < 0.65
    assert found[1].value > 0.9


def test_the_pull_towards_the_range_is_a_share_of_the_way() -> None:
    speeds = np.linspace(4.5, 6.0, 30)
    assert pull_towards_range(speeds, speeds, (1.0, 4.0)).value == pytest.approx(0)
    assert pull_towards_range(speeds, np.full(30, 4.0), (1.0, 4.0)).value == pytest.approx(1)
    assert pull_towards_range(speeds, speeds - 0.3 * (speeds - 4), (1.0, 4.0)).value == pytest.approx(0.3)


def test_two_heaps_at_the_ends_of_a_gap_are_more_bimodal_than_a_flat_spread() -> None:
    rng = np.random.default_rng(0)
    flat = bimodality(rng.uniform(2, 3, 400), (2.0, 3.0))
    heaps = bimodality(rng.choice([2.0, 3.0], 400) + rng.normal(0, 0.05, 400), (2.0, 3.0))
    assert flat.low < 5 / 9 + 0.02 < heaps.low


@pytest.mark.parametrize("scene", [Collision(), Occlusion(), Parabola(), Billiard()], ids=lambda scene: scene.name())
def test_the_pull_is_asked_of_every_speed_that_is_a_factor(scene: Scene) -> None:
    truth = Split(scene, "ood-velocity").trajectories(np.arange(60))
    factors = speeds(scene.factors)
    asked = np.stack([truth.factors[:, scene.factors.index(factor)] for factor in factors], -1)
    taught = np.array([factor.intervals("train")[0] for factor in factors])
    slowed = np.clip(asked, *taught.T) / asked
    start = truth.position[:, :1]
    held = replace(truth, position=start + (truth.position - start) * slowed[:, None, :, None])
    told = []
    for moving in (truth, held):
        found = copying_scores(scene, truth, moving, Taught(truth, 9, "train"))
        told.append([s for s in found if s.name.startswith("pull")])
    assert len(told[0]) == len(factors)
    for free, fast in zip(*told, strict=True):
        assert free.n > 20
        assert abs(free.value) < 0.01
        assert fast.value == pytest.approx(1, abs=0.01)


def test_a_factor_that_is_no_mean_speed_is_not_asked_about() -> None:
    truth = Split(DragFall(), "ood-velocity").trajectories(np.arange(20))
    found = {s.name: s for s in copying_scores(DragFall(), truth, truth, Taught(truth, 9, "train"))}
    assert found["pull towards the taught range"].n == 0


def test_an_imagined_change_of_colour_is_seen_in_the_conflict_matrix() -> None:
    scene = AttributeConflict()
    truth = Split(scene, "colour-size-swapped").trajectories(np.arange(30))
    kept = kept_attributes(scene, truth, truth)
    assert all(np.nanmin(values) == 1.0 for values in kept.values())
    assert np.isfinite(kept["colour"]).sum() > 25
    outside = np.where(truth.position < 0, np.nan, truth.position)
    recoloured = replace(truth, position=outside[:, :, [3, 4, 5, 0, 1, 2]])
    told = {s.name: s for s in conflict_scores(scene, truth, recoloured, "colour-size")}
    assert told["colour kept"].value == 0.0
    assert told["shape kept"].value == told["size kept"].value == told["velocity kept"].value == 1.0
    assert told["colour kept"].high < 0.15
    assert told["second of the pair kept, first changed"].value == 1.0
    shares = [s.value for s in told.values() if "pair" in s.name]
    assert sum(shares) == pytest.approx(1)


def test_the_marks_of_controls_in_a_conflict_are_known() -> None:
    data = Split(AttributeConflict(), "colour-shape", picture=Picture(32, 32))
    truth, frozen = ({s.name: s.value for s in asked(data, who)} for who in (None, Freeze()))
    assert truth["apart: both of the pair kept"] > 0.95
    assert (
        min(truth[f"{way}: {name} kept"] for way in ("taught", "apart") for name in ("colour", "shape", "size")) > 0.95
    )
    assert frozen["apart: colour kept"] == frozen["apart: shape kept"] == 1.0
    assert frozen["apart: velocity kept"] == 0.0
    copyist = {s.name: s.value for s in asked(data, NearestCase(data, 500, reader_of(data)))}
    assert copyist["apart: both of the pair kept"] == 0.0


def test_reversed_motion_is_counted() -> None:
    truth = Split(UniformMotion()).trajectories(np.arange(10))
    back = replace(truth, position=2 * truth.position[:, 2:3] - truth.position)
    assert scorecard(UniformMotion(), truth, back)["reversed share"].value == 1.0


def test_coasting_looks_the_same_from_a_train_and_freezing_does_not() -> None:
    split = replace(TAUGHT, region="interpolation")
    coast = weigh_symmetries(split, Coast(UniformMotion(), reader_of(split)), 6)
    assert {s.name.split(", ")[1] for s in coast} == {"translation", "mirror", "rotation", "boost"}
    assert all(s.value < 0.02 for s in coast)
    frozen = {s.name.split(", ")[1]: s.value for s in weigh_symmetries(split, Freeze(), 6)}
    assert frozen["translation"] < 0.01
    assert frozen["boost"] > 0.3
