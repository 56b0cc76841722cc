"""`cavendish study NAME --preset quick`: a whole experiment, from its grid of trainings to its table."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import tyro
from rich.console import Console
from rich.table import Table

from cavendish.commands.options import DEFAULT_ROOT
from cavendish.report.page import interval_text
from cavendish.studies.experiment import Row, run_experiment
from cavendish.studies.experiments import experiment_named


@dataclass(frozen=True)
class Options:
    """Run an experiment; what is done already is not done again."""

    name: tyro.conf.Positional[str]
    """Name of the experiment."""
    preset: Literal["quick", "laptop", "h100", "paper"] = "quick"
    """How large: two cores in minutes, a laptop overnight, one large accelerator, or the published size."""
    out: Path = DEFAULT_ROOT
    """Folder of runs."""


def main(arguments: list[str]) -> None:
    """Run, and print the table."""
    options = tyro.cli(Options, args=arguments, prog="cavendish study")
    experiment = experiment_named(options.name)
    console = Console()
    rows = run_experiment(experiment, options.preset, options.out, console)
    console.print(table(f"{experiment.name}: {experiment.question}", rows))


def table(title: str, rows: tuple[Row, ...]) -> Table:
    """Lay answers out with a line per score and a column per row of the experiment."""
    shown = Table("", *(row.name for row in rows), title=title)
    for number, score in enumerate(rows[0].scores):
        unit = f" [{score.unit}]" if score.unit else ""
        shown.add_row(score.name + unit, *(interval_text(row.scores[number]) for row in rows))
    return shown
