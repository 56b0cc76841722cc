"""One ball thrown horizontally: x'' = 0, y'' = -g (Galileo's parabola).

x(t) = x0 + v t,  y(t) = y0 - g t^2 / 2.  Horizontal momentum and the energy
m (v_x^2 + v_y^2) / 2 + m g y are constant; the fall does not depend on the mass.
Ranges, placement and g = 2.5 m/s^2: Kang et al. 2024 (arXiv 2411.02385). Their engine's
semi-implicit steps lag this closed form by up to 0.039 m at 3.1 s; here truth has no such error.
"""

from dataclasses import dataclass
from typing import ClassVar, final

import numpy as np
from jaxtyping import Float

from cavendish.motion import Actions, Factors, Instants, KilogramsPerMetre2, MetresPerSecond2, Trajectory
from cavendish.scenes.scene import ONE_BALL, Law, Scene, assemble_one, disc_mass, place_at_ceiling


@final
@dataclass(frozen=True)
class Parabola(Scene):
    """A red ball leaves the upper edge horizontally and falls."""

    gravity: MetresPerSecond2 = 2.5
    density: KilogramsPerMetre2 = 1.0

    factors: ClassVar = ONE_BALL
    law: ClassVar = Law(
        ("Eq(Derivative(x(t), t, t), 0)", "Eq(Derivative(y(t), t, t), -g)"),
        {"t": "time [s]", "g": "acceleration of free fall [m/s^2]"},
    )
    bodies: ClassVar = 1

    def place(self, chosen: dict[str, float], region: str, rng: np.random.Generator) -> bool:
        """Start near the ceiling, where the ball stays in view sideways for 24 frames if it can.

        Where gravity points up (a world of wrong physics), start near the floor instead.
        """
        placed = place_at_ceiling(self.world, chosen, rng)
        if self.gravity < 0:
            chosen["y"] = self.world.height - chosen["y"]
        return placed

    def simulate(self, factors: Factors, time: Instants, actions: Actions = None) -> Trajectory:
        """Follow x = x0 + v t, y = y0 - g t^2 / 2."""
        column = self.begun(factors, time)
        x = column["x"][:, None] + column["velocity"][:, None] * time
        y = column["y"][:, None] - 0.5 * self.gravity * time**2
        vx = np.broadcast_to(column["velocity"][:, None], x.shape)
        vy = np.broadcast_to(-self.gravity * time, x.shape)
        return assemble_one(time, (x, y), (vx, vy), column["radius"], factors)

    def invariants(self, trajectory: Trajectory) -> dict[str, Float[np.ndarray, "*b t"]]:
        """Horizontal momentum, and kinetic plus potential energy."""
        mass = disc_mass(trajectory, self.density)[..., 0]
        vx, vy = trajectory.velocity[..., 0, 0], trajectory.velocity[..., 0, 1]
        height = trajectory.position[..., 0, 1]
        return {
            "momentum x [kg m/s]": mass * vx,
            "energy [J]": mass * (0.5 * (vx**2 + vy**2) + self.gravity * height),
        }
