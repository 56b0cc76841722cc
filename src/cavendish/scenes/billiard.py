"""Three balls in a box without friction: straight flight, elastic impacts, mirror reflection at the walls.

The edges of the frame are the walls. From impact to impact the motion is exact (`billiard_events`); energy is
kept to rounding, momentum only between walls. Impacts multiply small differences by about distance / radius each,
so a video of this world can be foretold for a few impacts and no further: an honest test of long rollouts.
"""

from dataclasses import dataclass
from itertools import combinations
from typing import ClassVar, final

import numpy as np
from jaxtyping import Float

from cavendish.errors import BadInputError
from cavendish.motion import Actions, Factors, Instants, KilogramsPerMetre2, Trajectory, World
from cavendish.scenes.scene import Factor, Law, Scene, assemble, check_clock, disc_mass, placed, study_factor

BALLS = ("red", "blue", "green")  # three colours are all that a reader can tell apart
TOUCHING = 1e-9  # m; balls and walls may overlap by rounding


def _ball(colour: str) -> tuple[Factor, ...]:
    return (
        study_factor(f"radius_{colour}", "radius", (0.5, 1.0), (0.3, 0.4), (1.2, 1.5)),
        study_factor(f"speed_{colour}", "velocity", (1.0, 4.0), (0.0, 0.8), (4.5, 6.0)),
        placed(f"heading_{colour}", "rad"),
        placed(f"x_{colour}"),
        placed(f"y_{colour}"),
    )


@final
@dataclass(frozen=True)
class Billiard(Scene):
    """A red, a blue and a green ball run about in a box and bounce off each other and the walls."""

    density: KilogramsPerMetre2 = 1.0

    factors: ClassVar = sum((_ball(colour) for colour in BALLS), ())
    law: ClassVar = Law(
        (
            "Eq(m1*v1_after + m2*v2_after, m1*v1 + m2*v2)",
            "Eq(v2_after - v1_after, v1 - v2)",
            "Eq(v_wall_after, -v_wall)",
        ),
        {
            "m1": "mass of one ball [kg]",
            "m2": "mass of another ball [kg]",
            "v1": "velocity of one ball along the line of centres before [m/s]",
            "v2": "velocity of the other ball along the line of centres before [m/s]",
            "v1_after": "velocity of one ball along the line of centres after [m/s]",
            "v2_after": "velocity of the other ball along the line of centres after [m/s]",
            "v_wall": "velocity towards a wall before [m/s]",
            "v_wall_after": "velocity towards a wall after [m/s]",
        },
    )
    bodies: ClassVar = len(BALLS)

    def place(self, chosen: dict[str, float], region: str, rng: np.random.Generator) -> bool:
        """Scatter the balls over the box, a tenth of a metre apart or more."""
        for number, colour in enumerate(BALLS):
            if not scatter(colour, BALLS[:number], chosen, self.world, rng):
                return False
            chosen[f"heading_{colour}"] = float(rng.uniform(0.0, 2 * np.pi))
        return True

    def simulate(self, factors: Factors, time: Instants, actions: Actions = None) -> Trajectory:
        """Play every clip from impact to impact."""
        column = self.columns(factors)
        radius, speed, heading, x, y = (
            np.stack([column[f"{name}_{colour}"] for colour in BALLS], -1)
            for name in ("radius", "speed", "heading", "x", "y")
        )
        velocity = speed[..., None] * np.stack([np.cos(heading), np.sin(heading)], -1)
        places, speeds = play_all(self, time, np.stack([x, y], -1), velocity, radius)
        return assemble(time, places, speeds, radius, factors)

    def invariants(self, trajectory: Trajectory) -> dict[str, Float[np.ndarray, "*b t"]]:
        """Total kinetic energy."""
        return {"energy [J]": kinetic_energy(trajectory, self.density)}


def play_all(
    scene: Scene,
    time: Float[np.ndarray, " t"],
    start: Float[np.ndarray, "b n d"],
    velocity: Float[np.ndarray, "b n d"],
    radius: Float[np.ndarray, "b n"],
) -> tuple[Float[np.ndarray, "b t n d"], Float[np.ndarray, "b t n d"]]:
    """Return places and velocities of elastic discs of one density between the edges of a scene's world."""
    from cavendish.scenes.billiard_events import play

    check_clock(time)
    if time[0] < 0:
        raise BadInputError(f"{scene.name()}: time starts at {time[0]:g} s, expected >= 0")
    check_start(scene.name(), start, radius, scene.world)
    box = np.array([scene.world.width, scene.world.height])
    games = [play(*clip, box, time) for clip in zip(start, velocity, radius, np.pi * radius**2, strict=True)]
    return np.stack([game[0] for game in games]), np.stack([game[1] for game in games])


def kinetic_energy(trajectory: Trajectory, density: float) -> Float[np.ndarray, "*b t"]:
    """Return the kinetic energy of all discs together."""
    mass = disc_mass(trajectory, density)
    return np.asarray(0.5 * (mass * (trajectory.velocity**2).sum(-1)).sum(-1))


def scatter(
    ball: str, others: tuple[str, ...], chosen: dict[str, float], world: World, rng: np.random.Generator
) -> bool:
    """Draw a ball's place; return False if it is less than a tenth of a metre from another."""
    radius = chosen[f"radius_{ball}"]
    x, y = (float(value) for value in rng.uniform(radius, np.array([world.width, world.height]) - radius))
    chosen[f"x_{ball}"], chosen[f"y_{ball}"] = x, y
    return all(
        np.hypot(x - chosen[f"x_{other}"], y - chosen[f"y_{other}"]) >= radius + chosen[f"radius_{other}"] + 0.1
        for other in others
    )


def check_start(name: str, start: Float[np.ndarray, "b n d"], radius: Float[np.ndarray, "b n"], world: World) -> None:
    """Refuse balls that overlap each other or a wall at the start."""
    room = np.minimum(start, np.array([world.width, world.height]) - start).min(-1) - radius
    if (room < -TOUCHING).any():
        raise BadInputError(f"{name}: a ball overlaps a wall at the start by {-room.min():g} m")
    for i, j in combinations(range(start.shape[1]), 2):
        gap = np.linalg.norm(start[:, j] - start[:, i], axis=-1) - radius[:, i] - radius[:, j]
        if (gap < -TOUCHING).any():
            raise BadInputError(f"{name}: the balls overlap at the start (gap {gap.min():g} m, expected >= 0)")
