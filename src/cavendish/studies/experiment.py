"""A whole experiment: one question put to several trained models, and one table of answers.

An experiment is a grid of cells. A cell is a study (what is trained, on what, with which seed) under the name of its
row; cells of one row differ in their seed alone. Every cell is trained, then asked, and its answers are committed
inside its run folder before the next cell begins: killed at any moment, the same command goes on from there. A trial is
a cell without a world model to train: a frozen value whose hash names its folder. Whoever works on an experiment takes
cells that are neither done nor in other hands, so the same command may run many times at once on one folder (`workers`
starts such processes here or on a cluster), and what it finds does not depend on how many there are.

A row with one cell shows that cell's own intervals over clips. A row with n > 1 cells shows
    mean of their values,  mean -+ t_{0.975, n-1} s / sqrt(n),
the interval over seeds, which is the one that matters when a claim is about a way of training. Two rows that answered
the same questions are compared seed by seed, d_s = mean over clips of (ours - theirs): t interval and p over the seeds,
p adjusted for all comparisons of the experiment (Holm 1979).
"""

import hashlib
import json
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, ClassVar, final

import numpy as np
from jaxtyping import Float
from rich.console import Console
from scipy import stats

from cavendish.artefact import commit_file, committed_folder, read_json, sole_writer, verify_folder
from cavendish.codec import LATER, from_json, to_json
from cavendish.errors import BadInputError, BusyError, chosen
from cavendish.measure.score import CONFIDENCE, Score
from cavendish.measure.statistics import holm, p_zero
from cavendish.models import WorldModel
from cavendish.studies.run import learn, open_run
from cavendish.studies.study import Study
from cavendish.training.engine import Engine
from cavendish.training.machine import describe

AT = ": "  # in the name of a row: before it stands the heading of its table
PATIENCE = 2.0  # s between looks at cells in other hands
ACCELERATED = ("h100", "paper")  # presets whose cells learn on an accelerator, each in its own way or in this one:
USUAL = Engine("cuda", "bfloat16")  # (blocks are not compiled: blends change the number of tokens at every step)


@final
@dataclass(frozen=True)
class Cell:
    """One study to train, and the row of the table that it belongs to."""

    row: str
    study: Study

    def home(self, experiment: str, root: Path) -> Path:
        """Return the run folder."""
        return self.study.folder(root)


@final
@dataclass(frozen=True)
class Trial:
    """Something else to put to the test: a frozen value that decides the answers, and its row."""

    row: str
    setting: Any  # a frozen dataclass of an experiment's own

    def home(self, experiment: str, root: Path) -> Path:
        """Return a folder named after everything that decides the result."""
        canonical = json.dumps(to_json(self.setting), sort_keys=True)
        return root / f"{experiment}-{hashlib.sha256(canonical.encode()).hexdigest()[:8]}"


@final
@dataclass(frozen=True)
class Row:
    """What one row of the table says."""

    name: str
    scores: tuple[Score, ...]
    said: tuple[str, ...] = field(default=(), metadata=LATER)  # in words: the laws that were read

    def __getitem__(self, name: str) -> Score:
        """Find a score by its name."""
        return named(self.scores, name)


@final
@dataclass(frozen=True)
class Contrast:
    """A question about two rows: by how much one score of the first exceeds that of the second."""

    ours: str
    theirs: str
    score: str


