"""`genie-ale`: a playable world from films of a game that nobody here wrote (Breakout; Bellemare et al. 2013).

Asked on episodes of another seed: do latent actions align with the buttons (purity and NMI, beside shuffled codes, with
intervals over clips), and is the dream nearer to the truth after four frames than the last frame kept is? Two of the
four buttons of Breakout, none and fire, look the same wherever a ball is in play: a perfect pupil reaches a purity of
3/4.
"""

from dataclasses import replace
from typing import ClassVar, final

import numpy as np

from cavendish.data import Arcade
from cavendish.errors import BadInputError
from cavendish.measure.playing import Steered, alignment, foresight
from cavendish.measure.score import Score
from cavendish.models import GenieConfig, WorldModel
from cavendish.models.genie import DynamicsConfig, LatentActionConfig, TokenizerConfig
from cavendish.models.world_model import Pace
from cavendish.studies.experiment import Cell, Experiment
from cavendish.studies.study import Study, Weighing
from cavendish.training import TrainingConfig, seeded

CLIPS, KNOWN, FRESH = 128, 4, 1
STUDY = Study(
    "genie-ale",
    Arcade(),
    GenieConfig(
        tokenizer=TokenizerConfig(levels=(256,), pace=Pace(2.0), moving=100.0),
        actions=LatentActionConfig(pace=Pace()),
        dynamics=DynamicsConfig(frames=4, pace=Pace(1.6), moving=50.0, taken_back=1.0),
    ),
    TrainingConfig(steps=300, batch=16, rate=3e-3, save_every=60),
    Weighing(regions=()),
)


@final
class GenieAle(Experiment):
    """A game of the Arcade Learning Environment, learnt from random play."""

    name: ClassVar = "genie-ale"
    question: ClassVar = "do the buttons of a real game come out of its silent video?"

    def presets(self) -> dict[str, tuple[Cell, ...]]:
        """Train on one title."""
        return {"quick": (Cell("Breakout", STUDY),)}

    def ask(self, study: Study, model: WorldModel) -> tuple[Score, ...]:
        """Align and foresee, on fresh episodes."""
        if not isinstance(model, Steered) or not isinstance(study.data, Arcade):
            raise BadInputError(f"{study.name}: expected a game with buttons, and a model with latent actions")
        clip = replace(study.data, seed=FRESH, episodes=CLIPS // 4).clips(np.arange(CLIPS))
        return (*alignment(model, clip), *foresight(model, clip, KNOWN, seeded(FRESH, 2)))
