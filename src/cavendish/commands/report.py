"""`cavendish report RUNS...`: one page for one or several runs."""

import sys
from dataclasses import dataclass
from pathlib import Path

import tyro

from cavendish.report import write_report


@dataclass(frozen=True)
class Options:
    """Write the page of one or several runs."""

    runs: tyro.conf.Positional[tuple[Path, ...]]
    """Run folders; the first one fills the page, the others join its comparison."""
    out: Path = Path("report.html")
    """The page to write."""


def main(arguments: list[str]) -> None:
    """Write the page, and say where it is."""
    options = tyro.cli(Options, args=arguments, prog="cavendish report")
    sys.stdout.write(f"report: {write_report(list(options.runs), options.out)}\n")
