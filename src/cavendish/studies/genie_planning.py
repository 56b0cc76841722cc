"""`genie-planning`: can a world that was learnt from silent video be acted in?

The errands of `planning`, on the pushable table of `genie-quick`: look at a picture, make the table look like it. The
world knows codes and the table knows buttons, so a few labelled moves say which code stands for a button: the one that
was inferred most often where it was pressed. Courses of true buttons are then dreamt frame by frame, and cost how far
from the goal the lab's reader finds the ball in the dream; a ball that fades is nowhere near.
    CEM        cross-entropy over courses       shooting   as many courses, drawn once (random shooting)
    greedy     one step ahead                   chance     any button          simulator  CEM in the true world
"""

from typing import ClassVar, final

import numpy as np
import torch
from jaxtyping import Float, Int, UInt8
from torch import Tensor

from cavendish.data import Split
from cavendish.errors import BadInputError
from cavendish.measure.planning import Chance, Greedy, Planner, Policy
from cavendish.measure.playing import Steered
from cavendish.measure.score import Score
from cavendish.models import WorldModel
from cavendish.motion import World
from cavendish.readout import Reader
from cavendish.scenes import Playable
from cavendish.studies.controls import reader_of
from cavendish.studies.experiment import Cell, Experiment
from cavendish.studies.genie_quick import GenieQuick
from cavendish.studies.planning import FRESH, Simulator, Tables, errands
from cavendish.studies.study import Study
from cavendish.training import seeded
from cavendish.video import Clip

ERRANDS, LABELLED = 40, 200  # pictures, and moves whose button is told
DRAWN, ROUNDS, DEPTH = 12, 2, 4  # courses of a round; a dreamt frame costs 5 ms of one core


@final
class Dreamt:
    """A played world as a foresight: features are where the ball is read in its dreams, in metres."""

    def __init__(self, model: Steered, means: Int[Tensor, " button"], reader: Reader, world: World) -> None:
        self.model, self.means, self.reader, self.world = model, means, reader, world

    @property
    def buttons(self) -> int:
        """Return the number of true buttons."""
        return len(self.means)

    def glimpse(self, frames: UInt8[Tensor, "b t h w c"]) -> Float[Tensor, "b t k"]:
        """Read the place of the first body; one that is not found is ten worlds away."""
        place = self.reader.read(frames.numpy(), np.arange(frames.shape[1], dtype=float)).position[:, :, 0]
        return torch.from_numpy(np.where(np.isnan(place), 10 * self.world.width, place)).float()

    def foresee(self, seen: UInt8[Tensor, "b t h w c"], courses: Int[Tensor, "b n s"]) -> Float[Tensor, "b n s k"]:
        """Dream every course."""
        b, n, s = courses.shape
        begun = Clip(seen.repeat_interleave(n, 0), torch.arange(seen.shape[1]).float(), self.world)
        frames = self.model.follow(begun, self.means[courses.flatten(0, 1)], seeded(FRESH)).film
        return self.glimpse(frames[:, seen.shape[1] :]).view(b, n, s, -1)


def meaning(model: Steered, clip: Clip, labelled: int, buttons: int) -> Int[Tensor, " button"]:
    """Return, for every button, the code that was inferred most often in those of the first moves that pressed it."""
    assert clip.actions is not None
    codes, pressed = model.infer(clip).flatten()[:labelled], clip.actions[:, :-1, 0].long().flatten()[:labelled]
    if len(set(pressed.tolist())) < buttons:
        raise BadInputError(f"{labelled} labelled moves do not press all of {buttons} buttons")
    table = torch.zeros(buttons, model.buttons)
    return table.index_put_((pressed, codes), torch.ones(len(codes)), accumulate=True).argmax(1)


@final
class GeniePlanning(Experiment):
    """Goal pictures, reached or not, by planning in a world learnt from silent video.

    40 errands on the pushable table: 20 presses, then the ball's middle must be within 0.4 m of where it is in the
    picture, 2 m or more from where it began. 200 labelled moves name the codes, and the lab's reader finds the ball in
    goals and dreams. All planners think over equally many courses. Wilson intervals.
    """

    name: ClassVar = "genie-planning"
    question: ClassVar = "can a world that was learnt from silent video be acted in?"

    def presets(self) -> dict[str, tuple[Cell, ...]]:
        """Take the world of `genie-quick`, trained once for both."""
        return GenieQuick().presets()

    def ask(self, study: Study, model: WorldModel) -> tuple[Score, ...]:
        """Send every policy on the same errands."""
        data = study.data.lead
        scene, reader = data.scene, reader_of(data)
        if not isinstance(model, Steered) or not isinstance(scene, Playable):
            raise BadInputError(f"{study.name}: expected a model with latent actions, and a world with buttons")
        tables = Tables(scene, data.picture, errands(scene, data.picture, ERRANDS, FRESH))
        told = Split(scene, data.region, 16, FRESH, data.picture).clips(np.arange(16))
        dreamt = Dreamt(model, meaning(model, told, LABELLED, len(scene.controls)), reader, scene.world)
        policies: dict[str, Policy] = {
            "CEM": Planner(dreamt, seeded(FRESH, 1), depth=DEPTH, drawn=DRAWN, rounds=ROUNDS),
            "shooting": Planner(dreamt, seeded(FRESH, 2), depth=DEPTH, drawn=DRAWN * ROUNDS, rounds=1),
            "greedy": Greedy(dreamt),
            "chance": Chance(len(scene.controls), seeded(FRESH, 3)),
            "simulator": Planner(Simulator(tables, reader), seeded(FRESH, 4), depth=DEPTH, drawn=DRAWN, rounds=ROUNDS),
        }
        return tables.judged(policies)
