"""One model, every way of prompting: what is given stays, what is not is dreamt to fit."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from cavendish.data import Picture, Split
from cavendish.data.captions import SPOKEN
from cavendish.errors import BadInputError
from cavendish.models.diffusion import Diffusion, DiffusionConfig, Lexicon, Mixture, Sampling, prompts
from cavendish.models.diffusion.prompts import Prompt
from cavendish.motion import World
from cavendish.scenes import UniformMotion
from cavendish.training import seeded
from cavendish.training.optimiser import Optimiser, rate_share
from cavendish.video import Clip

FRAMES, SIDE = 8, 16
ASKED = Mixture(leap=0.0, prefix=0.0, subset=0.6, whole=0.4, masked=0.2, silent=0.2)
CONFIG = DiffusionConfig(size="pico", patch=8, tubelet=2, mixture=ASKED, steps=4, text=Lexicon(SPOKEN))
SAID = ("uniform-motion: velocity 1.5 m/s", "uniform-motion: velocity 3 m/s")


def two_clips() -> Clip:
    """Film a low ball that goes slowly to the right and a high one that goes fast to the left."""
    scene = UniformMotion()
    factors = np.array([[1.8, 1.5, 2.0, 3.0], [1.4, 2.5, 1.0, 7.5]])
    time = np.arange(FRAMES) * 0.4
    from cavendish.data.split import mirror
    from cavendish.render import render

    moving = mirror(scene.simulate(factors, time), 10.0, np.array([False, True]))
    frames = torch.from_numpy(render(scene.draw(moving), SIDE, SIDE))
    return Clip(frames, torch.from_numpy(time).float(), scene.world, told=lambda: SAID)


def taught(config: DiffusionConfig, clip: Clip, steps: int) -> Diffusion:
    """Let a model learn clips by heart."""
    learner = config.build(seeded(0))
    optimiser = Optimiser(learner, "muon", 4e-3)
    for step in range(steps):
        loss, _ = learner.loss(clip, seeded(0, step))
        loss.backward()
        optimiser.step(rate_share(step, steps, 0.02, 0.6))
    return learner


@pytest.fixture(scope="module")
def learner() -> Diffusion:
    """A model that knows the two clips."""
    two = two_clips()
    four = Clip(two.frames.repeat(4, 1, 1, 1, 1), two.time, two.world, told=lambda: SAID * 4)
    return taught(CONFIG, four, 500)
