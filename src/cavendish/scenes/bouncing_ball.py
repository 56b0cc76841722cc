"""One ball falls on a floor and bounces: y'' = -g in flight, v_y -> -e v_y at the floor.

With the height of fall h, t_1 = sqrt(2 h / g) and s = g t_1, the k-th impact and the speed after it are
    T_k = t_1 + (2 s / g) (e + e^2 + ... + e^(k-1)),     w_k = e^k s,
and between impacts y = y_floor + r + w_k (t - T_k) - g (t - T_k)^2 / 2: exact to rounding for any number of
impacts, because k is found in closed form from the geometric series. For e < 1 the impacts pile up at
t_1 + 2 s e / (g (1 - e)), after which the ball rests. x'' = 0 throughout: the floor is smooth.
"""

from dataclasses import dataclass, replace
from typing import ClassVar, final

import numpy as np
from jaxtyping import Bool, Float

from cavendish.errors import BadInputError
from cavendish.motion import (
    Actions,
    Drawing,
    Factors,
    Instants,
    KilogramsPerMetre2,
    Metres,
    MetresPerSecond2,
    Trajectory,
)
from cavendish.scenes.looks import floor
from cavendish.scenes.scene import ONE_BALL, Law, Scene, assemble_one, disc_mass, place_at_ceiling


@final
@dataclass(frozen=True)
class BouncingBall(Scene):
    """A red ball is thrown horizontally over a grey floor and bounces."""

    gravity: MetresPerSecond2 = 9.8
    restitution: float = 0.8
    floor: Metres = 0.5
    density: KilogramsPerMetre2 = 1.0

    factors: ClassVar = ONE_BALL
    law: ClassVar = Law(
        (
            "Eq(Derivative(x(t), t, t), 0)",
            "Eq(Derivative(y(t), t, t), -g)",
            "Eq(v_after, -e*v_before)",
        ),
        {
            "t": "time [s]",
            "g": "acceleration of free fall [m/s^2]",
            "e": "restitution",
            "v_before": "vertical velocity before an impact [m/s]",
            "v_after": "vertical velocity after an impact [m/s]",
        },
    )
    bodies: ClassVar = 1

    def __post_init__(self) -> None:
        """Refuse constants with which nothing would fall or bounce."""
        self.require_positive("gravity")
        if not self.restitution >= 0:
            raise BadInputError(f"restitution = {self.restitution:g}, expected >= 0")

    def place(self, chosen: dict[str, float], region: str, rng: np.random.Generator) -> bool:
        """Start near the ceiling, as in the parabola."""
        return place_at_ceiling(self.world, chosen, rng)

    def simulate(self, factors: Factors, time: Instants, actions: Actions = None) -> Trajectory:
        """Fall, and follow the geometric series of bounces."""
        column = self.begun(factors, time)
        ground = self.floor + column["radius"]
        height = column["y"] - ground
        if (height < 0).any():
            raise BadInputError(f"{self.name()}: the ball starts {-height.min():g} m inside the floor, expected above")
        rise, climb = bounce(height[:, None], time, self.gravity, self.restitution)
        x = column["x"][:, None] + column["velocity"][:, None] * time
        along = np.broadcast_to(column["velocity"][:, None], x.shape)
        return assemble_one(time, (x, ground[:, None] + rise), (along, climb), column["radius"], factors)

    def draw(self, trajectory: Trajectory) -> Drawing:
        """Draw a red disc over a grey floor."""
        return replace(super().draw(trajectory), behind=floor(self.world, self.floor))

    def invariants(self, trajectory: Trajectory) -> dict[str, Float[np.ndarray, "*b t"]]:
        """Horizontal momentum; kinetic plus potential energy as well where impacts are elastic."""
        mass = disc_mass(trajectory, self.density)[..., 0]
        vx, vy = trajectory.velocity[..., 0, 0], trajectory.velocity[..., 0, 1]
        kept = {"momentum x [kg m/s]": mass * vx}
        if self.restitution == 1.0:
            height = trajectory.position[..., 0, 1]
            kept["energy [J]"] = mass * (0.5 * (vx**2 + vy**2) + self.gravity * height)
        return kept


def bounce(
    height: Float[np.ndarray, "b 1"], time: Float[np.ndarray, " t"], g: float, e: float
) -> tuple[Float[np.ndarray, "b t"], Float[np.ndarray, "b t"]]:
    """Return height over the resting place and vertical velocity of what is let go at a height."""
    first = np.sqrt(2 * height / g)
    flights = np.maximum(time - first, 0.0) / np.maximum(2 * first, 1e-300)  # in units of the first fall's double
    count, resting = _impacts(flights, e)
    since = time - first - 2 * first * (count if e == 1.0 else e * (1 - e**count) / (1 - e))
    speed = e ** (count + 1) * g * first
    falling = time < first
    rise = np.where(falling, height - 0.5 * g * time**2, speed * since - 0.5 * g * since**2)
    climb = np.where(falling, -g * time, speed - g * since)
    resting = (resting | (first == 0.0)) & ~falling
    return np.where(resting, 0.0, rise), np.where(resting, 0.0, climb)


def _impacts(flights: Float[np.ndarray, "b t"], e: float) -> tuple[Float[np.ndarray, "b t"], Bool[np.ndarray, "b t"]]:
    """Return how many flights are over since the first impact, and whether all of them are."""
    if e == 1.0:
        return np.floor(flights), np.zeros(flights.shape, bool)
    if e == 0.0:
        return np.zeros(flights.shape), np.ones(flights.shape, bool)
    left = 1 - flights * (1 - e) / e
    resting = left <= 0
    return np.floor(np.log(np.where(resting, 1.0, left)) / np.log(e)), resting
