"""`cavendish train STUDY`: only the learning; `cavendish run` with the same study goes on from there.

On several processes or GPUs: torchrun --nproc-per-node 2 -m cavendish.cli train STUDY --spread.parts 2
"""

from dataclasses import dataclass
from pathlib import Path

import tyro
from rich.console import Console

from cavendish.commands.options import DEFAULT_ROOT, parse_with_study
from cavendish.studies.run import learn, open_run
from cavendish.training.signals import stop_requests
from cavendish.training.spread import joined


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
    with joined() as first:
        if not first:  # the first process owns the folder; the others compute
            with stop_requests() as stop:
                learn(study, study.folder(options.out), stop, Console(quiet=True))
            return
        with open_run(study, options.out) as (folder, stop):
            learn(study, folder, stop, console)
    console.print(f"trained: {folder}", highlight=False, soft_wrap=True)
