"""`genie-platform`: a second world to play, with gravity: an agent walks and jumps over steps.

A jump goes on by itself, so latent actions look back one frame; "jump" in the air is "none", so a perfect pupil stays
below a purity of 0.84. Where pixels that move weigh 15 times more, as they do elsewhere, no pad came to walk right
(docs/log.md); here they weigh 3 times more. Pads are held from starts on the ground where all four true buttons lead to
different places, and each is called by the button that moves the true agent most nearly as it was read to move. The
agent's mass is no matter here: the true exponent is 0.
"""

from dataclasses import replace
from typing import ClassVar, final

import numpy as np

from cavendish.data import Picture, Split
from cavendish.measure.playing import Pressed, true_presses
from cavendish.measure.score import Score
from cavendish.models import GenieConfig, WorldModel
from cavendish.models.genie import LatentActionConfig
from cavendish.scenes import Platform, Playable
from cavendish.studies.catalogue import GENIE_QUICK
from cavendish.studies.controls import reader_of
from cavendish.studies.experiment import Cell, Experiment
from cavendish.studies.genie_quick import FRESH, HOLD, answers
from cavendish.studies.study import Study
from cavendish.video import Clip

LONG = 16  # presses
TRIALS, APART = 100, 0.3  # starts, and m between what two buttons do
STUDY = replace(
    GENIE_QUICK,
    name="genie-platform",
    data=Split(Platform(), size=3_000_000, picture=Picture(64, 64)),
    model=GenieConfig(actions=LatentActionConfig(known=2, moving=3.0)),
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
        data = study.data.lead
        scene = data.scene
        assert isinstance(scene, Playable)
        starts, truth = _apart(replace(data, size=10 * TRIALS, seed=FRESH + 1), scene)
        return answers(study, model, starts, truth, scene.controls, (starts, LONG))


def _apart(split: Split, scene: Playable) -> tuple[Clip, Pressed]:
    """Film starts that can be read and from which every true button leads elsewhere, and tell where to."""
    moved = true_presses(scene, split.trajectories(np.arange(split.size)), HOLD).moved
    far = np.linalg.norm(moved[:, None] - moved, axis=-1) + np.where(np.eye(len(moved)), np.inf, 0.0)[..., None]
    kept = np.flatnonzero(far.min((0, 1)) > APART)[: 2 * TRIALS]
    tried, reader = split.clips(kept), reader_of(split)
    kept = kept[~reader.read(tried.frames[:, :1].numpy(), tried.time[:1].numpy()).lost[:, 0, 0]][:TRIALS]
    return split.clips(kept), true_presses(scene, split.trajectories(kept), HOLD)
