"""The choices behind a playable world, each varied alone on the pushable world, over three seeds.

The tables of Bruce et al. 2024 (arXiv 2402.15391): latent actions from pixels or from symbols (table 2), the tokenizer
(table 3), how the action enters (section 2.1: they add it; others could not reproduce that), and size and batch
(section 3.1). On two cores the world is filmed at 32 px, in four cells by four, and what two rows train in the same way
(the tokenizer where only the dynamics differ) is trained once; on a larger machine rows are those of `genie-quick`.
"""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import ClassVar, final

from cavendish.data import Picture
from cavendish.measure.score import Score
from cavendish.models import GenieConfig, WorldModel
from cavendish.models.genie import DynamicsConfig, LatentActionConfig, TokenizerConfig
from cavendish.models.genie.transformer import Shape
from cavendish.models.world_model import Pace
from cavendish.studies.catalogue import GENIE_QUICK
from cavendish.studies.experiment import Cell, Experiment
from cavendish.studies.genie_quick import ask
from cavendish.studies.study import Study, read_study
from cavendish.training import checkpoint, seeded
from cavendish.training.loop import paced

SEEDS = range(3)
BASE = GenieConfig()
SHORT = replace(GENIE_QUICK.training, steps=400)
LONG = replace(GENIE_QUICK.training, steps=10 * GENIE_QUICK.training.steps, batch=64)
SIDE, CROP = 32, 16  # px, on two cores
LATER = {"tokenizer": ("actions", "dynamics"), "actions": ("dynamics",)}  # parts that a part does not depend on
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
        """Train every row with every seed: small films on two cores, those of `genie-quick` on a larger machine."""
        small = replace(GENIE_QUICK.data, picture=Picture(SIDE, SIDE))
        quick = replace(GENIE_QUICK, name="genie-ablation", data=small, training=SHORT)
        large = replace(GENIE_QUICK, name="genie-ablation", training=LONG)
        shrunk = {row: _shrunk(config) for row, config in self.rows.items()}
        return {"quick": tuple(_grid(quick, shrunk)), "h100": tuple(_grid(large, self.rows))}

    def prepare(self, study: Study, folder: Path) -> None:
        """Take over the parts that a run beside this one has trained in the same way."""
        for other in sorted(folder.parent.glob(f"{study.name}-*/study.json")):
            for stage in study.model.build(seeded(study.seed)).stages():
                lent, own = (run / "checkpoints" / stage.name for run in (other.parent, folder))
                if stage.name not in LATER or not checkpoint.steps(lent) or checkpoint.steps(own):
                    continue
                tensors, state = checkpoint.load(checkpoint.steps(lent)[-1])
                done = state["step"] == paced(study.training, stage.pace).steps
                if done and _alike(study, stage.name) == _alike(read_study(other.parent), stage.name):
                    checkpoint.save(own, state["step"], tensors, state)

    def ask(self, study: Study, model: WorldModel) -> tuple[Score, ...]:
        """Put all questions about a played world; which pad does what differs from seed to seed."""
        return tuple(score for score in ask(study, model) if not score.name.startswith("pad "))


def _shrunk(config: GenieConfig) -> GenieConfig:
    return replace(config, height=SIDE, width=SIDE, actions=replace(config.actions, crop=CROP))


def _grid(study: Study, rows: Mapping[str, GenieConfig]) -> Iterator[Cell]:
    for row, config in rows.items():
        for seed in SEEDS:
            yield Cell(row, replace(study, model=config, seed=seed))


def _alike(study: Study, part: str) -> Study:
    """Return a study without what a part of its model does not depend on."""
    assert isinstance(study.model, GenieConfig)
    return replace(study, model=replace(study.model, **{later: getattr(BASE, later) for later in LATER[part]}))


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
