"""Three schools in four sizes, each at one price.

The price is counted, not timed: training operations of all stages (`training_flops`, attention included) times their
steps. The schools of one size differ by less than `SLACK` in it; their parameters by less than a factor of 2.5, and the
clips that they see by whatever follows, since a school that looks at a film more cheaply may look at more of them.
"""

from dataclasses import dataclass
from typing import final

from cavendish.data import Blend
from cavendish.measure.score import Score, figure
from cavendish.models import AnyModel, DiffusionConfig, GenieConfig, JepaConfig, WorldModel
from cavendish.models.diffusion import Mixture
from cavendish.models.genie import DynamicsConfig, LatentActionConfig, TokenizerConfig
from cavendish.models.genie.transformer import Shape
from cavendish.models.jepa import Sigreg
from cavendish.models.world_model import Stage
from cavendish.studies.study import Study
from cavendish.training import TrainingConfig
from cavendish.training.loop import paced

SCHOOLS, SLACK = ("diffusion", "genie", "jepa"), 0.02
Symbols = tuple[int, int, tuple[int, int, int], int, int]  # pixels, patch, widths of the parts, depth, heads
Taught = tuple[int, float, tuple[int, int, int]]  # clips of a step, decay of the average, steps of each school
MIXTURE, GUARD = Mixture(leap=0.9, prefix=0.08), Sigreg(weight=0.005)


@final
@dataclass(frozen=True)
class School:
    """A model and how it is taught."""

    name: str
    model: AnyModel
    training: TrainingConfig


def cost(study: Study | None, model: WorldModel | None) -> tuple[Score, ...]:
    """Return parameters, training operations and clips seen; nothing for who is not trained on films."""
    parameters = flops = clips = float("nan")
    if study is not None and model is not None:
        parameters, flops, clips = sum(p.numel() for p in model.parameters()) / 1e6, 0.0, 0.0
        for stage in model.stages():
            config = paced(study.training, stage.pace)
            flops += config.steps * config.batch * operations(study, stage) / 1e12
            clips += config.steps * config.batch / 1e3
    named = (("parameters", "M", parameters), ("training", "TFLOP", flops), ("clips seen", "thousand", clips))
    return tuple(figure(*one) for one in named)


def operations(study: Study, stage: Stage) -> float:
    """Return the training operations per clip, in the mean over all kinds of clips of the study."""
    turn = study.data.turn if isinstance(study.data, Blend) else 1
    return sum(stage.module.training_flops(clip) for clip in study.data.batches(0, turn)) / turn


def _three(
    pixels: tuple[str, int, int], symbols: Symbols, abstract: tuple[str, int, int], taught: Taught
) -> tuple[School, ...]:
    """Build three schools from their sizes, and how many steps of how many clips each is taught."""
    side, patch, (tokens, acts, width), depth, heads = symbols
    models = (
        DiffusionConfig(*pixels, mixture=MIXTURE),
        GenieConfig(
            side,
            side,
            TokenizerConfig(patch=patch, shape=Shape(tokens, 2, 4, 4)),
            LatentActionConfig(width=acts),
            DynamicsConfig(Shape(width, depth, heads, 4)),
        ),
        JepaConfig(*abstract, window=20, guard=GUARD),
    )
    batch, ema, steps = taught
    ways = ((batch // 2, 1e-3), (batch, 3e-3), (batch, 2e-3))  # those of the schools' own quick studies, or nearly
    lessons = (TrainingConfig(n, *way, ema=ema, save_every=250) for n, way in zip(steps, ways, strict=True))
    named: zip[tuple[str, AnyModel, TrainingConfig]] = zip(SCHOOLS, models, lessons, strict=True)
    return tuple(School(*parts) for parts in named)


# Steps are the price divided by the operations of a step: 1.5 and 5 TFLOP, 60 and 600 PFLOP for each training.
SMALL = (("pico", 8, 8), (32, 8, (128, 40, 64), 3, 4), ("pico", 4, 6))
QUICK = _three(*SMALL, (16, 0.98, (585, 368, 712)))
LAPTOP = _three(*SMALL, (16, 0.99, (1950, 1227, 2373)))
LARGE = _three(("S", 8, 4), (64, 8, (256, 96, 384), 8, 8), ("S", 4, 16), (128, 0.999, (11348, 13432, 51473)))
PAPER = _three(("S", 16, 2), (128, 16, (256, 96, 384), 8, 8), ("S", 8, 16), (256, 0.9995, (23728, 66727, 228901)))
