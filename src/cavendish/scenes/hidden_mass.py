"""Two balls that look the same size collide head-on, but their densities differ and cannot be seen.

The law is that of `collision`: with m_i = density_i pi r^2 and equal radii r,
    u1' = (m1 u1 + m2 u2 + e m2 (u2 - u1)) / (m1 + m2),  and the mirror of it for u2'.
Before the impact no frame tells the masses, so no model can know what follows; after it, the ratio
m1 / m2 = -(u2' - u2) / (u1' - u1) is in plain view. Red and blue are names, not weights.
"""

from dataclasses import dataclass
from typing import ClassVar, final

import numpy as np
from jaxtyping import Float

from cavendish.errors import BadInputError
from cavendish.motion import Actions, Factors, Instants, Trajectory
from cavendish.scenes.collision import TOUCHING, Collision, speeds_after
from cavendish.scenes.scene import Law, Scene, assemble, placed, ranged, study_factor


@final
@dataclass(frozen=True)
class HiddenMass(Scene):
    """A red and a blue ball of one size collide head-on; how heavy they are cannot be seen."""

    restitution: float = 1.0

    factors: ClassVar = (
        study_factor("radius", "radius", (0.6, 1.2), (0.3, 0.5), (1.4, 1.6)),
        ranged("density_red", "kg/m^2", "density", (0.5, 2.0), (0.1, 0.3), (3.0, 6.0)),
        ranged("density_blue", "kg/m^2", "density", (0.5, 2.0), (0.1, 0.3), (3.0, 6.0)),
        study_factor("speed_red", "velocity", (1.0, 4.0), (0.0, 0.8), (4.5, 6.0)),
        study_factor("speed_blue", "velocity", (1.0, 4.0), (0.0, 0.8), (4.5, 6.0)),
        placed("x_red"),
        placed("x_blue"),
        placed("y"),
    )
    law: ClassVar = Law(Collision.law.equations, Collision.law.parameters)
    bodies: ClassVar = 2

    def place(self, chosen: dict[str, float], region: str, rng: np.random.Generator) -> bool:
        """Place two balls of one size as in `collision`."""
        meeting = {
            "radius_red": chosen["radius"],
            "radius_blue": chosen["radius"],
            "speed_red": chosen["speed_red"],
            "speed_blue": chosen["speed_blue"],
        }
        legal = Collision().place(meeting, region, rng)
        chosen.update({name: meeting[name] for name in ("x_red", "x_blue", "y") if name in meeting})
        return legal

    def simulate(self, factors: Factors, time: Instants, actions: Actions = None) -> Trajectory:
        """Fly, meet, fly on."""
        from cavendish.scenes.flight import fly_and_part

        column = self.begun(factors, time)
        radius = np.stack([column["radius"], column["radius"]], -1)
        start = np.stack([column["x_red"], column["x_blue"]], -1)
        before = np.stack([column["speed_red"], -column["speed_blue"]], -1)
        gap = start[:, 1] - start[:, 0] - radius.sum(-1)
        if (gap < -TOUCHING).any():
            raise BadInputError(f"{self.name()}: the balls overlap at the start (gap {gap.min():g} m, expected >= 0)")
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            closing = before[:, 0] - before[:, 1]
            impact = np.where(closing > 0, np.maximum(gap, 0.0) / closing, np.inf)
        places = np.stack([start, np.broadcast_to(column["y"][:, None], start.shape)], -1)
        after = speeds_after(before, self._mass(factors), self.restitution)
        position, velocity = fly_and_part(time, places, before, after, impact)
        return assemble(time, position, velocity, radius, factors)

    def _mass(self, factors: Float[np.ndarray, "b f"]) -> Float[np.ndarray, "b n"]:
        column = self.columns(factors)
        area = np.pi * column["radius"] ** 2
        mass = np.stack([column["density_red"] * area, column["density_blue"] * area], -1)
        if not (mass > 0).all():
            raise BadInputError(f"{self.name()}: a ball has mass {mass.min():g} kg, expected > 0")
        return mass

    def invariants(self, trajectory: Trajectory) -> dict[str, Float[np.ndarray, "*b t"]]:
        """Total momentum; total kinetic energy as well where the impact is elastic. Masses come from the factors."""
        mass = self._mass(np.atleast_2d(trajectory.factors))[:, None]
        mass = mass.reshape(*trajectory.factors.shape[:-1], 1, 2)
        u = trajectory.velocity[..., 0]
        kept = {"momentum x [kg m/s]": (mass * u).sum(-1)}
        if self.restitution == 1.0:
            kept["energy [J]"] = 0.5 * (mass * u**2).sum(-1)
        return kept
