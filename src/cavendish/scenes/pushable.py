"""Balls on a sticky table that are pushed by buttons: m v' = -m k v + J delta(t - t_frame), with walls and impacts.

A push adds J / m to the velocity at once, so a heavy ball answers less (m = density pi r^2). Between pushes drag
stops all balls at the same rate k, hence in stretched time s = (1 - exp(-k t)) / k every path is straight,
    x = x0 + v0 s,  v = v0 exp(-k t),
and the impacts are those of a billiard played in s: exact, without time steps (`billiard_events`). With k = 20 /s
a frame keeps 14 % of the velocity of the last one: what the next picture shows is what the button did. Balls and walls
are elastic: were walls dead, a ball held against one by another would meet both infinitely often in finite time.
"""

from dataclasses import dataclass
from typing import ClassVar, final

import numpy as np
from jaxtyping import Float

from cavendish.motion import Actions, Drawing, Factors, Instants, KilogramsPerMetre2, PerSecond, Trajectory
from cavendish.scenes.billiard import check_start, scatter
from cavendish.scenes.looks import BLUE, RED
from cavendish.scenes.playable import Playable
from cavendish.scenes.scene import Factor, Law, assemble, draw_discs, placed, study_factor

DIRECTIONS = {"left": (-1.0, 0.0), "right": (1.0, 0.0), "down": (0.0, -1.0), "up": (0.0, 1.0)}
COLOURS = {"red": RED, "blue": BLUE}


def _ball(colour: str) -> tuple[Factor, ...]:
    size = study_factor(f"radius_{colour}", "radius", (0.6, 1.0), (0.3, 0.5), (1.2, 1.5))
    speed = (placed(f"v{axis}_{colour}", "m/s") for axis in "xy")
    return (size, placed(f"x_{colour}"), placed(f"y_{colour}"), *speed)


@dataclass(frozen=True)
class Table(Playable):
    """Any number of balls, each with a button for every direction."""

    impulse: float = 20.0  # N s
    drag: PerSecond = 20.0
    density: KilogramsPerMetre2 = 1.0

    balls: ClassVar[tuple[str, ...]]
    law: ClassVar = Law(
        ("Eq(Derivative(x(t), t, t), -k*Derivative(x(t), t))", "Eq(v_after - v_before, J/m)"),
        {
            "t": "time [s]",
            "k": "drag [1/s]",
            "v_before": "velocity before a push [m/s]",
            "v_after": "velocity after it [m/s]",
            "J": "impulse of a push [N s]",
            "m": "mass [kg]",
        },
    )

    def __post_init__(self) -> None:
        """Refuse a table on which nothing would stop."""
        self.require_positive("drag")

    def place(self, chosen: dict[str, float], region: str, rng: np.random.Generator) -> bool:
        """Scatter resting balls over the table."""
        chosen.update({f"v{axis}_{ball}": 0.0 for ball in self.balls for axis in "xy"})
        return all(scatter(ball, self.balls[:n], chosen, self.world, rng) for n, ball in enumerate(self.balls))

    def simulate(self, factors: Factors, time: Instants, actions: Actions = None) -> Trajectory:
        """Push at every instant, and play billiard in stretched time until the next."""
        from cavendish.scenes.billiard_events import play

        state = np.stack(list(self.begun(factors, time).values()), -1).reshape(len(factors), len(self.balls), 5)
        radius, place, speed = state[..., 0], state[..., 1:3], state[..., 3:5]
        check_start(self.name(), place, radius, self.world)
        mass, box = self.density * np.pi * radius**2, np.array([self.world.width, self.world.height])
        pushes = self._pushes()[self.buttons(actions, len(state), time)] / mass[:, None, :, None]
        places, speeds = np.empty((2, len(state), len(time), len(self.balls), 2))
        for clip in range(len(state)):
            x, v = place[clip].copy(), speed[clip].copy()
            for k, wait in enumerate((*np.diff(time), 0.0)):
                places[clip, k], speeds[clip, k] = x, v
                kept = np.exp(-self.drag * wait)
                until = np.array([(1 - kept) / self.drag])
                after = play(x, v + pushes[clip, k], radius[clip], mass[clip], box, until)
                x, v = after[0][0], kept * after[1][0]
        return assemble(time, places, speeds, radius, factors)

    def _pushes(self) -> Float[np.ndarray, "a n d"]:
        """Return what every button gives to every ball, in N s."""
        ways = self.impulse * np.array(list(DIRECTIONS.values()))
        one_ball_each = np.kron(np.eye(len(self.balls)), np.ones((len(ways), 1)))
        pushes = one_ball_each[..., None] * np.tile(ways, (len(self.balls), 1))[:, None]
        return np.concatenate([np.zeros((1, *pushes.shape[1:])), pushes])

    def resume(self, trajectory: Trajectory) -> Float[np.ndarray, "b f"]:
        """Begin with the last places and speeds."""
        last = (trajectory.radius[:, -1, :, None], trajectory.position[:, -1], trajectory.velocity[:, -1])
        return np.concatenate(last, -1).reshape(len(trajectory.position), -1)

    def progress(self, trajectory: Trajectory) -> Float[np.ndarray, "*b t"]:
        """Return how near the red ball is to the middle of the table (0 there, negative elsewhere)."""
        middle = np.array([self.world.width, self.world.height]) / 2
        return np.asarray(-np.linalg.norm(trajectory.position[..., 0, :] - middle, axis=-1))

    def draw(self, trajectory: Trajectory) -> Drawing:
        """Draw discs on white."""
        return draw_discs(trajectory, tuple(COLOURS[ball] for ball in self.balls), self.world)

    def invariants(self, trajectory: Trajectory) -> dict[str, Float[np.ndarray, "*b t"]]:
        """Return nothing: pushes give and drag takes."""
        return {}


@final
@dataclass(frozen=True)
class Pushable(Table):
    """A red ball on a sticky table is pushed left, right, down and up."""

    balls: ClassVar = ("red",)
    bodies: ClassVar = 1
    factors: ClassVar = _ball("red")
    controls: ClassVar = ("none", *DIRECTIONS)


@final
@dataclass(frozen=True)
class PushablePair(Table):
    """A red and a blue ball on a sticky table are pushed one at a time, and bounce off each other."""

    balls: ClassVar = ("red", "blue")
    bodies: ClassVar = 2
    factors: ClassVar = (*_ball("red"), *_ball("blue"))
    controls: ClassVar = ("none", *(f"{ball} {way}" for ball in ("red", "blue") for way in DIRECTIONS))
