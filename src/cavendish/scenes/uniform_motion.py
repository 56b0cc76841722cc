"""One ball that nothing pushes: x'' = 0, y'' = 0 (Newton's first law).

x(t) = x0 + v t,  y(t) = y0.  Momentum p = m v with m = density pi r^2 is constant.
Ranges and placement: Kang et al. 2024 (arXiv 2411.02385), `phyworld` generators.
What is hard about it: nothing, for a pupil who knows inertia; three frames fix v.
"""

from dataclasses import dataclass
from typing import ClassVar, final

import numpy as np
from jaxtyping import Float

from cavendish.motion import Actions, Factors, Instants, KilogramsPerMetre2, Trajectory
from cavendish.scenes.scene import ONE_BALL, Law, Scene, assemble_one, disc_mass, place_rolling


@final
@dataclass(frozen=True)
class UniformMotion(Scene):
    """A red ball crosses the world at constant speed, from left to right."""

    density: KilogramsPerMetre2 = 1.0

    factors: ClassVar = ONE_BALL
    law: ClassVar = Law(("Eq(Derivative(x(t), t, t), 0)", "Eq(Derivative(y(t), t, t), 0)"), {"t": "time [s]"})
    bodies: ClassVar = 1

    def place(self, chosen: dict[str, float], region: str, rng: np.random.Generator) -> bool:
        """Start where the ball stays in view for 24 frames if it can, half a metre off floor and ceiling."""
        chosen["x"] = place_rolling(self.world, chosen["radius"], chosen["velocity"], rng)
        chosen["y"] = float(rng.uniform(chosen["radius"] + 0.5, self.world.height - 0.5 - chosen["radius"]))
        return True

    def simulate(self, factors: Factors, time: Instants, actions: Actions = None) -> Trajectory:
        """Follow x = x0 + v t."""
        column = self.begun(factors, time)
        x = column["x"][:, None] + column["velocity"][:, None] * time
        y = np.broadcast_to(column["y"][:, None], x.shape)
        along = np.broadcast_to(column["velocity"][:, None], x.shape)
        return assemble_one(time, (x, y), (along, np.zeros_like(x)), column["radius"], factors)

    def invariants(self, trajectory: Trajectory) -> dict[str, Float[np.ndarray, "*b t"]]:
        """Momentum and kinetic energy of the ball."""
        momentum = disc_mass(trajectory, self.density)[..., None] * trajectory.velocity
        return {
            "momentum x [kg m/s]": momentum[..., 0, 0],
            "momentum y [kg m/s]": momentum[..., 0, 1],
            "energy [J]": 0.5 * (momentum * trajectory.velocity).sum((-1, -2)),
        }