class Experiment(ABC):
    """A question, the studies that could answer it, and how each trained model is asked."""

    name: ClassVar[str]
    question: ClassVar[str]

    @abstractmethod
    def presets(self) -> Mapping[str, Sequence[Cell | Trial]]:
        """Return the grid of every preset that exists, from the smallest machine to the largest."""

    def ask(self, study: Study, model: WorldModel) -> tuple[Score, ...]:
        """Put the question to a trained model; an experiment that trains some says how."""
        raise BadInputError(f"{self.name} trains no world model, got {study.name}")

    def hear(self, study: Study, model: WorldModel) -> Row:
        """Put the question, and keep what is said in words beside the scores; by default nothing is."""
        return Row(study.name, self.ask(study, model))

    def attempt(self, trial: Trial) -> Row:
        """Carry out a trial; an experiment that has some says how."""
        raise BadInputError(f"{self.name} has no trials, got {trial.row}")

    def controls(self, preset: str) -> tuple[Row, ...]:
        """Return what pupils score whose marks are known beforehand; none by default."""
        return ()

    def prepare(self, study: Study, folder: Path) -> None:
        """Put into a run folder what another run has learnt already in just the same way; nothing by default."""
        return

    def findings(self, preset: str, answers: Mapping[str, Sequence[tuple[Score, ...]]]) -> str:
        """Say what all answers say together, seed by seed, as markdown below the table; nothing by default."""
        return ""

    def cells(self, preset: str) -> tuple[Cell, ...]:
        """Return what a preset trains."""
        return tuple(task for task in self.tasks(preset) if isinstance(task, Cell))

    def tasks(self, preset: str) -> tuple[Cell | Trial, ...]:
        """Return the whole grid of one preset."""
        known = chosen(f"preset of {self.name}", preset, self.presets())
        return tuple(_accelerated(task) if preset in ACCELERATED else task for task in known)


Spread = Callable[[Experiment, str, Path, Console], None]


def in_turn(
    experiment: Experiment, preset: str, root: Path, console: Console, wanted: Callable[[], bool] = lambda: True
) -> None:
    """Do every cell that is neither done nor in other hands, then wait for the others; look before each if wanted."""
    left = list(enumerate(tasks := experiment.tasks(preset), 1))
    while left:
        before = len(left)
        for numbered in tuple(left):
            if not wanted():
                return
            if _seen_to(experiment, numbered, root, console):
                left.remove(numbered)
        if len(left) == before:
            time.sleep(PATIENCE)
    console.print(f"{experiment.name}: all {len(tasks)} are done", highlight=False)


def run_experiment(
    experiment: Experiment, preset: str, root: Path, console: Console, spread: Spread = in_turn
) -> tuple[Row, ...]:
    """Train and ask every cell that is not done yet; commit and return the table."""
    spread(experiment, preset, root, console)
    found = _kept(experiment, preset, root)
    rows = tuple(_over(name, cells) for name, cells in found.items()) + experiment.controls(preset)
    content = {"question": experiment.question, "preset": preset, "rows": to_json(rows)}
    commit_file(root / f"{experiment.name}-{preset}.json", json.dumps(content, indent=1).encode())
    return rows


def kept_answers(experiment: Experiment, preset: str, root: Path) -> dict[str, list[tuple[Score, ...]]]:
    """Return the answers of every cell that was run, by row."""
    return {name: [row.scores for row in rows] for name, rows in _kept(experiment, preset, root).items()}


def compared(contrasts: Iterable[Contrast], answers: Mapping[str, Sequence[tuple[Score, ...]]]) -> str:
    """Compare rows seed by seed, on the clips that both could be asked about, and lay it out in markdown."""
    made: list[tuple[Contrast, Float[np.ndarray, " s"]]] = []
    for contrast in contrasts:
        sides = ([named(scores, contrast.score) for scores in answers[row]] for row in (contrast.ours, contrast.theirs))
        pairs = zip(*sides, strict=False)
        made.append((contrast, np.array([_mean(np.array(a.values) - np.array(b.values)) for a, b in pairs])))
    p = np.array([p_zero(differences) for _, differences in made])
    p[np.isfinite(p)] = holm(p[np.isfinite(p)])
    lines = ["## Compared, seed by seed", "", "| ours - theirs | of | difference (95 % over seeds) | p, Holm | seeds |"]
    lines.append("| --- | --- | --- | --- | --- |")
    for (asked, differences), adjusted in zip(made, p, strict=True):
        mean, half = _interval(differences)
        found = f"{mean:.2g} ({mean - half:.2g} to {mean + half:.2g})"
        lines.append(
            f"| {asked.ours} - {asked.theirs} | {asked.score} | {found} | {adjusted:.2g} | {len(differences)} |"
        )
    return "\n".join(lines)


