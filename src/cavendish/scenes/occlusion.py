"""A ball passes behind a screen and goes on: x'' = 0, y'' = 0, seen or not (object permanence, Baillargeon 1985).

x(t) = x0 + v t,  y(t) = y0: closed form. While the ball is hidden no frame tells where it is; a model that has
learnt inertia lets it out on the other side, at the right instant and with the right speed, size and height.
The screen stands still in the middle of the world, in front of the ball; a reader calls a hidden ball lost.
"""

from dataclasses import dataclass, field, replace
from typing import ClassVar, final

import numpy as np
from jaxtyping import Float

from cavendish.codec import LATER
from cavendish.errors import BadInputError
from cavendish.motion import Actions, Drawing, Factors, Instants, KilogramsPerMetre2, Metres, Seconds, Trajectory
from cavendish.scenes.looks import grey, slab
from cavendish.scenes.scene import Law, Scene, assemble_one, disc_mass, placed, study_factor


@final
@dataclass(frozen=True)
class Occlusion(Scene):
    """A red ball rolls from left to right and passes behind a grey screen."""

    screen: Metres = 3.0  # width
    density: KilogramsPerMetre2 = 1.0
    shown: Seconds = field(default=0.2, metadata=LATER)  # in full view before it reaches the screen, at least

    factors: ClassVar = (
        study_factor("radius", "radius", (0.5, 1.0), (0.3, 0.4), (1.1, 1.3)),
        study_factor("velocity", "velocity", (2.0, 3.5), (0.8, 1.6), (4.0, 6.0)),
        placed("x"),
        placed("y"),
    )
    law: ClassVar = Law(("Eq(Derivative(x(t), t, t), 0)", "Eq(Derivative(y(t), t, t), 0)"), {"t": "time [s]"})
    bodies: ClassVar = 1

    def __post_init__(self) -> None:
        """Refuse a screen that leaves no room beside it, and a time that never was."""
        if not 0 < self.screen < self.world.width:
            raise BadInputError(f"screen = {self.screen:g} m, expected between 0 and {self.world.width:g}")
        if not 0 <= self.shown < np.inf:
            raise BadInputError(f"shown = {self.shown:g} s, expected finite seconds, 0 or more")

    def place(self, chosen: dict[str, float], region: str, rng: np.random.Generator) -> bool:
        """Start on the left, in full view for a while."""
        radius = chosen["radius"]
        last = (self.world.width - self.screen) / 2 - radius - chosen["velocity"] * self.shown
        if last < radius:
            return False
        chosen["x"] = float(rng.uniform(radius, last))
        chosen["y"] = float(rng.uniform(radius + 0.5, self.world.height - 0.5 - radius))
        return True

    def simulate(self, factors: Factors, time: Instants, actions: Actions = None) -> Trajectory:
        """Follow x = x0 + v t."""
        column = self.begun(factors, time)
        x = column["x"][:, None] + column["velocity"][:, None] * time
        y = np.broadcast_to(column["y"][:, None], x.shape)
        along = np.broadcast_to(column["velocity"][:, None], x.shape)
        return assemble_one(time, (x, y), (along, np.zeros_like(x)), column["radius"], factors)

    def draw(self, trajectory: Trajectory) -> Drawing:
        """Draw a red disc behind a grey screen from floor to ceiling."""
        middle = self.world.width / 2
        screen = slab(middle - self.screen / 2, 0.0, middle + self.screen / 2, self.world.height)
        return replace(super().draw(trajectory), front=grey(screen))

    def invariants(self, trajectory: Trajectory) -> dict[str, Float[np.ndarray, "*b t"]]:
        """Momentum and kinetic energy of the ball."""
        momentum = disc_mass(trajectory, self.density)[..., None] * trajectory.velocity
        return {
            "momentum x [kg m/s]": momentum[..., 0, 0],
            "energy [J]": 0.5 * (momentum * trajectory.velocity).sum((-1, -2)),
        }
