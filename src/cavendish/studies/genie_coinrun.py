"""`genie-coinrun`: the case study of the paper, CoinRun played at random in hard mode, in minutes on one accelerator.

Asked on lossless films of levels that no training film showed: how near are ten dreamt frames to the truth, when the
actions are inferred, random, or the last frame is kept; do latent actions align with the buttons? A film of training is
made by `examples/coinrun/record.py`. Beside it: GenieRedux (Kazemi et al. 2024) published 25.5 dB and SSIM 0.77 for ten
frames after one, seven latent actions, after days on eight accelerators; its tokenizer alone repaints with 38 dB. Of
nine directions the game tells six apart when nothing is in the way, so purity stays below 1 for a perfect pupil.
"""

from dataclasses import dataclass, replace
from typing import ClassVar, final

import numpy as np
import torch
from jaxtyping import Int
from torch import Tensor

from cavendish.data import Recording
from cavendish.errors import BadInputError
from cavendish.measure.playing import alignment, foresight, psnr, rollout
from cavendish.measure.score import Score, score
from cavendish.models import GenieConfig, WorldModel
from cavendish.models.genie import DynamicsConfig, Genie, LatentActionConfig, TokenizerConfig
from cavendish.models.genie.transformer import Shape
from cavendish.models.world_model import Pace
from cavendish.studies.experiment import Cell, Experiment
from cavendish.studies.study import Study, Weighing
from cavendish.training import TrainingConfig, seeded
from cavendish.training.engine import Engine
from cavendish.video import Clip, Imagined

CLIPS, PART = 256, 32  # clips asked about, and how many at a time
STEPS, KNOWN, FRESH = 10, 4, 1
STUDY = Study(
    "genie-coinrun",
    Recording("coinrun/train"),
    GenieConfig(
        tokenizer=TokenizerConfig("drawn", 4, (8, 5, 5, 5), Shape(256, 4, 8, 1), Pace(1.2), moving=1.0),
        actions=LatentActionConfig(7, width=128, crop=64, pace=Pace(0.8), known=2),
        dynamics=DynamicsConfig(Shape(256, 6, 8, 4), frames=6),
    ),
    TrainingConfig(steps=5000, batch=48, rate=1e-3, ema=0.999, save_every=1000),
    Weighing(regions=()),
    engine=Engine("cuda", "bfloat16", "kernels"),
)


@final
class GenieCoinRun(Experiment):
    """A scrolling game, learnt from random play."""

    name: ClassVar = "genie-coinrun"
    question: ClassVar = "how near to the truth are ten dreamt frames of CoinRun?"

    def presets(self) -> dict[str, tuple[Cell, ...]]:
        """Train one model."""
        return {"h100": (Cell("CoinRun", STUDY),)}

    def ask(self, study: Study, model: WorldModel) -> tuple[Score, ...]:
        """Dream, align and foresee, on films of other levels."""
        if not isinstance(model, Genie) or not isinstance(study.data, Recording):
            raise BadInputError(f"{study.name}: expected recorded films, and a model with latent actions")
        folder = study.data.folder.removesuffix("train") + "test"
        clip = replace(study.data, folder=folder, seed=FRESH).clips(np.arange(CLIPS))
        away = Away(model, torch.device(study.engine.device))
        painted = psnr(away.repainted(clip).flatten(0, 1), clip.frames.flatten(0, 1)).reshape(CLIPS, -1).mean(1)
        return (
            *rollout(away, clip, 1, STEPS, seeded(FRESH, 1)),
            *rollout(away, clip, KNOWN, STEPS, seeded(FRESH, 2)),
            score("PSNR repainted", "dB", painted),
            *alignment(away, clip),
            *foresight(away, clip, KNOWN, seeded(FRESH, 3)),
        )


@final
@dataclass(frozen=True)
class Away:
    """A model on a device, asked a part at a time; what it says comes back to the processor."""

    model: Genie
    device: torch.device

    def __post_init__(self) -> None:
        """Carry the model there."""
        self.model.to(self.device).eval()

    @property
    def buttons(self) -> int:
        """Return the number of latent actions."""
        return self.model.buttons

    def infer(self, clip: Clip) -> Int[Tensor, "b s"]:
        """Return the latent action of every transition."""
        return torch.cat([self.model.infer(part).cpu() for part in self._parts(clip)])

    def guess(self, clip: Clip) -> tuple[Int[Tensor, "b s n"], Int[Tensor, "b t n"]]:
        """Return the likeliest symbols of every frame after the first, and the true symbols."""
        found = [tuple(told.cpu() for told in self.model.guess(part)) for part in self._parts(clip)]
        guessed, symbols = (torch.cat(told) for told in zip(*found, strict=True))
        return guessed, symbols

    def follow(self, context: Clip, actions: Int[Tensor, "b h"], generator: torch.Generator) -> Imagined:
        """Continue clips with given latent actions."""
        own = seeded(int(torch.randint(2**31, (), generator=generator)), device=self.device)
        asked = zip(self._parts(context), torch.split(actions.to(self.device), PART), strict=True)
        made = [self.model.follow(part, pressed, own) for part, pressed in asked]
        frames = torch.cat([part.frames.cpu() for part in made if part.frames is not None])
        return Imagined(frames, None, made[0].time.cpu(), context.world, made[0].context)

    @torch.no_grad()
    def repainted(self, clip: Clip) -> Tensor:
        """Return frames as the tokenizer paints them."""
        tokenizer = self.model.tokenizer
        return torch.cat([tokenizer.decode(tokenizer.encode(part.frames)).cpu() for part in self._parts(clip)])

    def _parts(self, clip: Clip) -> list[Clip]:
        time = clip.time.to(self.device)
        return [Clip(frames.to(self.device), time, clip.world) for frames in torch.split(clip.frames, PART)]
