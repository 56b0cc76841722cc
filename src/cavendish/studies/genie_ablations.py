"""The choices behind a playable world, each varied alone on the pushable world, over three seeds.

The tables of Bruce et al. 2024 (arXiv 2402.15391): latent actions from pixels or from symbols (table 2), the tokenizer
(table 3), how the action enters (section 2.1: they add it; others could not reproduce that), and size and batch
(section 3.1).
"""

from dataclasses import replace
from typing import ClassVar, final

from cavendish.measure.score import Score
from cavendish.models import GenieConfig, WorldModel
from cavendish.models.genie.transformer import Shape
from cavendish.studies.experiment import Cell, Experiment
from cavendish.studies.genie_quick import QUICK, ask
from cavendish.studies.study import Study

SEEDS = range(3)
BASE = GenieConfig()
HALF = replace(QUICK.training, steps=QUICK.training.steps // 2)
SIZES = {
    "d 32": Shape(32, 2, 4, 4),
    "d 64": Shape(64, 3, 4, 4),
    "d 96": Shape(96, 3, 4, 4),
    "d 128": Shape(128, 4, 4, 4),
}


class GenieAblation(Experiment):
    """One choice, varied alone."""

    def ask(self, study: Study, model: WorldModel) -> tuple[Score, ...]:
        """Put all questions about a played world."""
        return ask(study, model)


def grid(rows: dict[str, GenieConfig]) -> dict[str, tuple[Cell, ...]]:
    """Train every row with every seed: half as long as `genie-quick` on two cores, ten times as long on a GPU."""
    lengths = {"quick": HALF, "h100": replace(HALF, steps=10 * QUICK.training.steps, batch=64)}
    return {
        preset: tuple(
            Cell(row, replace(QUICK, name="genie-ablation", model=config, training=training, seed=seed))
            for row, config in rows.items()
            for seed in SEEDS
        )
        for preset, training in lengths.items()
    }


@final
class GenieLamInput(GenieAblation):
    """Pixels or symbols."""

    name: ClassVar = "genie-lam-input"
    question: ClassVar = "should latent actions be told from pixels or from symbols?"

    def presets(self) -> dict[str, tuple[Cell, ...]]:
        """Vary what the latent actions see."""
        return grid({sees: replace(BASE, actions=replace(BASE.actions, sees=sees)) for sees in ("pixels", "symbols")})


@final
class GenieTokenizer(GenieAblation):
    """Patches alone, attention in space, or in space and time; a fixed grid or a learnt codebook."""

    name: ClassVar = "genie-tokenizer"
    question: ClassVar = "what should a symbol of a patch know of the rest of the film?"

    def presets(self) -> dict[str, tuple[Cell, ...]]:
        """Vary the tokenizer."""
        kinds = {k: replace(BASE.tokenizer, kind=k) for k in ("patch", "space", "space-time")}
        kinds["patch, codebook"] = replace(BASE.tokenizer, levels=(256,))
        return grid({name: replace(BASE, tokenizer=tokenizer) for name, tokenizer in kinds.items()})


@final
class GenieActionInjection(GenieAblation):
    """As a token, or added once."""

    name: ClassVar = "genie-action-injection"
    question: ClassVar = "how should the action enter the dynamics?"

    def presets(self) -> dict[str, tuple[Cell, ...]]:
        """Vary where the action enters."""
        ways = {way: replace(BASE.dynamics, injection=way) for way in ("token", "additive")}
        return grid({way: replace(BASE, dynamics=dynamics) for way, dynamics in ways.items()})


@final
class GenieScaling(GenieAblation):
    """Width and depth, and the batch."""

    name: ClassVar = "genie-scaling"
    question: ClassVar = "does a larger model, or a larger batch, play better after the same number of steps?"

    def presets(self) -> dict[str, tuple[Cell, ...]]:
        """Vary the size of the dynamics, then the batch."""
        sizes = grid(
            {name: replace(BASE, dynamics=replace(BASE.dynamics, shape=shape)) for name, shape in SIZES.items()}
        )
        return {preset: cells + batches(cells) for preset, cells in sizes.items()}


def batches(cells: tuple[Cell, ...]) -> tuple[Cell, ...]:
    """Repeat the cells of the usual size with half and with twice the batch."""
    usual = [cell.study for cell in cells if cell.row == "d 96"]
    return tuple(
        Cell(f"batch x {factor:g}", replace(study, training=replace(study.training, batch=round(size))))
        for factor in (0.5, 2)
        for study in usual
        for size in (factor * study.training.batch,)
    )
