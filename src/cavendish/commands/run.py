"""`cavendish run`: the main job, from nothing to a report."""

from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from cavendish.commands.options import DEFAULT_ROOT, DEFAULT_STUDY, parse_with_study
from cavendish.report import law_lines, verdict_table, write_report
from cavendish.studies import run


@dataclass(frozen=True)
class Options:
    """Run a study: learn, imagine, read, measure, report."""

    study: str = DEFAULT_STUDY
    """Name of the study."""
    out: Path = DEFAULT_ROOT
    """Folder of runs."""


def main(arguments: list[str]) -> None:
    """Run, report, and print the verdict."""
    options, study = parse_with_study(Options, arguments, "cavendish run")
    console = Console()
    folder = run(study, options.out, console)
    page = write_report([folder], folder / "report.html")
    console.print(verdict_table(folder))
    for line in law_lines(folder):
        console.print(line, highlight=False, soft_wrap=True, markup=False)
    console.print(f"report: {page}", highlight=False, soft_wrap=True)
