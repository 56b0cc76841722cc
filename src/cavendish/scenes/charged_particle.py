"""A charged ball in a uniform magnetic field: m v' = q v x B, a circle at constant speed (Lorentz 1895).

With m = density pi r^2 and omega = q B / m the heading turns clockwise, phi = phi0 - omega t, so that
    x(t) = x0 - (v / omega) (sin phi - sin phi0),   y(t) = y0 + (v / omega) (cos phi - cos phi0):
closed form, exact to rounding. The radius of the circle is v / omega, and the time of a turn, 2 pi / omega, does
not depend on the speed (the principle of the cyclotron). In a mirror the charge would be of the other sign.
"""

from dataclasses import dataclass
from typing import ClassVar, final

import numpy as np
from jaxtyping import Float

from cavendish.errors import BadInputError
from cavendish.motion import Actions, Factors, Instants, KilogramsPerMetre2, KilogramsPerSecond, Trajectory
from cavendish.scenes.scene import Law, Scene, assemble_one, disc_mass, placed, study_factor


@final
@dataclass(frozen=True)
class ChargedParticle(Scene):
    """A red ball runs in a circle, clockwise."""

    turning: KilogramsPerSecond = 3.0  # charge times field, in C T
    density: KilogramsPerMetre2 = 1.0

    factors: ClassVar = (
        study_factor("radius", "radius", (0.5, 1.0), (0.3, 0.4), (1.2, 1.5)),
        study_factor("velocity", "velocity", (1.0, 4.0), (0.0, 0.8), (4.5, 6.0)),
        placed("heading", "rad"),
        placed("x"),
        placed("y"),
    )
    law: ClassVar = Law(
        (
            "Eq(m*Derivative(x(t), t, t), b*Derivative(y(t), t))",
            "Eq(m*Derivative(y(t), t, t), -b*Derivative(x(t), t))",
        ),
        {"t": "time [s]", "m": "mass [kg]", "b": "charge times field [kg/s]"},
    )
    bodies: ClassVar = 1
    handed: ClassVar = True

    def __post_init__(self) -> None:
        """Refuse a field that does not turn anything."""
        if self.turning == 0.0:
            raise BadInputError("turning = 0 kg/s, expected another number")

    def place(self, chosen: dict[str, float], region: str, rng: np.random.Generator) -> bool:
        """Keep the whole circle in view where that is possible, else the start."""
        heading = chosen["heading"] = float(rng.uniform(0.0, 2 * np.pi))
        radius = chosen["radius"]
        turn = chosen["velocity"] * self.density * np.pi * radius**2 / self.turning  # signed radius of the circle
        size = np.array([self.world.width, self.world.height])
        margin = radius + abs(turn)
        if 2 * margin < size.min():
            middle = rng.uniform(margin, size - margin)
            x, y = middle + turn * np.array([-np.sin(heading), np.cos(heading)])
        else:
            x, y = rng.uniform(radius, size - radius)
        chosen["x"], chosen["y"] = float(x), float(y)
        return True

    def simulate(self, factors: Factors, time: Instants, actions: Actions = None) -> Trajectory:
        """Run round the circle."""
        column = self.begun(factors, time)
        rate = (self.turning / (self.density * np.pi * column["radius"] ** 2))[:, None]
        start, speed = column["heading"][:, None], column["velocity"][:, None]
        heading = start - rate * time
        x = column["x"][:, None] - speed / rate * (np.sin(heading) - np.sin(start))
        y = column["y"][:, None] + speed / rate * (np.cos(heading) - np.cos(start))
        return assemble_one(time, (x, y), (speed * np.cos(heading), speed * np.sin(heading)), column["radius"], factors)

    def invariants(self, trajectory: Trajectory) -> dict[str, Float[np.ndarray, "*b t"]]:
        """Kinetic energy, and the centre of the circle."""
        mass = disc_mass(trajectory, self.density)[..., 0]
        rate = self.turning / mass
        position, velocity = trajectory.position[..., 0, :], trajectory.velocity[..., 0, :]
        return {
            "energy [J]": 0.5 * mass * (velocity**2).sum(-1),
            "centre x [m]": position[..., 0] + velocity[..., 1] / rate,
            "centre y [m]": position[..., 1] - velocity[..., 0] / rate,
        }
