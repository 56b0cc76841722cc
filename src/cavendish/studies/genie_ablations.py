"""The choices behind a playable world, each varied alone on the pushable world, over three seeds.

The tables of Bruce et al. 2024 (arXiv 2402.15391): latent actions from pixels or from symbols (table 2), the tokenizer
(table 3), how the action enters (section 2.1: they add it; others could not reproduce that), and size and batch
(section 3.1).
"""

from collections.abc import Iterator
from dataclasses import replace
from typing import ClassVar, final

from cavendish.measure.score import Score
from cavendish.models import GenieConfig, WorldModel
from cavendish.models.genie import DynamicsConfig, LatentActionConfig, TokenizerConfig
from cavendish.models.genie.transformer import Shape
from cavendish.models.world_model import Pace
from cavendish.studies.catalogue import GENIE_QUICK
from cavendish.studies.experiment import Cell, Experiment
from cavendish.studies.genie_quick import ask
from cavendish.studies.study import Study
from cavendish.training import TrainingConfig

SEEDS = range(3)
BASE = GenieConfig()
HALF = replace(GENIE_QUICK.training, steps=GENIE_QUICK.training.steps // 2)
SIZES = {
    "d 32": Shape(32, 2, 4, 4),
    "d 64": Shape(64, 3, 4, 4),
    "d 96": Shape(96, 3, 4, 4),
    "d 128": Shape(128, 4, 4, 4),
}


class GenieAblation(Experiment):
    """One choice, varied alone."""

    rows: ClassVar[dict[str, GenieConfig]]

    def presets(self) -> dict[str, tuple[Cell, ...]]:
        """Train every row with every seed: half as long as `genie-quick` on two cores, ten times as long on a GPU."""
        lengths = {"quick": HALF, "h100": replace(HALF, steps=10 * GENIE_QUICK.training.steps, batch=64)}
        return {preset: tuple(self.grid(training)) for preset, training in lengths.items()}

    def grid(self, training: TrainingConfig) -> Iterator[Cell]:
        """Yield every row with every seed."""
        for row, config in self.rows.items():
            for seed in SEEDS:
                study = replace(GENIE_QUICK, name="genie-ablation", model=config, training=training, seed=seed)
                yield Cell(row, study)

    def ask(self, study: Study, model: WorldModel) -> tuple[Score, ...]:
        """Put all questions about a played world."""
        return ask(study, model)


@final
class GenieLamInput(GenieAblation):
    """Pixels or symbols."""

    name: ClassVar = "genie-lam-input"
    question: ClassVar = "should latent actions be told from pixels or from symbols?"
    rows: ClassVar = {sees: replace(BASE, actions=LatentActionConfig(sees=sees)) for sees in ("pixels", "symbols")}


@final
class GenieTokenizer(GenieAblation):
    """Patches alone, attention in space, or in space and time; a fixed grid or a learnt codebook."""

    name: ClassVar = "genie-tokenizer"
    question: ClassVar = "what should a symbol of a patch know of the rest of the film?"
    rows: ClassVar = {
        **{kind: replace(BASE, tokenizer=TokenizerConfig(kind=kind)) for kind in ("patch", "space", "space-time")},
        "patch, codebook": replace(BASE, tokenizer=TokenizerConfig(levels=(256,))),
    }


@final
class GenieActionInjection(GenieAblation):
    """As a token, or added once."""

    name: ClassVar = "genie-action-injection"
    question: ClassVar = "how should the action enter the dynamics?"
    rows: ClassVar = {way: replace(BASE, dynamics=DynamicsConfig(injection=way)) for way in ("token", "additive")}


@final
class GenieScaling(GenieAblation):
    """Width and depth, and the batch."""

    name: ClassVar = "genie-scaling"
    question: ClassVar = "does a larger model, or a larger batch, play better after the same number of steps?"
    rows: ClassVar = {
        **{name: replace(BASE, dynamics=DynamicsConfig(shape)) for name, shape in SIZES.items()},
        **{f"batch x {n:g}": replace(BASE, dynamics=DynamicsConfig(pace=Pace(batch=n))) for n in (0.5, 2.0)},
    }
