"""An experiment is a grid of cells: each is trained and asked once, and seeds make the interval."""

import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest
from rich.console import Console

from cavendish.cli import call
from cavendish.commands.study import page
from cavendish.errors import BadInputError
from cavendish.measure.score import Score, score
from cavendish.models import WorldModel
from cavendish.studies import Study
from cavendish.studies.active import Active, Campaign
from cavendish.studies.experiment import (
    Cell,
    Contrast,
    Experiment,
    Row,
    Trial,
    compared,
    kept_answers,
    named,
    over_seeds,
    run_experiment,
)
from cavendish.studies.experiments import EXPERIMENTS, experiment_named
from cavendish.studies.shots import Shots
from cavendish.studies.workers import Cluster, Processes

QUIET = Console(quiet=True)


class Weights(Experiment):
    """Ask trained models how large their parameters are: cheap, and different for every seed."""

    name: ClassVar = "weights"
    question: ClassVar = "how large are the parameters?"

    def __init__(self, study: Study) -> None:
        self.study, self.asked = study, 0

    def presets(self) -> dict[str, tuple[Cell, ...]]:
        """Give two seeds of one row and one of another."""
        short = replace(self.study.training, steps=1)
        rows = [("a", self.study), ("a", replace(self.study, seed=1)), ("b", replace(self.study, training=short))]
        return {"quick": tuple(Cell(row, study) for row, study in rows)}

    def ask(self, study: Study, model: WorldModel) -> tuple[Score, ...]:
        """Measure every parameter tensor."""
        self.asked += 1
        return (score("norm", "", np.array([p.norm().item() for p in model.parameters()])),)


def test_a_finished_cell_is_never_asked_again(tiny_study: Study, tmp_path: Path) -> None:
    experiment = Weights(replace(tiny_study, training=replace(tiny_study.training, steps=2)))
    first = run_experiment(experiment, "quick", tmp_path, QUIET)
    assert [row.name for row in first] == ["a", "b"]
    assert experiment.asked == 3
    assert run_experiment(experiment, "quick", tmp_path, QUIET) == first
    assert experiment.asked == 3
    assert first[0].scores[0].n == 2  # seeds
    assert (tmp_path / "weights-quick.json").exists()


def test_a_preset_that_does_not_exist_is_refused(tiny_study: Study) -> None:
    with pytest.raises(BadInputError, match="unknown preset of weights 'paper'"):
        Weights(tiny_study).cells("paper")


def test_the_interval_over_seeds_covers_the_truth_at_its_nominal_rate() -> None:
    rng = np.random.default_rng(0)
    covered = 0
    for _ in range(1000):
        found = [(replace(score("x", "m", np.zeros(2)), value=float(rng.normal(3.0, 0.5))),) for _ in range(3)]
        (joined,) = over_seeds(found)
        covered += joined.low <= 3.0 <= joined.high
    assert 930 <= covered <= 970


def test_an_unknown_experiment_is_refused_by_name(capsys: pytest.CaptureFixture[str]) -> None:
    assert call(["study", "no-such-thing"]) == 2
    assert "unknown experiment 'no-such-thing'" in capsys.readouterr().err


class Short(Experiment):
    """Two ways to choose, two seeds, one round: trials of a few tenths of a second."""

    name: ClassVar = "short"
    question: ClassVar = "does it pay?"

    def presets(self) -> dict[str, tuple[Trial, ...]]:
        """Give both ways both seeds."""
        ways = [(way, seed) for way in ("random", "laws") for seed in (0, 1)]
        return {"quick": tuple(Trial(f"world: {way}", Campaign(way, Shots(), seed, rounds=1)) for way, seed in ways)}

    def attempt(self, trial: Trial) -> Row:
        """Carry out a campaign."""
        return Active().attempt(trial)

    def findings(self, preset: str, answers: Mapping[str, Sequence[tuple[Score, ...]]]) -> str:
        """Compare them."""
        return compared((Contrast("world: laws", "world: random", "error on hits"),), answers)


def names_and_bytes(root: Path) -> dict[str, bytes]:
    """Read the answers of every trial."""
    whole = [path for path in sorted(root.glob("*/*/answers.json")) if not path.parent.name.startswith(".tmp-")]
    return {str(path.relative_to(root)): path.read_bytes() for path in whole}


