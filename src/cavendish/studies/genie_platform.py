"""`genie-platform`: a second world to play, with gravity: an agent walks and jumps over steps.

A jump goes on by itself, so latent actions look back one frame; "jump" in the air is "none", so a perfect pupil stays
below a purity of 1. Pads are held from starts on the ground where all four true buttons lead to different places, and
each is called by the button that moves the true agent most nearly as it was read to move. The agent's mass is no
matter here: the true exponent is 0.
"""

from dataclasses import replace
from typing import ClassVar, final

import numpy as np
import torch

from cavendish.data import Picture, Split
from cavendish.errors import BadInputError
from cavendish.measure.playing import (
    Pressed,
    Steered,
    alignment,
    foresight,
    obedience,
    persistence,
    press_all,
    true_presses,
)
from cavendish.measure.score import Score
from cavendish.models import GenieConfig, WorldModel
from cavendish.models.genie import LatentActionConfig
from cavendish.readout import Reader
from cavendish.scenes import Platform, Playable
from cavendish.studies.catalogue import GENIE_QUICK
from cavendish.studies.controls import reader_of
from cavendish.studies.experiment import Cell, Experiment
from cavendish.studies.study import Study
from cavendish.training import seeded
from cavendish.video import Clip

CLIPS, KNOWN, FRAMES, LONG = 64, 4, 16, 16
TRIALS, HOLD, APART = 100, 2, 0.3  # starts, frames for which a pad is held, and m between what two buttons do
FRESH = 1
STUDY = replace(
    GENIE_QUICK,
    name="genie-platform",
    data=Split(Platform(), size=3_000_000, picture=Picture(64, 64)),
    model=GenieConfig(actions=LatentActionConfig(known=2)),
)


@final
class GeniePlatform(Experiment):
    """The platform world, learnt and played."""

    name: ClassVar = "genie-platform"
    question: ClassVar = "do the buttons of a world with gravity come out of silent video?"

    def presets(self) -> dict[str, tuple[Cell, ...]]:
        """Train one model."""
        return {"quick": (Cell("platform", STUDY),)}

    def ask(self, study: Study, model: WorldModel) -> tuple[Score, ...]:
        """Align, foresee, and press every pad."""
        if not isinstance(model, Steered):
            raise BadInputError(f"{study.name}: a {type(model).__name__} has no latent actions to press")
        data = study.data.lead
        scene, reader = data.scene, reader_of(data)
        assert isinstance(scene, Playable)
        clip = replace(data, size=CLIPS, seed=FRESH).clips(np.arange(CLIPS))
        starts, truth = _apart(replace(data, size=10 * TRIALS, seed=FRESH + 1), scene, reader)
        codes = model.infer(clip)
        usual = codes.flatten()[torch.randint(codes.numel(), (TRIALS, LONG), generator=seeded(FRESH, 1))]
        return (
            *alignment(model, clip),
            *foresight(model, clip.first(FRAMES), KNOWN, seeded(FRESH, 2)),
            *obedience(press_all(model, starts, truth, reader, HOLD, seeded(FRESH, 3)), scene.controls),
            *persistence(model, starts, reader, usual[: len(starts.frames)], seeded(FRESH, 4)),
        )


def _apart(split: Split, scene: Playable, reader: Reader) -> tuple[Clip, Pressed]:
    """Film starts that can be read and from which every true button leads elsewhere, and tell where to."""
    moved = true_presses(scene, split.trajectories(np.arange(split.size)), HOLD).moved
    far = np.linalg.norm(moved[:, None] - moved, axis=-1) + np.where(np.eye(len(moved)), np.inf, 0.0)[..., None]
    kept = np.flatnonzero(far.min((0, 1)) > APART)[: 2 * TRIALS]
    tried = split.clips(kept)
    kept = kept[~reader.read(tried.frames[:, :1].numpy(), tried.time[:1].numpy()).lost[:, 0, 0]][:TRIALS]
    return split.clips(kept), true_presses(scene, split.trajectories(kept), HOLD)
