"""How a study is chosen and overridden on the command line: `--study NAME --training.steps 100`."""

from pathlib import Path
from typing import TypeVar

import tyro

from cavendish.studies import Study, study_named

T = TypeVar("T")


def parse_with_study(options: type[T], arguments: list[str], prog: str) -> tuple[T, Study]:
    """Read a command's own options (with a field `study`), then let the rest override the study's fields."""
    asks_help = any(flag in arguments for flag in ("-h", "--help"))
    own_arguments = [a for a in arguments if a not in ("-h", "--help")]
    own, rest = tyro.cli(options, args=own_arguments, prog=prog, return_unknown_args=True)
    study = study_named(own.study)  # type: ignore[attr-defined]
    if asks_help:
        rest = [*rest, "--help"]
    description = f"Fields of the study '{study.name}' that may be overridden; also --study NAME and --out DIR."
    chosen = tyro.cli(
        Study, args=rest, prog=prog, default=study, description=description, config=(tyro.conf.AvoidSubcommands,)
    )
    return own, chosen


DEFAULT_STUDY = "uniform-quick"
DEFAULT_ROOT = Path("runs")