def test_trials_are_kept_and_compared_seed_by_seed(tmp_path: Path) -> None:
    rows = run_experiment(Short(), "quick", tmp_path, QUIET)
    kept = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("answers.json")}
    assert run_experiment(Short(), "quick", tmp_path, QUIET) == rows
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("answers.json")} == kept
    found = kept_answers(Short(), "quick", tmp_path)
    sides = [[named(scores, "error on hits").value for scores in found[f"world: {way}"]] for way in ("laws", "random")]
    (line,) = Short().findings("quick", found).splitlines()[-1:]
    assert f"| error on hits | {np.mean(sides[0]) - np.mean(sides[1]):.2g} (" in line
    assert line.endswith("| 2 |")
    assert "## world" in page(Short(), "quick", rows)


def test_a_cell_in_other_hands_is_left_to_them_and_waited_for(tmp_path: Path) -> None:
    first = Short().tasks("quick")[0].home("short", tmp_path)
    code = (
        "import sys, time; from pathlib import Path; from cavendish.artefact import sole_writer\n"
        "with sole_writer(Path(sys.argv[1])): print('held', flush=True); time.sleep(3)"
    )
    with subprocess.Popen([sys.executable, "-c", code, str(first)], stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None
        holder.stdout.readline()
        begun = time.perf_counter()
        run_experiment(Short(), "quick", tmp_path, QUIET)
        assert time.perf_counter() - begun > 1
    assert len(names_and_bytes(tmp_path)) == 4


@pytest.mark.slow
def test_two_processes_find_what_one_finds(tmp_path: Path) -> None:
    run_experiment(Short(), "quick", tmp_path / "one", QUIET)
    run_experiment(Short(), "quick", tmp_path / "two", QUIET, Processes(2))
    assert names_and_bytes(tmp_path / "one") == names_and_bytes(tmp_path / "two")


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_a_cluster_of_two_workers_finds_what_one_process_finds(tmp_path: Path) -> None:
    pytest.importorskip("ray")
    run_experiment(Short(), "quick", tmp_path / "one", QUIET)
    run_experiment(Short(), "quick", tmp_path / "two", QUIET, Cluster("local", 2))
    assert names_and_bytes(tmp_path / "one") == names_and_bytes(tmp_path / "two")


@pytest.mark.slow
def test_a_study_that_was_killed_goes_on_without_doing_finished_cells_again(tmp_path: Path) -> None:
    code = "import sys; from cavendish.cli import main; sys.exit(main())"
    words = [sys.executable, "-c", code, "study", "active", "--out", str(tmp_path)]
    with subprocess.Popen(words, stdout=subprocess.DEVNULL) as doing:
        while len(names_and_bytes(tmp_path)) < 1:
            time.sleep(0.02)
            assert doing.poll() is None
        doing.send_signal(signal.SIGKILL)
    done = names_and_bytes(tmp_path)
    times = {path: path.stat().st_mtime_ns for path in map(tmp_path.joinpath, done)}
    with subprocess.Popen(words, stdout=subprocess.DEVNULL) as again:
        while len(names_and_bytes(tmp_path)) < len(done) + 1:
            time.sleep(0.02)
            assert again.poll() is None
        again.send_signal(signal.SIGKILL)
    assert {path: path.stat().st_mtime_ns for path in times} == times


def test_no_fewer_than_one_process() -> None:
    with pytest.raises(BadInputError, match="workers = 0, expected at least 1"):
        Processes(0)


def test_what_is_meant_for_an_accelerator_learns_on_one() -> None:
    for experiment in EXPERIMENTS:
        for preset in experiment.presets():
            engines = {cell.study.engine.device for cell in experiment.cells(preset)}
            assert engines <= {"cuda" if preset in ("h100", "paper") else "cpu"}, f"{experiment.name}, {preset}"


def test_what_knows_its_own_way_to_use_an_accelerator_keeps_it() -> None:
    assert experiment_named("genie-coinrun").cells("h100")[0].study.engine.compiled == "kernels"
