"""Scores on disk: one JSON file that a report, a table or a stranger can recompute from and compare."""

from dataclasses import dataclass, field
from pathlib import Path

from cavendish.artefact import read_json, verify_folder
from cavendish.codec import LATER, from_json
from cavendish.errors import BadInputError
from cavendish.measure.discovery import Discovery
from cavendish.measure.score import Score

MODEL = "model"
RESULTS = "results"  # folder inside a run


@dataclass(frozen=True)
class Entry:
    """The scores of a model or of a control."""

    who: str
    scores: tuple[Score, ...]
    copying: Score
    law: Discovery | None = field(default=None, metadata=LATER)  # what its motion obeys

    def __getitem__(self, name: str) -> Score:
        """Find a score by its name."""
        return next(score for score in self.scores if score.name == name)


@dataclass(frozen=True)
class RegionResult:
    """All scores of one region."""

    region: str
    noise: float  # of the model's pictures, sRGB bytes
    entries: tuple[Entry, ...]  # the model first, then the controls

    def of(self, who: str) -> Entry:
        """Find the scores of the model or of a control."""
        return next(entry for entry in self.entries if entry.who == who)


@dataclass(frozen=True)
class Answers:
    """What a model or a control answers to questions that are asked once per study."""

    who: str
    scores: tuple[Score, ...]

    def __getitem__(self, name: str) -> Score:
        """Find a score by its name."""
        return next(score for score in self.scores if score.name == name)


@dataclass(frozen=True)
class Results:
    """All regions of one study, and what was asked once."""

    regions: tuple[RegionResult, ...]
    symmetries: tuple[Answers, ...] = field(default=(), metadata=LATER)
    surprise: tuple[Answers, ...] = field(default=(), metadata=LATER)

    def of(self, region: str) -> RegionResult:
        """Find a region's scores."""
        return next(result for result in self.regions if result.region == region)


def read_results(run: Path) -> Results:
    """Read the results of a run, refusing a missing or an altered file."""
    folder = run / RESULTS
    if not folder.is_dir():
        raise BadInputError(f"{run}: no results here; run the study first")
    verify_folder(folder)
    return from_json(Results, read_json(folder / "scores.json"), str(folder / "scores.json"))
