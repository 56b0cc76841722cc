"""`cavendish train STUDY`: only the learning; `cavendish run` with the same study goes on from there."""

from dataclasses import dataclass
from pathlib import Path

import tyro
from rich.console import Console

from cavendish.commands.options import DEFAULT_ROOT, parse_with_study
from cavendish.studies.run import learn, open_run


@dataclass(frozen=True)
class Options:
    """Train a study's model."""

    study: tyro.conf.Positional[str]
    """Name of the study."""
    out: Path = DEFAULT_ROOT
    """Folder of runs."""


def main(arguments: list[str]) -> None:
    """Train, and say where the checkpoints are."""
    options, study = parse_with_study(Options, arguments, "cavendish train")
    console = Console()
    with open_run(study, options.out) as (folder, stop):
        learn(study, folder, stop, console)
    console.print(f"trained: {folder}", highlight=False, soft_wrap=True)
