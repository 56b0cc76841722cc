"""Who is surprised by the impossible? Three ways of learning and three detectors of smoothness before the same films.

Every model learns falling balls (`parabola`, 32 px) for a few minutes. Then it sees true films and impossible twins,
made both ways (`measure.surprise`), and is judged by the AUROC of its mean surprise from where the twins part,
    own           the model's surprise as it is: error of a free run, of a dream in one leap, nats of symbols
    by phase      standardised by the moments of each frame over true films of a development split
    released      V-JEPA's convention, with the context for which development pairs are told apart best
Detectors are judged alike. Development films are drawn with another seed than those that are judged.
"""

from collections.abc import Iterator
from dataclasses import replace
from typing import ClassVar, final

import numpy as np

from cavendish.data import Split
from cavendish.measure.score import Score
from cavendish.measure.surprise import (
    BASELINES,
    BOTH_WAYS,
    Foretold,
    Pairs,
    Surprised,
    both,
    preference,
    standardised,
    twins,
)
from cavendish.models import AnyModel, GenieConfig, JepaConfig, WorldModel
from cavendish.models.jepa import Jepa, Sigreg
from cavendish.scenes import Parabola
from cavendish.studies.catalogue import GENIE_QUICK, QUICK_MODEL, QUICK_PICTURE, QUICK_TRAINING
from cavendish.studies.experiment import Cell, Experiment, Row
from cavendish.studies.study import Study, Weighing
from cavendish.training import TrainingConfig, seeded

PAIRS, REHEARSED, USUAL = 200, 60, 200  # judged; on which the context is chosen; true films that tell what is usual
CONTEXTS = (2, 3, 4, 6, 8, 10)  # frames
DEVELOPMENT, JUDGED = 11, 12  # seeds; training has seed 0
DATA = Split(Parabola(), size=3_000_000, picture=QUICK_PICTURE)
JEPA = JepaConfig(latent=6, window=32, guard=Sigreg(weight=0.005))


@final
class SurpriseStudy(Experiment):
    """The possible and the impossible, told apart by models and by detectors of smoothness."""

    name: ClassVar = "surprise"
    question: ClassVar = "whose surprise tells the impossible from the possible, and does it beat smoothness?"

    def presets(self) -> dict[str, tuple[Cell, ...]]:
        """Train the three kinds of models, minutes each; a larger machine takes ten times as long and three seeds."""
        quick = tuple(_cells(1, 0))
        return {"quick": quick, "laptop": tuple(cell for seed in range(3) for cell in _cells(10, seed))}

    def ask(self, study: Study, model: WorldModel) -> tuple[Score, ...]:
        """Show the films."""
        return judged(study.data.lead, model)

    def controls(self, preset: str) -> tuple[Row, ...]:
        """Show them to the detectors."""
        return tuple(Row(name, judged(DATA, detector)) for name, detector in BASELINES.items())


def judged(data: Split, judge: Surprised) -> tuple[Score, ...]:
    """Judge by every convention, on every kind of violation."""
    usual = _fresh(data, DEVELOPMENT, USUAL).clips(np.arange(USUAL))
    ways: dict[str, Surprised] = {"own": judge, "by phase": standardised(judge, usual, seeded(0))}
    found, context = {way: _marks(data, who) for way, who in ways.items()}, float("nan")
    if isinstance(judge, Jepa):
        rehearsed = {c: _marks(data, Foretold(judge, c), DEVELOPMENT, REHEARSED) for c in CONTEXTS}
        context = max(CONTEXTS, key=lambda c: sum(auroc.value for auroc in rehearsed[c][::2]))
        found["released"] = _marks(data, Foretold(judge, int(context)))
    else:
        found["released"] = tuple(replace(s, value=float("nan"), n=0, values=()) for s in found["own"])
    names = [f"{kind}, {what}" for kind in BOTH_WAYS for what in ("AUROC", "accuracy")]
    scores = [
        s.named(f"{name}, {way}") for n, name in enumerate(names) for way, marks in found.items() for s in (marks[n],)
    ]
    return (*scores, Score("context chosen", "frames", context, context, context, 1, 1, (context,)))


def _marks(data: Split, judge: Surprised, seed: int = JUDGED, count: int = PAIRS) -> tuple[Score, ...]:
    told = (preference(judge, pairs, seeded(seed)) for pairs in _pairs(data, seed, count))
    return tuple(score for answer in told for score in (answer.auroc, answer.accuracy))


def _pairs(data: Split, seed: int, count: int) -> Iterator[Pairs]:
    for one, other in BOTH_WAYS.values():
        yield twins(_fresh(data, seed, count), both(one, other), count)


def _fresh(data: Split, seed: int, count: int) -> Split:
    return replace(data, region="interpolation", size=count, seed=seed, flip=0.0)


def _cells(times: int, seed: int) -> Iterator[Cell]:
    def cell(row: str, model: AnyModel, training: TrainingConfig) -> Cell:
        longer = replace(training, steps=times * training.steps, save_every=500)
        return Cell(row, Study(f"surprise-{row.lower()}", DATA, model, longer, Weighing(("interpolation",)), seed))

    yield cell("JEPA", JEPA, TrainingConfig(steps=1600, batch=16, rate=2e-3))
    yield cell("diffusion", QUICK_MODEL, replace(QUICK_TRAINING, steps=1000))
    yield cell("Genie", GenieConfig(QUICK_PICTURE.height, QUICK_PICTURE.width), GENIE_QUICK.training)
