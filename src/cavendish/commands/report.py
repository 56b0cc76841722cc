"""`cavendish report RUNS...`: one page for one or several runs; `--verify CARD`: is a result card what it was?"""

import sys
from dataclasses import dataclass
from pathlib import Path

import tyro

from cavendish.report import write_report
from cavendish.report.card import verify_card


@dataclass(frozen=True)
class Options:
    """Write the page of one or several runs, or verify a result card."""

    runs: tyro.conf.Positional[tuple[Path, ...]] = ()
    """Run folders; the first one fills the page, the others join its comparison."""
    out: Path = Path("report.html")
    """The page to write."""
    verify: Path | None = None
    """A scorecard.json to check instead: signature, and every mean and interval against the values per clip."""
    videos: Path | None = None
    """With --verify: the folder of the films, to check their hashes too."""
    key: Path | None = None
    """With --verify: the key file that the card was signed with."""


def main(arguments: list[str]) -> None:
    """Write the page, and say where it is; or verify, and say so."""
    options = tyro.cli(Options, args=arguments, prog="cavendish report")
    if options.verify is not None:
        checked = verify_card(options.verify, options.videos, options.key)
        sys.stdout.write(f"{options.verify}: as signed; {checked} values per clip give its means and intervals\n")
        return
    sys.stdout.write(f"report: {write_report(list(options.runs), options.out)}\n")
