"""`genie-quick`: a playable world from silent video, in nine minutes of processor time.

A red ball is pushed about by five buttons that nobody tells of. Three questions: are the latent actions the buttons,
does the dreamt world obey them from starts that it never saw, and does it obey physics? What it set out to reach: every
code in use, purity 0.85, delta-4 PSNR 3 dB, changed-token accuracy 0.6, and every pad doing one thing in nine of ten
trials. A world that asks for history or more codes (the platform: gravity takes codes) is no part of this one.
"""

from dataclasses import replace
from typing import ClassVar, final

import numpy as np
import torch

from cavendish.data import Split
from cavendish.errors import BadInputError
from cavendish.measure.playing import (
    OUTCOMES,
    Pressed,
    Steered,
    alignment,
    foresight,
    obedience,
    persistence,
    press_all,
    start_images,
    true_presses,
)
from cavendish.measure.score import Score
from cavendish.models import WorldModel
from cavendish.scenes import Playable
from cavendish.studies.catalogue import GENIE_QUICK
from cavendish.studies.controls import reader_of
from cavendish.studies.experiment import Cell, Experiment
from cavendish.studies.study import Study
from cavendish.training import seeded
from cavendish.video import Clip

CLIPS, FRAMES, KNOWN = 64, 16, 4
TRIALS, HOLD, LONG = 200, 2, 64  # starts, and frames for which a pad is held or any pads are pressed
FRESH = 1  # seed of what is asked; training has seed 0


@final
class GenieQuick(Experiment):
    """The pushable world, learnt and played."""

    name: ClassVar = "genie-quick"
    question: ClassVar = "do buttons that nobody told of come out of silent video, and does the dreamt world obey them?"

    def presets(self) -> dict[str, tuple[Cell, ...]]:
        """Train one model."""
        return {"quick": (Cell("pushable", GENIE_QUICK),)}

    def ask(self, study: Study, model: WorldModel) -> tuple[Score, ...]:
        """Align, foresee, and press every pad."""
        return ask(study, model)


def ask(study: Study, model: WorldModel, trials: int = TRIALS) -> tuple[Score, ...]:
    """Put every question about a pushed ball to a played world, on fresh clips and starts."""
    data = study.data.lead
    starts = start_images(Split(data.scene, data.region, 100 * trials, FRESH + 1, data.picture), trials, HOLD)
    assert isinstance(data.scene, Playable)
    truth = true_presses(data.scene, starts.truth, HOLD)
    return answers(study, model, starts, truth, OUTCOMES, (fresh(study), LONG))


def fresh(study: Study) -> Clip:
    """Film clips that no training saw."""
    return replace(study.data.lead, size=CLIPS, seed=FRESH, flip=0.0, grid=()).clips(np.arange(CLIPS))


def answers(
    study: Study,
    model: WorldModel,
    starts: Clip,
    truth: Pressed,
    outcomes: tuple[str, ...],
    lasting: tuple[Clip, int],
) -> tuple[Score, ...]:
    """Align and foresee on fresh clips, hold every pad from the starts, and press any pads for long."""
    if not isinstance(model, Steered):
        raise BadInputError(f"{study.name}: a {type(model).__name__} has no latent actions to press")
    clip, reader, (begun, presses) = fresh(study), reader_of(study.data.lead), lasting
    codes, shape = model.infer(clip), (len(begun.frames), presses)
    usual = codes.flatten()[torch.randint(codes.numel(), shape, generator=seeded(FRESH, 1))]
    return (
        *alignment(model, clip),
        *foresight(model, clip.first(FRAMES), KNOWN, seeded(FRESH, 2)),
        *obedience(press_all(model, starts, truth, reader, HOLD, seeded(FRESH, 3)), outcomes),
        *persistence(model, begun, reader, usual, seeded(FRESH, 4)),
    )
