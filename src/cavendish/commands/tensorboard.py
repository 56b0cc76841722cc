"""`cavendish tensorboard RUN`: copy a run's training log to TensorBoard event files."""

import sys
from dataclasses import dataclass
from pathlib import Path

import tyro

from cavendish.errors import BadInputError
from cavendish.training.log import read_log, to_tensorboard


@dataclass(frozen=True)
class Options:
    """Copy a run's training log to TensorBoard event files."""

    run: tyro.conf.Positional[Path]
    """Run folder; the files go to its folder `tensorboard`."""


def main(arguments: list[str]) -> None:
    """Copy, and say where."""
    options = tyro.cli(Options, args=arguments, prog="cavendish tensorboard")
    records = read_log(options.run / "log.jsonl")
    if not records:
        raise BadInputError(f"{options.run / 'log.jsonl'}: no training records here")
    to_tensorboard(records, options.run / "tensorboard")
    sys.stdout.write(f"{len(records)} records in {options.run / 'tensorboard'}\n")
