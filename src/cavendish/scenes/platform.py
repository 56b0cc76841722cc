"""An agent that walks and jumps over steps: the left and right buttons set its speed, jumping sets v_y = w.

x' = -s, 0 or s while a button is held, in the air as well; y'' = -g in the air, and a landing takes all of v_y. A wall
stops the walk until the agent's feet are above it. So a jump rises w^2 / (2 g), and steps up to that height can be
climbed. The terrain is eight columns whose heights are factors; the goal is the right edge of the world. The motion is
exact from event to event (`walking`). The agent is a square; its radius is sqrt(area / pi).
"""

from dataclasses import dataclass, replace
from typing import ClassVar, final

import numpy as np
from jaxtyping import Bool, Float

from cavendish.errors import BadInputError
from cavendish.motion import Actions, Drawing, Factors, Instants, MetresPerSecond, MetresPerSecond2, Shape, Trajectory
from cavendish.scenes.incline import HALF_SIDE
from cavendish.scenes.looks import RED, WHITE, box_outline, boxes, grey
from cavendish.scenes.playable import Playable
from cavendish.scenes.scene import Law, assemble_one, placed, ranged

COLUMNS = 8
HEIGHTS = tuple(f"height_{number}" for number in range(COLUMNS))
LOWEST, HIGHEST = 0.5, 4.5  # m, of a column
WAY = np.array([0, -1, 1, 0])  # of every button
SIZE = ranged("radius", "m", "radius", (0.35, 0.5), (0.25, 0.3), (0.55, 0.65))


