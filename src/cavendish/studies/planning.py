"""Can a learnt world be acted in? Pictures of goals on the pushable table, and who reaches them.

An errand: from a fresh start, ball at rest, make the table look like a picture. The picture shows where a hidden course
of 4 to 14 presses in two neighbouring directions leads, 2 m or farther away (nearer goals are not asked for). After 20
presses, of the gymnasium environment and whatever they were, the ball's middle must be within 0.4 m of where it should
be: the end counts, not a moment on the way. Policies see the last frames and the goal, never a place or a mass.
Shares of errands with Wilson intervals (Wilson 1927), of the same errands for all:
    CEM, MPPI     planners in the model's abstract space (`measure.planning`)
    greedy        one step of the same foresight          inverse    the model's inverse dynamics, no foresight
    chance        any button                              simulator  CEM in the true world, from the true state,
told of the goal by the lab's reader: what planning can reach here at all.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, final

import numpy as np
import torch
from jaxtyping import Float, Int, UInt8
from torch import Tensor

from cavendish.data import Picture
from cavendish.errors import BadInputError
from cavendish.measure.planning import Boltzmann, Chance, Greedy, Inverse, Planner, Policy
from cavendish.measure.score import Score, proportion, score
from cavendish.models import WorldModel
from cavendish.models.jepa import Jepa
from cavendish.readout import Reader
from cavendish.render import render
from cavendish.scenes import Playable
from cavendish.studies.controls import reader_of
from cavendish.studies.experiment import Cell, Experiment
from cavendish.studies.jepa_quick import JepaQuick
from cavendish.studies.study import Study
from cavendish.training import seeded

ERRANDS, PRESSES, FRESH = 200, 20, 5
COURSE, WAYS = (4, 14), ((1, 3), (1, 4), (2, 3), (2, 4))  # presses of the hidden course, and the buttons it mixes
FAR, NEAR = 2.0, 0.4  # m
SEEN = 3  # frames that a policy is shown


@final
@dataclass(frozen=True)
class Errands:
    """Where to begin, and what it should look like."""

    factors: Float[np.ndarray, "b f"]
    goal: UInt8[Tensor, "b h w c"]
    place: Float[np.ndarray, "b d"]  # m, of the first body


def errands(scene: Playable, picture: Picture, count: int, seed: int) -> Errands:
    """Draw starts and goals."""
    rng = np.random.default_rng(seed)
    kept: list[tuple[np.ndarray, ...]] = []
    clock = scene.clock()[: PRESSES + 1]
    while len(kept) < count:
        factors, course = scene.sample("interpolation", rng)[None], np.zeros((1, PRESSES + 1, 1))
        presses = rng.integers(COURSE[0], COURSE[1] + 1)
        course[0, :presses, 0] = rng.choice(
            WAYS[rng.integers(len(WAYS))], presses, p=[share := rng.random(), 1 - share]
        )
        led = scene.simulate(factors, clock, course)
        if np.linalg.norm(led.position[0, -1, 0] - led.position[0, 0, 0]) >= FAR:
            kept.append(
                (factors[0], led.position[0, -1, 0], render(scene.draw(led), picture.height, picture.width)[0, -1])
            )
    start, place, goal = (np.stack(part) for part in zip(*kept, strict=True))
    return Errands(start, torch.from_numpy(goal), place)


class Tables:
    """One gymnasium environment per errand."""

    def __init__(self, scene: Playable, picture: Picture, asked: Errands) -> None:
        from cavendish.data.environment import Environment

        self.scene, self.asked = scene, asked
        self.each = [Environment(scene, "interpolation", picture) for _ in asked.factors]

    @torch.no_grad()
    def run(self, policy: Policy) -> Float[np.ndarray, " b"]:
        """Let a policy press its buttons, and return how far from the goal every ball ends, in metres."""
        first = [
            table.reset(options={"factors": row})[0] for table, row in zip(self.each, self.asked.factors, strict=True)
        ]
        films = [np.stack(first)]
        while (left := PRESSES + 1 - len(films)) > 0:
            seen = torch.from_numpy(np.stack(films[-SEEN:], 1))
            for buttons in policy.press(seen, self.asked.goal, left).T[:left]:
                films.append(np.stack([t.step(int(a))[0] for t, a in zip(self.each, buttons, strict=True)]))
        ends = np.stack([table.state.position[0, -1, 0] for table in self.each])
        return np.asarray(np.linalg.norm(ends - self.asked.place, axis=-1))

    def judged(self, policies: Mapping[str, Policy]) -> tuple[Score, ...]:
        """Send every policy on the same errands, and score which goals it reaches."""
        ends = {name: self.run(policy) for name, policy in policies.items()}
        reached = tuple(proportion(f"goals reached, {name}", end < NEAR) for name, end in ends.items())
        return (*reached, *(score(f"distance at the end, {name}", "m", end) for name, end in ends.items()))


@final
class Simulator:
    """The true world as a foresight: features are metres."""

    def __init__(self, tables: Tables, reader: Reader) -> None:
        self.tables, self.reader = tables, reader

    @property
    def buttons(self) -> int:
        """Return the number of true buttons."""
        return len(self.tables.scene.controls)

    def glimpse(self, frames: UInt8[Tensor, "b t h w c"]) -> Float[Tensor, "b t k"]:
        """Read the place of the first body."""
        found = self.reader.read(frames.numpy(), np.arange(frames.shape[1], dtype=float))
        return torch.from_numpy(found.position[:, :, 0]).float()

    def foresee(self, seen: UInt8[Tensor, "b t h w c"], courses: Int[Tensor, "b n s"]) -> Float[Tensor, "b n s k"]:
        """Simulate every course from the true states."""
        scene, (b, n, s) = self.tables.scene, courses.shape
        factors = np.concatenate([scene.resume(table.state) for table in self.tables.each])
        actions = np.zeros((b * n, s + 1, 1))
        actions[:, :s, 0] = courses.flatten(0, 1).numpy()
        led = scene.simulate(np.repeat(factors, n, 0), scene.clock()[: s + 1], actions)
        return torch.from_numpy(led.position[:, 1:, 0]).float().view(b, n, s, -1)


@final
class Planning(Experiment):
    """Goal pictures, reached or not, by planning in what was learnt and by simpler means.

    200 errands on the pushable table: 20 presses, then the ball's middle must be within 0.4 m of where it is in the
    picture, 2 m or more from where it began. CEM and MPPI plan in the model's abstract space; greedy looks
    one step ahead; inverse dynamics looks nowhere; the simulator is CEM in the true world. Wilson intervals.
    """

    name: ClassVar = "planning"
    question: ClassVar = "can a world that was learnt in abstract space be acted in?"

    def presets(self) -> dict[str, tuple[Cell, ...]]:
        """Take the pushed worlds of `jepa-quick`, trained once for both."""
        known = JepaQuick().presets().items()
        return {
            name: tuple(cell for cell in cells if isinstance(cell.study.data.lead.scene, Playable))
            for name, cells in known
        }

    def ask(self, study: Study, model: WorldModel) -> tuple[Score, ...]:
        """Send every policy on the same errands."""
        if not isinstance(model, Jepa):
            raise BadInputError(f"{self.name} asks predictive embeddings, got {type(model).__name__}")
        data = study.data.lead
        scene, reader = data.scene, reader_of(data)
        assert isinstance(scene, Playable)
        tables = Tables(scene, data.picture, errands(scene, data.picture, ERRANDS, FRESH))
        simulator = Simulator(tables, reader)
        policies: dict[str, Policy] = {
            "CEM": Planner(model, seeded(FRESH, 1)),
            "MPPI": Planner(model, seeded(FRESH, 2), Boltzmann()),
            "greedy": Greedy(model),
            "inverse dynamics": Inverse(model),
            "chance": Chance(model.buttons, seeded(FRESH, 3)),
            "simulator": Planner(simulator, seeded(FRESH, 4)),
        }
        return tables.judged(policies)
