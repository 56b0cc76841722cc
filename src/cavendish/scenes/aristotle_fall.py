"""Wrong physics: heavy balls fall faster. x'' = 0, y'' = -g m / m0 with m = density pi r^2 (Aristotle, De caelo I.6).

x(t) = x0 + v t,  y(t) = y0 - (g m / m0) t^2 / 2: closed form. A ball of mass m0 falls as it would in the parabola;
two balls of different size part company, which Galileo's balls do not. A lie detector for the instrument.
"""

from dataclasses import dataclass
from typing import ClassVar, final

import numpy as np
from jaxtyping import Float

from cavendish.motion import Actions, Factors, Instants, Kilograms, KilogramsPerMetre2, MetresPerSecond2, Trajectory
from cavendish.scenes.scene import ONE_BALL, Law, Scene, assemble_one, disc_mass, place_at_ceiling


@final
@dataclass(frozen=True)
class AristotleFall(Scene):
    """A red ball leaves the upper edge horizontally and falls the faster the heavier it is."""

    gravity: MetresPerSecond2 = 2.5
    reference: Kilograms = 3.0  # mass of a ball that falls with `gravity`
    density: KilogramsPerMetre2 = 1.0

    factors: ClassVar = ONE_BALL
    law: ClassVar = Law(
        ("Eq(Derivative(x(t), t, t), 0)", "Eq(Derivative(y(t), t, t), -g*m/m0)"),
        {"t": "time [s]", "g": "acceleration of a ball of mass m0 [m/s^2]", "m": "mass [kg]", "m0": "mass [kg]"},
    )
    bodies: ClassVar = 1

    def place(self, chosen: dict[str, float], region: str, rng: np.random.Generator) -> bool:
        """Start near the ceiling, as in the parabola."""
        return place_at_ceiling(self.world, chosen, rng)

    def simulate(self, factors: Factors, time: Instants, actions: Actions = None) -> Trajectory:
        """Follow the parabola of this mass."""
        column = self.begun(factors, time)
        pull = (self.gravity * self.density * np.pi * column["radius"] ** 2 / self.reference)[:, None]
        x = column["x"][:, None] + column["velocity"][:, None] * time
        y = column["y"][:, None] - 0.5 * pull * time**2
        along = np.broadcast_to(column["velocity"][:, None], x.shape)
        return assemble_one(time, (x, y), (along, -pull * time), column["radius"], factors)

    def invariants(self, trajectory: Trajectory) -> dict[str, Float[np.ndarray, "*b t"]]:
        """Horizontal momentum, and what this world keeps instead of energy."""
        mass = disc_mass(trajectory, self.density)[..., 0]
        vx, vy = trajectory.velocity[..., 0, 0], trajectory.velocity[..., 0, 1]
        pull = self.gravity * mass / self.reference
        return {
            "momentum x [kg m/s]": mass * vx,
            "energy with this pull [J]": mass * (0.5 * (vx**2 + vy**2) + pull * trajectory.position[..., 0, 1]),
        }
