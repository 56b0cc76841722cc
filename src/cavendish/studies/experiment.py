"""A whole experiment: one question put to several trained models, and one table of answers.

An experiment is a grid of cells. A cell is a study (what is trained, on what, with which seed) under the name of its
row; cells of one row differ in their seed alone. Every cell is trained, then asked, and its answers are committed
inside its run folder before the next cell begins: killed at any moment, the same command goes on from there.

A row with one cell shows that cell's own intervals over clips. A row with n > 1 cells shows
    mean of their values,  mean -+ t_{0.975, n-1} s / sqrt(n),
the interval over seeds, which is the one that matters when a claim is about a way of training.
"""

import json
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar, final

import numpy as np
from rich.console import Console
from scipy import stats

from cavendish.artefact import commit_file, committed_folder, read_json, verify_folder
from cavendish.codec import from_json, to_json
from cavendish.errors import unknown
from cavendish.measure.score import CONFIDENCE, Score
from cavendish.models import WorldModel
from cavendish.studies.run import learn, open_run
from cavendish.studies.study import Study
from cavendish.training.signals import StopRequest


@final
@dataclass(frozen=True)
class Cell:
    """One study to train, and the row of the table that it belongs to."""

    row: str
    study: Study


@final
@dataclass(frozen=True)
class Row:
    """What one row of the table says."""

    name: str
    scores: tuple[Score, ...]


class Experiment(ABC):
    """A question, the studies that could answer it, and how each trained model is asked."""

    name: ClassVar[str]
    question: ClassVar[str]

    @abstractmethod
    def presets(self) -> dict[str, tuple[Cell, ...]]:
        """Return the grid of every preset that exists, from the smallest machine to the largest."""

    @abstractmethod
    def ask(self, study: Study, model: WorldModel) -> tuple[Score, ...]:
        """Put the question to a trained model."""

    def prepare(self, study: Study, folder: Path) -> None:
        """Put into a run folder what another run has learnt already in just the same way; nothing by default."""
        return

    def controls(self, preset: str) -> tuple[Row, ...]:
        """Return what pupils score whose marks are known beforehand; none by default."""
        return ()

    def findings(self, preset: str, answers: Mapping[str, Sequence[tuple[Score, ...]]]) -> str:
        """Say what all answers say together, seed by seed, as markdown below the table; nothing by default."""
        return ""

    def cells(self, preset: str) -> tuple[Cell, ...]:
        """Return the grid of one preset."""
        known = self.presets()
        if preset not in known:
            raise unknown(f"preset of {self.name}", preset, known)
        return known[preset]


def run_experiment(experiment: Experiment, preset: str, root: Path, console: Console) -> tuple[Row, ...]:
    """Train and ask every cell that is not done yet; commit and return the table."""
    answers: dict[str, list[tuple[Score, ...]]] = {}
    for number, cell in enumerate(cells := experiment.cells(preset), 1):
        console.print(f"{experiment.name}: cell {number} of {len(cells)}, {cell.row}", highlight=False)
        with open_run(cell.study, root) as (folder, stop):
            answers.setdefault(cell.row, []).append(answered(experiment, cell.study, folder, stop, console))
    rows = tuple(Row(name, over_seeds(found)) for name, found in answers.items()) + experiment.controls(preset)
    content = {"question": experiment.question, "preset": preset, "rows": to_json(rows)}
    commit_file(root / f"{experiment.name}-{preset}.json", json.dumps(content, indent=1).encode())
    return rows


def answered(
    experiment: Experiment, study: Study, folder: Path, stop: StopRequest, console: Console
) -> tuple[Score, ...]:
    """Return the answers of one cell, from its folder if they are there."""
    kept = folder / experiment.name
    if kept.is_dir():
        return _kept(kept)
    experiment.prepare(study, folder)
    model = learn(study, folder, stop, console)
    scores = experiment.ask(study, model)
    with committed_folder(kept) as private:
        (private / "answers.json").write_text(json.dumps(to_json(Row(study.name, scores)), indent=1))
    return scores


def kept_answers(experiment: Experiment, preset: str, root: Path) -> dict[str, list[tuple[Score, ...]]]:
    """Return the answers of every cell that was run, by row."""
    answers: dict[str, list[tuple[Score, ...]]] = {}
    for cell in experiment.cells(preset):
        answers.setdefault(cell.row, []).append(_kept(cell.study.folder(root) / experiment.name))
    return answers


def _kept(folder: Path) -> tuple[Score, ...]:
    verify_folder(folder)
    return from_json(Row, read_json(folder / "answers.json"), str(folder / "answers.json")).scores


def over_seeds(found: Iterable[tuple[Score, ...]]) -> tuple[Score, ...]:
    """Join the answers of cells that differ in their seed alone."""
    return tuple(_joined(same) for same in zip(*found, strict=True))


def _joined(same: tuple[Score, ...]) -> Score:
    if len(same) == 1:
        return same[0]
    values = np.array([score.value for score in same])
    half = stats.t.ppf((1 + CONFIDENCE) / 2, len(values) - 1) * values.std(ddof=1) / np.sqrt(len(values))
    mean = float(values.mean())
    counted = int(np.isfinite(values).sum())
    joined = replace(same[0], value=mean, low=mean - float(half), high=mean + float(half))
    return replace(joined, n=counted, clips=len(values), values=tuple(values.tolist()))