@final
@dataclass(frozen=True)
class Platform(Playable):
    """A red box walks and jumps over grey steps towards the right edge."""

    speed: MetresPerSecond = 4.0
    leap: MetresPerSecond = 6.7
    gravity: MetresPerSecond2 = 15.0
    blunder: float = 0.1  # how often the player of the region `expert` presses any button instead

    factors: ClassVar = (
        replace(SIZE, lessons={"expert": SIZE.intervals("train")}),
        ranged("step", "m", "step", (0.2, 0.8), (0.0, 0.1), (0.9, 1.2)),
        placed("x"),
        placed("y"),
        placed("vy", "m/s"),
        *(placed(name) for name in HEIGHTS),
    )
    law: ClassVar = Law(
        ("Eq(Derivative(x(t), t), u)", "Eq(Derivative(y(t), t, t), -g)", "Eq(v_after, w)"),
        {
            "t": "time [s]",
            "u": "walking speed of the button that is held, 0 at a wall [m/s]",
            "g": "acceleration of free fall, in the air [m/s^2]",
            "v_after": "vertical velocity after a jump from the ground [m/s]",
            "w": "speed of a jump [m/s]",
        },
    )
    bodies: ClassVar = 1
    seen_whole: ClassVar = False  # there is the terrain as well
    controls: ClassVar = ("none", "left", "right", "jump")

    def __post_init__(self) -> None:
        """Refuse an agent that cannot walk, jump or come down."""
        self.require_positive("speed", "leap", "gravity")
        if not 0 <= self.blunder <= 1:
            raise BadInputError(f"blunder = {self.blunder:g}, expected 0 to 1")

    def place(self, chosen: dict[str, float], region: str, rng: np.random.Generator) -> bool:
        """Build steps up, down and level at random, and stand the agent on them: a player starts on the left."""
        height = float(rng.uniform(1.0, 3.0))
        for name in HEIGHTS:
            chosen[name] = height
            height = min(HIGHEST, max(LOWEST, height + chosen["step"] * float(rng.integers(-1, 2))))
        half, width = HALF_SIDE * chosen["radius"], self.world.width / COLUMNS
        last = width if region == "expert" else self.world.width
        chosen["x"] = float(rng.uniform(half + 0.01, last - half - 0.01))
        under = slice(int((chosen["x"] - half) / width), int((chosen["x"] + half) / width) + 1)
        chosen["y"] = max(chosen[name] for name in HEIGHTS[under]) + half
        chosen["vy"] = 0.0
        return True

    def policy(
        self, factors: Float[np.ndarray, " f"], region: str, rng: np.random.Generator
    ) -> Float[np.ndarray, "t a"]:
        """Press any button; in the region `expert`, mostly those that lead to the goal."""
        pressed = super().policy(factors, region, rng)
        if region != "expert":
            return pressed
        clock, state = self.clock(), factors[None]
        for k in range(self.frames - 1):
            if rng.random() >= self.blunder:
                pressed[k] = 3.0 if self._must_jump(self.columns(state)) else 2.0
            state = self.resume(self.simulate(state, clock[k : k + 2], pressed[None, k : k + 2]))
        return pressed

    def _must_jump(self, column: dict[str, Float[np.ndarray, " b"]]) -> bool:
        """Tell whether the first agent walks against a higher column within the next two frames."""
        half = HALF_SIDE * column["radius"][0]
        edge = column["x"][0] + half
        here, width = int(edge * COLUMNS / self.world.width - 1e-6), self.world.width / COLUMNS
        near = (here + 1) * width - edge < 2 * self.speed * self.step
        return bool(here + 1 < COLUMNS and near and column[HEIGHTS[here + 1]][0] > column["y"][0] - half + 1e-6)

    def simulate(self, factors: Factors, time: Instants, actions: Actions = None) -> Trajectory:
        """Walk every clip from event to event."""
        from cavendish.scenes.walking import SLACK, walk

        column = self.begun(factors, time)
        half, heights = HALF_SIDE * column["radius"], np.stack([column[name] for name in HEIGHTS], -1)
        width = self.world.width / COLUMNS
        if (np.minimum(column["x"], self.world.width - column["x"]) < half - SLACK).any():
            raise BadInputError(f"{self.name()}: the agent overlaps the edge of the world at the start")
        pressed = self.buttons(actions, len(half), time)
        steps, waits = np.stack([WAY[pressed], pressed == 3], -1), np.append(np.diff(time), 0.0)
        nature = np.array([self.speed, self.leap, self.gravity, width])
        start = np.stack([column["x"], column["y"], column["vy"], half], -1)
        states = np.stack([walk(start[b], heights[b], nature, waits, steps[b]) for b in range(len(start))])
        sunk = start[:, 1] - half - states[:, 0, 4]
        if (sunk < -SLACK).any():
            raise BadInputError(f"{self.name()}: the agent starts {-sunk.min():g} m inside the ground, expected above")
        x, y, vx, vy = np.moveaxis(states[..., :4], -1, 0)
        return assemble_one(time, (x, y), (vx, vy), column["radius"], factors)

    def resume(self, trajectory: Trajectory) -> Float[np.ndarray, "b f"]:
        """Begin with the last place and the last vertical velocity, in the same terrain."""
        factors = trajectory.factors.copy()
        factors[:, 2:4] = trajectory.position[:, -1, 0]
        factors[:, 4] = trajectory.velocity[:, -1, 0, 1]
        return factors

    def progress(self, trajectory: Trajectory) -> Float[np.ndarray, "*b t"]:
        """Return how far to the right the agent is."""
        return trajectory.position[..., 0, 0]

    def finished(self, trajectory: Trajectory) -> Bool[np.ndarray, "*b t"]:
        """Tell whether the agent touches the right edge of the world."""
        edge = trajectory.position[..., 0, 0] + HALF_SIDE * trajectory.radius[..., 0]
        return np.asarray(edge >= self.world.width - 1e-6)

    def draw(self, trajectory: Trajectory) -> Drawing:
        """Draw a red square before grey columns, which are known only where the factors are."""
        factors, width = trajectory.factors, self.world.width / COLUMNS
        known = factors.shape[-1] == len(self.factors)
        top = factors[..., -COLUMNS:] if known else np.full((*factors.shape[:-1], COLUMNS), np.nan)
        left = np.arange(COLUMNS) * width
        return Drawing(
            np.array([Shape.POLYGON]),
            trajectory.position,
            trajectory.radius,
            np.array([RED], np.uint8),
            np.array(WHITE, np.uint8),
            self.world,
            None,
            box_outline()[None],
            behind=grey(boxes(left, 0.0, left + width, top)),
        )

    def invariants(self, trajectory: Trajectory) -> dict[str, Float[np.ndarray, "*b t"]]:
        """Return nothing: landings take energy and jumps give it."""
        return {}