def named(scores: Iterable[Score], name: str) -> Score:
    """Find a score by its name."""
    return next(score for score in scores if score.name == name)


def over_seeds(found: Iterable[tuple[Score, ...]]) -> tuple[Score, ...]:
    """Join the answers of cells that differ in their seed alone."""
    return tuple(_joined(same) for same in zip(*found, strict=True))


def sections(rows: tuple[Row, ...]) -> dict[str, tuple[Row, ...]]:
    """Cut a table up under the headings that the names of its rows begin with."""
    found: dict[str, tuple[Row, ...]] = {}
    for row in rows:
        heading, _, name = row.name.rpartition(AT)
        found[heading] = (*found.get(heading, ()), replace(row, name=name))
    return found


def _accelerated(task: Cell | Trial) -> Cell | Trial:
    if isinstance(task, Trial) or task.study.engine != Engine():
        return task
    return replace(task, study=replace(task.study, engine=USUAL))


def _seen_to(experiment: Experiment, numbered: tuple[int, Cell | Trial], root: Path, console: Console) -> bool:
    """Do a cell, unless it is done or another process does it; tell whether it is done."""
    number, cell = numbered
    home = cell.home(experiment.name, root)
    kept = home / experiment.name
    if kept.is_dir():
        return True
    try:
        if isinstance(cell, Trial):
            with sole_writer(home):
                if not kept.is_dir():
                    console.print(f"{experiment.name}: trial {number}, {cell.row}", highlight=False)
                    commit_file(home / "setting.json", json.dumps(to_json(cell.setting), indent=1).encode())
                    commit_file(home / "machine.json", json.dumps(describe(), indent=1).encode())
                    _keep(kept, experiment.attempt(cell))
        else:
            with open_run(cell.study, root) as (folder, stop):
                if not kept.is_dir():
                    console.print(f"{experiment.name}: cell {number}, {cell.row}", highlight=False)
                    experiment.prepare(cell.study, folder)
                    _keep(kept, experiment.hear(cell.study, learn(cell.study, folder, stop, console)))
    except BusyError:
        return False
    return True


def _kept(experiment: Experiment, preset: str, root: Path) -> dict[str, list[Row]]:
    found: dict[str, list[Row]] = {}
    for task in experiment.tasks(preset):
        kept = task.home(experiment.name, root) / experiment.name
        verify_folder(kept)
        found.setdefault(task.row, []).append(from_json(Row, read_json(kept / "answers.json"), str(kept)))
    return found


def _keep(kept: Path, row: Row) -> None:
    with committed_folder(kept) as private:
        (private / "answers.json").write_text(json.dumps(to_json(row), indent=1))


def _over(name: str, cells: list[Row]) -> Row:
    return Row(name, over_seeds(cell.scores for cell in cells), tuple(said for cell in cells for said in cell.said))


def _joined(same: tuple[Score, ...]) -> Score:
    if len(same) == 1:
        return same[0]
    values = np.array([score.value for score in same])
    mean, half = _interval(values)
    counted = int(np.isfinite(values).sum())
    joined = replace(same[0], value=mean, low=mean - half, high=mean + half)
    return replace(joined, n=counted, clips=len(values), values=tuple(values.tolist()))


def _interval(values: Float[np.ndarray, " s"]) -> tuple[float, float]:
    """Return the mean over the seeds that have an answer, and half of its t interval."""
    known = values[np.isfinite(values)]
    if known.size < 2:
        return _mean(values), float("nan")
    half = stats.t.ppf((1 + CONFIDENCE) / 2, known.size - 1) * known.std(ddof=1) / np.sqrt(known.size)
    return float(known.mean()), float(half)


def _mean(values: Float[np.ndarray, " b"]) -> float:
    known = values[np.isfinite(values)]
    return float(known.mean()) if known.size else float("nan")
