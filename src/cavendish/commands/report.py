"""`cavendish report RUNS...`: one page for one or several runs; `--verify CARD`: is a result card what was signed?"""

import sys
from dataclasses import dataclass
from pathlib import Path

import tyro

from cavendish.report import write_report
from cavendish.report.card import verify_card
from cavendish.report.signature import new_key


@dataclass(frozen=True)
class Options:
    """Write the page of one or several runs, verify a result card, or make a key to sign cards with."""

    runs: tyro.conf.Positional[tuple[Path, ...]] = ()
    """Run folders; the first one fills the page, the others join its comparison."""
    out: Path = Path("report.html")
    """The page to write."""
    verify: Path | None = None
    """A scorecard.json to check instead: signature, and every mean and interval against the values per clip."""
    videos: Path | None = None
    """With --verify: the folder of the films, to check their hashes too."""
    signer: str = ""
    """With --verify: the public key that must have signed the card, 64 hexadecimal digits."""
    new_key: Path | None = None
    """File to write a new private key to, for `cavendish measure --key`; its public key is printed."""


def main(arguments: list[str]) -> None:
    """Write the page, and say where it is; or verify, or make a key, and say so."""
    options = tyro.cli(Options, args=arguments, prog="cavendish report")
    if options.new_key is not None:
        sys.stdout.write(f"public key: {new_key(options.new_key)}\n")
    elif options.verify is not None:
        checked, signer = verify_card(options.verify, options.videos, options.signer)
        said = f"signed by {signer}" if signer else "unaltered, but signed by nobody"
        sys.stdout.write(f"{options.verify}: {said}; {checked} values per clip give its means and intervals\n")
    else:
        sys.stdout.write(f"report: {write_report(list(options.runs), options.out)}\n")
