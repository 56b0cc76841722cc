"""One ball thrown through a viscous medium: m x'' = -c x', m y'' = -m g - c y' (linear drag, Stokes).

With gamma = c / m, m = density pi r^2 and D(t) = (1 - exp(-gamma t)) / gamma,
    x(t) = x0 + v D(t),             v_x = v exp(-gamma t),
    y(t) = y0 - (g / gamma) (t - D(t)),   v_y = -(g / gamma) (1 - exp(-gamma t)).
The fall tends to the terminal speed m g / c, so here, unlike in a vacuum, a heavy ball falls faster.
m v_x + c x and m v_y + c y + m g t are constant: momentum plus what the medium has taken.
"""

from dataclasses import dataclass
from typing import ClassVar, final

import numpy as np
from jaxtyping import Float

from cavendish.motion import (
    Actions,
    Factors,
    Instants,
    KilogramsPerMetre2,
    KilogramsPerSecond,
    MetresPerSecond2,
    Trajectory,
)
from cavendish.scenes.scene import ONE_BALL, Law, Scene, assemble_one, disc_mass, place_at_ceiling


@final
@dataclass(frozen=True)
class DragFall(Scene):
    """A red ball leaves the upper edge horizontally and falls through honey."""

    gravity: MetresPerSecond2 = 2.5
    drag: KilogramsPerSecond = 3.0
    density: KilogramsPerMetre2 = 1.0

    factors: ClassVar = ONE_BALL
    law: ClassVar = Law(
        (
            "Eq(m*Derivative(x(t), t, t), -c*Derivative(x(t), t))",
            "Eq(m*Derivative(y(t), t, t), -m*g - c*Derivative(y(t), t))",
        ),
        {"t": "time [s]", "m": "mass [kg]", "c": "drag [kg/s]", "g": "acceleration of free fall [m/s^2]"},
    )
    bodies: ClassVar = 1

    def __post_init__(self) -> None:
        """Refuse a medium that does not resist; that world is the parabola."""
        self.require_positive("drag")

    def place(self, chosen: dict[str, float], region: str, rng: np.random.Generator) -> bool:
        """Start near the ceiling, as in the parabola."""
        return place_at_ceiling(self.world, chosen, rng)

    def simulate(self, factors: Factors, time: Instants, actions: Actions = None) -> Trajectory:
        """Follow the closed form."""
        column = self.begun(factors, time)
        rate = (self.drag / (self.density * np.pi * column["radius"] ** 2))[:, None]
        lost = -np.expm1(-rate * time)
        speed = column["velocity"][:, None]
        x = column["x"][:, None] + speed * lost / rate
        y = column["y"][:, None] - self.gravity / rate * (time - lost / rate)
        velocity = (speed * (1 - lost), -self.gravity / rate * lost)
        return assemble_one(time, (x, y), velocity, column["radius"], factors)

    def invariants(self, trajectory: Trajectory) -> dict[str, Float[np.ndarray, "*b t"]]:
        """Momentum of the ball plus what the medium and gravity have taken since the start."""
        mass = disc_mass(trajectory, self.density)[..., 0]
        position, velocity = trajectory.position[..., 0, :], trajectory.velocity[..., 0, :]
        fallen = mass * self.gravity * trajectory.time
        return {
            "momentum x of ball and medium [kg m/s]": mass * velocity[..., 0] + self.drag * position[..., 0],
            "momentum y of ball, medium and earth [kg m/s]": mass * velocity[..., 1]
            + self.drag * position[..., 1]
            + fallen,
        }
