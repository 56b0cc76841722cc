"""`genie-cloning`: how many labelled moves does a policy need that watched an expert in silence?

Latent actions are learnt from films of random play in the platform world; they look back one frame, for a jump goes on
by itself. The expert (region `expert` of the scene) walks and jumps to the right edge. Success: the edge is reached
within the frames of a clip, from starts that no film showed; Wilson intervals. The paper: 200 labelled moves reach the
oracle on CoinRun (figure 15). The other two parts of the world are not asked and take one step.
"""

from typing import ClassVar, final

import numpy as np
import torch
from jaxtyping import Bool

from cavendish.data import Picture, Split
from cavendish.errors import BadInputError
from cavendish.measure.playing import Steered, alignment
from cavendish.measure.score import Score, proportion
from cavendish.models import GenieConfig, WorldModel
from cavendish.models.genie import DynamicsConfig, LatentActionConfig, TokenizerConfig
from cavendish.models.world_model import Pace
from cavendish.scenes import Platform, Playable
from cavendish.studies.cloning import clone, dictionary, drawing, film, played, translated
from cavendish.studies.experiment import Cell, Experiment
from cavendish.studies.study import Study, Weighing
from cavendish.training import TrainingConfig, seeded

LABELLED = (0, 5, 20, 50, 200)  # moves
EXPERT, FRESH = 250, 1  # games that are watched, and the seed of whatever is asked
GAMES, DICTIONARIES = 60, 5  # per draw of labelled moves, and draws
UNASKED = Pace(steps=0.0)
STUDY = Study(
    "genie-cloning",
    Split(Platform(), size=3_000_000, picture=Picture(64, 64)),
    GenieConfig(
        tokenizer=TokenizerConfig(pace=UNASKED),
        actions=LatentActionConfig(pace=Pace(), known=2),
        dynamics=DynamicsConfig(pace=UNASKED),
    ),
    TrainingConfig(steps=300, batch=16, rate=3e-3, save_every=100),
    Weighing(("train",)),
)


@final
class GenieCloning(Experiment):
    """Cloning from latent actions, beside the oracle and random buttons."""

    name: ClassVar = "genie-cloning"
    question: ClassVar = "how many labelled moves does a policy need that watched an expert in silence?"

    def presets(self) -> dict[str, tuple[Cell, ...]]:
        """Train one set of latent actions."""
        return {"quick": (Cell("platform", STUDY),)}

    def ask(self, study: Study, model: WorldModel) -> tuple[Score, ...]:
        """Watch, clone, and play."""
        if not isinstance(model, Steered):
            raise BadInputError(f"{study.name}: a {type(model).__name__} has no latent actions to clone")
        data, scene = study.data.lead, study.data.lead.scene
        assert isinstance(scene, Playable)
        watched = Split(scene, "expert", EXPERT, FRESH, data.picture)
        games = Split(scene, "expert", GAMES * DICTIONARIES, FRESH + 1, data.picture)
        starts = games.trajectories(np.arange(games.size))
        side, buttons = (data.picture.height, data.picture.width), len(scene.controls)
        shown, generator = film(watched, model, EXPERT), seeded(FRESH, 1)
        oracle = drawing(clone(shown.frames, shown.buttons, buttons, generator), generator)
        latent = drawing(clone(shown.frames, shown.codes, model.buttons, generator), generator)
        won: dict[str, Bool[np.ndarray, " b"]] = {
            "the expert itself": scene.finished(starts)[:, -1],
            "random buttons": played(
                scene, starts.factors, side, lambda seen: torch.randint(buttons, (len(seen),), generator=generator)
            ),
            "oracle cloning": played(scene, starts.factors, side, oracle),
        }
        for count in LABELLED:
            parts = []
            for factors in np.split(starts.factors, DICTIONARIES):
                labelled = torch.randperm(len(shown.codes), generator=generator)[:count]
                meant = dictionary(shown, model.buttons, buttons, labelled)
                parts.append(played(scene, factors, side, translated(latent, meant, generator)))
            won[f"latent cloning, {count} labelled moves"] = np.concatenate(parts)
        random, expert = (alignment(model, split.clips(np.arange(min(EXPERT, 64)))) for split in (data, watched))
        return (
            *(proportion(f"success, {name}", hits) for name, hits in won.items()),
            *random,
            *(score.named(f"{score.name}, on the expert's films") for score in expert[:2]),
        )
