"""`cavendish study NAME --preset quick`: a whole experiment, from its grid of trainings to its table."""

import inspect
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import tyro
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from cavendish.artefact import commit_file
from cavendish.commands.options import DEFAULT_ROOT
from cavendish.errors import BadInputError
from cavendish.report.page import interval_text
from cavendish.studies.experiment import Experiment, Row, Spread, kept_answers, run_experiment, sections
from cavendish.studies.experiments import experiment_named
from cavendish.studies.pretrained import publish
from cavendish.studies.workers import Cluster, Processes


@dataclass(frozen=True)
class Options:
    """Run an experiment; what is done already is not done again."""

    name: tyro.conf.Positional[str]
    """Name of the experiment."""
    preset: Literal["quick", "laptop", "h100", "paper"] = "quick"
    """How large: two cores in minutes, a laptop overnight, one large accelerator, or the published size."""
    out: Path = DEFAULT_ROOT
    """Folder of runs."""
    workers: int = 1
    """Processes that share the work; a cell is done by one of them."""
    ray: str | None = None
    """Address of a Ray cluster, or `local`, to share the work instead."""
    page: Path | None = None
    """Markdown file to write the table to."""
    ship: Path | None = None
    """Folder in which to publish the weights of the first row, under the experiment's and the preset's name."""


def main(arguments: list[str]) -> None:
    """Run, and print the table."""
    options = tyro.cli(Options, args=arguments, prog="cavendish study")
    experiment = experiment_named(options.name)
    console = Console()
    spread: Spread = Processes(options.workers)
    if options.ray is not None:
        spread = Cluster(options.ray, options.workers)
    rows = run_experiment(experiment, options.preset, options.out, console, spread)
    for heading, part in sections(rows).items():
        console.print(table(f"{experiment.name}: {heading or experiment.question}", part))
    findings = experiment.findings(options.preset, kept_answers(experiment, options.preset, options.out))
    console.print(findings, highlight=False, markup=False)
    if options.page is not None:
        commit_file(options.page, f"{page(experiment, options.preset, rows)}\n{findings}".rstrip().encode() + b"\n")
    if options.ship is not None:
        if not (cells := experiment.cells(options.preset)):
            raise BadInputError(f"--ship: {experiment.name} trains no world model")
        folder = options.ship / f"{experiment.name}-{options.preset}"
        publish(cells[0].study.folder(options.out), folder, markdown(rows[:1]))


def page(experiment: Experiment, preset: str, rows: tuple[Row, ...]) -> str:
    """Write the table as a page that says how to make it again."""
    about = inspect.getdoc(type(experiment)) or ""
    command = f"cavendish study {experiment.name} --preset {preset}"
    note = f"Written by `{command}`; values with 95 % intervals over clips, or over seeds where a row has several."
    parts = [f"# {experiment.name}: {experiment.question}\n\n{about}\n\n{note}"]
    for heading, part in sections(rows).items():
        told = "\n".join(f"* {row.name}: {said}" for row in part for said in row.said)
        parts += [text for text in (f"## {heading}" * bool(heading), markdown(part).rstrip(), told) if text]
    return "\n\n".join(parts) + "\n"


def markdown(rows: tuple[Row, ...]) -> str:
    """Lay answers out as in the terminal, in markdown."""
    head = [("", *(row.name for row in rows)), ("---",) * (len(rows) + 1)]
    return "".join(f"| {' | '.join(line)} |\n" for line in (*head, *_lines(rows)))


def table(title: str, rows: tuple[Row, ...]) -> Table:
    """Lay answers out with a line per score and a column per row of the experiment."""
    shown = Table("", *(row.name for row in rows), title=title)
    for line in _lines(rows):
        shown.add_row(*map(escape, line))  # a unit in brackets is no style
    return shown


def _lines(rows: tuple[Row, ...]) -> Iterator[tuple[str, ...]]:
    """Yield a score's name and unit, and what every row says of it."""
    for number, score in enumerate(rows[0].scores):
        unit = f" [{score.unit}]" if score.unit else ""
        yield score.name + unit, *(interval_text(row.scores[number]) for row in rows)
