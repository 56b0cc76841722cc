"""Three schools at one price, and an exam that the truth passes and ignorance fails."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from cavendish.cli import call
from cavendish.data import Split
from cavendish.scenes import Orbit, Parabola, UniformMotion
from cavendish.studies.experiment import Row, Trial
from cavendish.studies.paradigms import DISTRACTED, FALLING, GRIDS, KNOWN, LIE, UNIFORM, Known, Paradigms, World
from cavendish.studies.schools import SLACK, cost
from cavendish.studies.sitting import Sitting
from cavendish.studies.state_pupils import Attentive, StatePupil, states_of, taught
from cavendish.training import seeded

CLIPS = 12


def sat(world: World, who: str | StatePupil) -> Row:
    """Let a pupil sit a short exam."""
    return Paradigms().attempt(Trial("x", Known(world.split(32), who, CLIPS)))


@pytest.mark.parametrize("preset", ["quick", "laptop"])
def test_schools_cost_the_same_and_are_of_one_size(preset: str) -> None:
    prices, sizes = [], []
    for cell in Paradigms().cells(preset)[:3]:
        parameters, flops, _ = cost(cell.study, cell.study.model.build(seeded(0)))
        prices.append(flops.value)
        sizes.append(parameters.value)
    assert max(prices) < (1 + SLACK) * min(prices)
    assert max(sizes) < 2.5 * min(sizes)


def test_every_school_sees_the_same_films() -> None:
    for grid in GRIDS.values():
        for world in grid.worlds + grid.once:
            cells = [cell for cell in grid.cells() if cell.row.startswith(f"{world.name}: ")]
            assert len({str(cell.study.data) for cell in cells if not isinstance(cell, Trial)}) == 1


@pytest.mark.parametrize("world", [FALLING, LIE], ids=lambda world: world.name)
def test_the_truth_passes_and_its_law_is_read_whichever_way_it_falls(world: World) -> None:
    row = sat(world, "oracle")
    for where in ("inside", "gap", "outside"):
        assert row[f"{where}: position error"].value < 0.01
    assert row["law: same structure"].value == 1
    assert row["law: rise"].value == pytest.approx(-world.scene.gravity, abs=0.02)  # type: ignore[union-attr]
    assert f"y'' = {'-' if world is FALLING else ''}2.5" in row.said[0].replace("2.49", "2.5")


def test_known_pupils_miss_what_they_should() -> None:
    coast, frozen, case = (sat(UNIFORM, who) for who in ("coast", "freeze", "nearest case"))
    assert coast["inside: position error"].value < 0.1 < frozen["inside: position error"].value
    assert case["outside: case index"].value > 0.95
    assert coast["outside: case index"].value < 0.05
    assert coast["far: position error"].value < 0.2
    assert case["far: position error"].n == 0


def test_clips_of_the_gap_are_told_from_those_that_were_taught() -> None:
    sitting = Sitting(UNIFORM.split(32), CLIPS)
    truth = Split(UniformMotion(), "interpolation", 200).trajectories(np.arange(200))
    speed = truth.factors[:, 1]
    assert np.array_equal(sitting._in_gap(truth), (speed > 2) & (speed < 3))


def test_a_distracted_world_is_read_through_its_background() -> None:
    row = sat(DISTRACTED, "oracle")
    assert row["inside: lost share"].value == 0
    assert row["inside: position error"].value < 0.05


def test_a_linear_pupil_of_states_finds_both_laws() -> None:
    for world in (UNIFORM, FALLING):
        row = sat(world, StatePupil("linear"))
        assert row["inside: position error"].value < 0.05
        assert row["outside: position error"].value < 0.05


@pytest.mark.parametrize("kind", ["mlp", "transformer"])
def test_pupils_of_states_learn(kind: str) -> None:
    errors = []
    for steps in (1, 150):
        pupil = taught(StatePupil(kind, steps=steps), UNIFORM.split(32), 0)  # type: ignore[arg-type]
        truth = Split(UniformMotion(), "interpolation", 16, seed=3).trajectories(np.arange(16))
        parts = {name: getattr(truth, name)[:, :3] for name in ("position", "velocity", "radius", "confidence")}
        seen = replace(truth, time=truth.time[:3], **parts)
        errors.append(float(np.abs(pupil.follow(seen, 8).position - truth.position[:, :11]).mean()))
    assert errors[1] < 0.5 * errors[0]


def test_a_window_hides_what_lies_before_it() -> None:
    split = Split(Orbit(), size=8)
    truth = split.trajectories(np.arange(8))
    state, radius = states_of(truth, split.scene.world), torch.from_numpy(truth.radius[:, 0].copy()).float()
    net = Attentive(2, 1, 16, 4)
    changed = state.clone()
    changed[:, :20] += 0.1
    with torch.no_grad():
        before, after = net(state, radius), net(changed, radius)
    assert torch.equal(before[:, -8:], after[:, -8:])
    assert not torch.equal(before[:, 19:22], after[:, 19:22])


def test_a_preset_is_priced_before_it_is_run(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "160")
    assert call(["plan", "paradigms", "--preset", "quick"]) == 0
    said = capsys.readouterr().out
    assert "paradigms-genie" in said
    assert "TFLOP" in said


def test_every_known_pupil_and_every_liar_is_in_the_quick_grid() -> None:
    rows = {cell.row for cell in Paradigms().tasks("quick")}
    assert {f"{LIE.name}: jepa", f"{UNIFORM.name}: diffusion"} <= rows
    assert {f"{world.name}: {who}" for world in GRIDS["quick"].worlds + GRIDS["quick"].once for who in KNOWN} <= rows
    assert LIE.scene == Parabola(gravity=-2.5)
