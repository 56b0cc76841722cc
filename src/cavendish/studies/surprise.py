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
CONTEXTS = (2, 4, 8, 12)  # frames
WAYS = ("own", "by phase", "released")
DEVELOPMENT, JUDGED = 11, 12  # seeds; training has seed 0
DATA = Split(Parabola(), size=3_000_000, picture=QUICK_PICTURE)
JEPA = JepaConfig(latent=6, window=32, guard=Sigreg(weight=0.005))


@final
class SurpriseStudy(Experiment):
    """The possible and the impossible, told apart by models and by detectors of smoothness.

    200 falling balls and as many impossible twins per kind, made both ways (vanish or come back; jump up or down by
    1.5 m, slightly 0.3 m; fall by 2 or 1/2, slightly 1.1 or 1/1.1 of gravity). Judged by each model's own surprise, by
    the same standardised at every frame over true films, and, for features, by V-JEPA's released convention with a
    context chosen on other pairs. Models are not matched in size or time. Cells: AUROC, and accuracy within pairs.
    """

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
    films, unasked = _films(data, JUDGED, PAIRS), Score("", "", np.nan, np.nan, np.nan, 0, PAIRS, ())
    chosen = unasked.named("context chosen")
    ways: dict[str, Surprised] = {"own": judge, "by phase": standardised(judge, usual, seeded(0))}
    if isinstance(judge, Jepa):
        context = _rehearsed(judge, _films(data, DEVELOPMENT, REHEARSED))
        chosen = replace(chosen, unit="frames", value=float(context), n=1, clips=1, values=(float(context),))
        ways["released"] = Foretold(judge, context)
    found = {way: [preference(who, pairs, seeded(JUDGED)) for pairs in films] for way, who in ways.items()}
    scores = []
    for number, kind in enumerate(BOTH_WAYS):
        for what in ("auroc", "accuracy"):
            for way in WAYS:
                mark = getattr(found[way][number], what) if way in found else unasked
                scores.append(mark.named(f"{kind}, {what}, {way}"))
    return (*scores, chosen)


def _rehearsed(judge: Jepa, films: list[Pairs]) -> int:
    """Choose the context with which development pairs are told apart best."""
    told = {c: sum(preference(Foretold(judge, c), pairs, seeded(0)).auroc.value for pairs in films) for c in CONTEXTS}
    return max(told, key=lambda c: told[c])


def _films(data: Split, seed: int, count: int) -> list[Pairs]:
    fresh = _fresh(data, seed, count)
    return [twins(fresh, both(one, other), count) for one, other in BOTH_WAYS.values()]


def _fresh(data: Split, seed: int, count: int) -> Split:
    return replace(data, region="interpolation", size=count, seed=seed, flip=0.0)


def _cells(times: int, seed: int) -> Iterator[Cell]:
    def cell(row: str, model: AnyModel, training: TrainingConfig) -> Cell:
        longer = replace(training, steps=times * training.steps, save_every=500)
        return Cell(row, Study(f"surprise-{row.lower()}", DATA, model, longer, Weighing(("interpolation",)), seed))

    yield cell("JEPA", JEPA, TrainingConfig(steps=1600, batch=16, rate=2e-3))
    yield cell("diffusion", QUICK_MODEL, replace(QUICK_TRAINING, steps=1000))
    yield cell("Genie", GenieConfig(QUICK_PICTURE.height, QUICK_PICTURE.width), GENIE_QUICK.training)
