"""A ball hangs on a spring: m y'' = -m g + k (H - l - y), harmonic about its point of rest (Hooke 1678).

With m = density pi r^2, omega = sqrt(k / m) and y_rest = H - l - m g / k, a ball that passes its point of rest
with speed v at t = 0 moves as y(t) = y_rest + (v / omega) sin(omega t): closed form, exact to rounding.
Big balls are heavy, hang lower and swing more slowly; gravity shifts the point of rest and nothing else.
"""

from dataclasses import dataclass, replace
from typing import ClassVar, final

import numpy as np
from jaxtyping import Float

from cavendish.motion import (
    Actions,
    Drawing,
    Factors,
    Instants,
    KilogramsPerMetre2,
    Metres,
    MetresPerSecond2,
    NewtonsPerMetre,
    Trajectory,
)
from cavendish.scenes.looks import grey, rod
from cavendish.scenes.scene import Law, Scene, assemble_one, disc_mass, placed, study_factor


@final
@dataclass(frozen=True)
class Spring(Scene):
    """A red ball bobs on a grey spring that hangs from the ceiling."""

    stiffness: NewtonsPerMetre = 20.0
    length: Metres = 4.2  # of the unloaded spring
    gravity: MetresPerSecond2 = 2.5
    density: KilogramsPerMetre2 = 1.0

    factors: ClassVar = (
        study_factor("radius", "radius", (0.5, 1.0), (0.3, 0.4), (1.2, 1.5)),
        study_factor("velocity", "velocity", (1.0, 4.0), (0.0, 0.8), (4.5, 5.5)),
        placed("x"),
    )
    law: ClassVar = Law(
        ("Eq(Derivative(x(t), t, t), 0)", "Eq(m*Derivative(y(t), t, t), -m*g + k*(H - l - y(t)))"),
        {
            "t": "time [s]",
            "m": "mass [kg]",
            "g": "acceleration of free fall [m/s^2]",
            "k": "stiffness [N/m]",
            "H": "height of the ceiling [m]",
            "l": "length of the unloaded spring [m]",
        },
    )
    bodies: ClassVar = 1

    def __post_init__(self) -> None:
        """Refuse a spring that does not pull back."""
        self.require_positive("stiffness")

    def place(self, chosen: dict[str, float], region: str, rng: np.random.Generator) -> bool:
        """Hang the spring anywhere between the walls."""
        margin = chosen["radius"] + 0.5
        chosen["x"] = float(rng.uniform(margin, self.world.width - margin))
        return True

    def simulate(self, factors: Factors, time: Instants, actions: Actions = None) -> Trajectory:
        """Swing about the point of rest."""
        column = self.begun(factors, time)
        mass = self.density * np.pi * column["radius"][:, None] ** 2
        rate = np.sqrt(self.stiffness / mass)
        rest = self.world.height - self.length - mass * self.gravity / self.stiffness
        speed = column["velocity"][:, None]
        y = rest + speed / rate * np.sin(rate * time)
        x = np.broadcast_to(column["x"][:, None], y.shape)
        return assemble_one(time, (x, y), (np.zeros_like(y), speed * np.cos(rate * time)), column["radius"], factors)

    def draw(self, trajectory: Trajectory) -> Drawing:
        """Draw a red disc that hangs on a grey line from the ceiling."""
        ball = trajectory.position[..., 0, :]
        ceiling = np.stack([ball[..., 0], np.full_like(ball[..., 1], self.world.height)], -1)
        return replace(super().draw(trajectory), behind=grey(rod(ceiling, ball, 0.15)))

    def invariants(self, trajectory: Trajectory) -> dict[str, Float[np.ndarray, "*b t"]]:
        """Kinetic energy plus the energies of height and spring."""
        mass = disc_mass(trajectory, self.density)[..., 0]
        y = trajectory.position[..., 0, 1]
        stretch = self.world.height - self.length - y
        moving = 0.5 * mass * (trajectory.velocity[..., 0, :] ** 2).sum(-1)
        return {"energy [J]": moving + mass * self.gravity * y + 0.5 * self.stiffness * stretch**2}
