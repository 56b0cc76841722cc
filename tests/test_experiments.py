"""An experiment is a grid of cells: each is trained and asked once, and seeds make the interval."""

from dataclasses import replace
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest
from rich.console import Console

from cavendish.cli import call
from cavendish.errors import BadInputError
from cavendish.measure.score import Score, score
from cavendish.models import WorldModel
from cavendish.studies import Study
from cavendish.studies.experiment import Cell, Experiment, over_seeds, run_experiment

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
