"""The choices behind a playable world, each varied alone on the pushable world, over three seeds.

The tables of Bruce et al. 2024 (arXiv 2402.15391): latent actions from pixels or from symbols (table 2), the tokenizer
(table 3), how the action enters (section 2.1: they add it; others could not reproduce that), and size and batch
(section 3.1). On two cores everything is smaller (32 px, two blocks of width 64, a quarter of an hour for all tables),
on a larger machine the base is that of `genie-quick`. What two rows train in the same way is trained once.
"""

from abc import abstractmethod
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import ClassVar, Literal, final

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

SEEDS, TRIALS = range(3), 60
LARGE = replace(
    GENIE_QUICK,
    name="genie-ablation",
    training=replace(GENIE_QUICK.training, steps=10 * GENIE_QUICK.training.steps, batch=64),
)
SMALL = replace(
    LARGE,
    data=replace(GENIE_QUICK.data.lead, picture=Picture(32, 32)),
    model=GenieConfig(
        32,
        32,
        TokenizerConfig(patch=4, pace=Pace(steps=0.7)),
        LatentActionConfig(crop=16, pace=Pace(steps=1.2)),
        DynamicsConfig(Shape(64, 2, 4, 4), frames=3),
    ),
    training=replace(GENIE_QUICK.training, steps=150),
)
LATER = {"tokenizer": ("actions", "dynamics"), "actions": ("dynamics",)}  # parts that a part does not depend on


class GenieAblation(Experiment):
    """One choice, varied alone."""

    @abstractmethod
    def rows(self, base: GenieConfig) -> dict[str, GenieConfig]:
        """Vary one choice of a base."""

    def presets(self) -> dict[str, tuple[Cell, ...]]:
        """Train every row with every seed."""
        return {"quick": tuple(self._grid(SMALL)), "h100": tuple(self._grid(LARGE))}

    def _grid(self, study: Study) -> Iterator[Cell]:
        assert isinstance(study.model, GenieConfig)
        for row, config in self.rows(study.model).items():
            for seed in SEEDS:
                yield Cell(row, replace(study, model=config, seed=seed))

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
        return tuple(score for score in ask(study, model, TRIALS) if not score.name.startswith("pad "))


def _alike(study: Study, part: str) -> Study:
    """Return a study without what a part of its model does not depend on."""
    assert isinstance(study.model, GenieConfig)
    return replace(study, model=replace(study.model, **{later: getattr(GenieConfig(), later) for later in LATER[part]}))


@final
class GenieLamInput(GenieAblation):
    """Pixels or symbols."""

    name: ClassVar = "genie-lam-input"
    question: ClassVar = "should latent actions be told from pixels or from symbols?"

    def rows(self, base: GenieConfig) -> dict[str, GenieConfig]:
        """Vary the input."""
        inputs: tuple[Literal["pixels", "symbols"], ...] = ("pixels", "symbols")
        return {sees: replace(base, actions=replace(base.actions, sees=sees)) for sees in inputs}


@final
class GenieTokenizer(GenieAblation):
    """Patches alone, attention in space, back in time, or to all of both; a fixed grid or a learnt codebook."""

    name: ClassVar = "genie-tokenizer"
    question: ClassVar = "what should a symbol of a patch know of the rest of the film?"

    def rows(self, base: GenieConfig) -> dict[str, GenieConfig]:
        """Vary the tokenizer."""
        kinds: tuple[Literal["patch", "space", "space-time", "full"], ...] = ("patch", "space", "space-time", "full")
        made: dict[str, TokenizerConfig] = {kind: replace(base.tokenizer, kind=kind) for kind in kinds}
        made["patch, codebook"] = replace(base.tokenizer, levels=(256,))
        return {name: replace(base, tokenizer=tokenizer) for name, tokenizer in made.items()}


@final
class GenieActionInjection(GenieAblation):
    """As a token, or added once."""

    name: ClassVar = "genie-action-injection"
    question: ClassVar = "how should the action enter the dynamics?"

    def rows(self, base: GenieConfig) -> dict[str, GenieConfig]:
        """Vary the entrance."""
        ways: tuple[Literal["token", "additive"], ...] = ("token", "additive")
        return {way: replace(base, dynamics=replace(base.dynamics, injection=way)) for way in ways}


@final
class GenieScaling(GenieAblation):
    """Width and depth, and the batch."""

    name: ClassVar = "genie-scaling"
    question: ClassVar = "does a larger model, or a larger batch, play better after the same number of steps?"

    def rows(self, base: GenieConfig) -> dict[str, GenieConfig]:
        """Vary the width, and the batch of the dynamics."""
        shape = base.dynamics.shape
        widths = [replace(shape, width=shape.width * n // 2) for n in (1, 2, 3)]
        sized = {f"d {one.width}": replace(base.dynamics, shape=one) for one in widths}
        paced = {f"batch x {n:g}": replace(base.dynamics, pace=Pace(batch=n)) for n in (0.5, 2.0)}
        return {name: replace(base, dynamics=dynamics) for name, dynamics in {**sized, **paced}.items()}
