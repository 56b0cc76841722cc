"""Of two attributes taught together, which does a model keep when they are asked apart?

A model learns small red and large blue bodies, say, and is then shown three frames of a large red one. What it makes
of it is read and compared with what it was shown: the rows of the conflict matrix are pairs taught together, its
columns attributes (Kang et al. 2024, section 5: colour > size > velocity > shape, at a thousand times the training).
What is asked as it was taught stands beside it: a model that does not keep what it was taught has no preference.
"""

from dataclasses import replace
from typing import ClassVar, final

import numpy as np

from cavendish.data import Picture, Split
from cavendish.errors import BadInputError
from cavendish.measure.copying import conflict_scores
from cavendish.measure.score import Score
from cavendish.models import DiffusionConfig, WorldModel
from cavendish.scenes import AttributeConflict
from cavendish.studies.catalogue import QUICK_MODEL
from cavendish.studies.controls import Dreamer, Freeze, NearestCase, Oracle, reader_of
from cavendish.studies.experiment import Cell, Experiment, Row
from cavendish.studies.sighted import sighted
from cavendish.studies.study import Study, Weighing
from cavendish.training import TrainingConfig, seeded

SCENE = AttributeConflict()
CLIPS, CASES, NOISE = 128, 2000, 3.0  # asked; what a copyist knows; of the truth's pictures, in sRGB bytes
APART = "-swapped"
QUICK = ("colour-size-binary",)
EVERY = tuple(region for region in SCENE.regions() if f"{region}{APART}" in SCENE.regions())


@final
class AttributeMatrix(Experiment):
    """A model per pair of attributes; `truth` films what happens, `nearest case` replays the most similar lesson.

    "First" and "second" are the attributes of the pair in the order of the row's name.
    """

    name: ClassVar = "attribute-conflict"
    question: ClassVar = "of two attributes taught together, which is kept when they are asked apart?"

    def presets(self) -> dict[str, tuple[Cell, ...]]:
        """Train on one pair in four minutes, or on all of them, with more seeds on larger machines."""
        larger = replace(QUICK_MODEL, size="nano")
        return {
            "quick": _cells(QUICK, QUICK_MODEL, TrainingConfig(1200, 16, 1.5e-3, ema=0.995, save_every=200)),
            "laptop": _cells(EVERY, QUICK_MODEL, TrainingConfig(6000, 16, 1.5e-3, ema=0.995, save_every=500)),
            "h100": _cells(EVERY, larger, TrainingConfig(20_000, 128, 1e-3, ema=0.999, save_every=1000), 3),
        }

    def ask(self, study: Study, model: WorldModel) -> tuple[Score, ...]:
        """Continue clips as they were taught, and clips that show what no lesson did."""
        return asked(study.data.lead, sighted(study.data.lead, model))

    def controls(self, preset: str) -> tuple[Row, ...]:
        """Ask whoever knows the truth, and whoever replays a lesson."""
        rows = []
        for cell in {cell.row: cell for cell in self.cells(preset)}.values():
            data = cell.study.data.lead
            rows += [
                Row(f"truth, {cell.row}", asked(data, None)),
                Row(f"nearest case, {cell.row}", asked(data, NearestCase(data, CASES, reader_of(data)))),
            ]
        return (*rows, Row("freeze", asked(self.cells(preset)[0].study.data.lead, Freeze())))


def asked(data: Split, dreamer: Dreamer | None) -> tuple[Score, ...]:
    """Ask a dreamer, or the truth, both ways."""
    if not isinstance(data.scene, AttributeConflict):
        raise BadInputError(f"attributes conflict in {SCENE.name()} alone, got {data.scene.name()}")
    scores = []
    for said, region in (("taught", data.region), ("apart", data.region + APART)):
        clip = Split(data.scene, region, CLIPS, 1, data.picture).clips(np.arange(CLIPS))
        truth = clip.truth
        who = dreamer or Oracle(data.scene, truth, NOISE)
        dreamt = who.imagine(clip.first(SCENE.context), SCENE.frames - SCENE.context, seeded(1))
        reading = reader_of(data).read(dreamt.film.numpy(), truth.time)
        found = conflict_scores(data.scene, truth, reading, data.region)
        scores += [score.named(f"{said}: {score.name}") for score in found[: 4 if said == "taught" else None]]
    return tuple(scores)


def _cells(
    regions: tuple[str, ...], model: DiffusionConfig, training: TrainingConfig, seeds: int = 1
) -> tuple[Cell, ...]:
    cells = []
    for region in regions:
        data = Split(SCENE, region, 3_000_000, picture=Picture(32, 32), flip=0.0)
        study = Study("conflict", data, model, training, Weighing((region, region + APART)))
        cells += [Cell(region, replace(study, seed=seed)) for seed in range(seeds)]
    return tuple(cells)
