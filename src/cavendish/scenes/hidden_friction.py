"""Two balls that look the same slide from ice on to sand, which holds them differently: friction cannot be seen.

On ice (left of `shore`) x'' = 0; on sand Coulomb's friction x'' = -mu g until rest. With t_s = (shore - x0) / v and
tau = min(t - t_s, v / (mu g)),
    x = x0 + v min(t, t_s)  and from t_s on  + v tau - mu g tau^2 / 2:   closed form.
Until the shore no frame tells mu, so no model can know what follows; after it, the path v^2 / (2 mu g) does. The balls
slide without turning, in lanes of their own; the centre decides which ground a ball is on.
"""

from dataclasses import dataclass, replace
from typing import ClassVar, final

import numpy as np
from jaxtyping import Float

from cavendish.errors import BadInputError
from cavendish.motion import Actions, Drawing, Factors, Instants, Metres, MetresPerSecond2, Trajectory
from cavendish.scenes.looks import grey, slab
from cavendish.scenes.scene import Law, Scene, assemble, placed, ranged, study_factor

LANES = (6.0, 1.0)  # m, height of the ground under red and under blue
THICK = 0.5  # m, of the ground


@final
@dataclass(frozen=True)
class HiddenFriction(Scene):
    """A red and a blue ball of one size slide from ice on to sand; how much it holds each cannot be seen."""

    gravity: MetresPerSecond2 = 9.8
    shore: Metres = 4.0

    factors: ClassVar = (
        study_factor("radius", "radius", (0.5, 1.0), (0.3, 0.4), (1.2, 1.4)),
        study_factor("velocity", "velocity", (2.0, 4.0), (1.2, 1.6), (4.5, 6.0)),
        ranged("friction_red", "", "friction", (0.1, 0.5), (0.02, 0.05), (0.7, 1.0)),
        ranged("friction_blue", "", "friction", (0.1, 0.5), (0.02, 0.05), (0.7, 1.0)),
        placed("x"),
    )
    law: ClassVar = Law(
        ("Eq(Derivative(x(t), t, t), -mu*g)", "Eq(Derivative(y(t), t, t), 0)"),
        {"t": "time [s]", "mu": "friction, 0 on ice", "g": "acceleration of free fall [m/s^2]"},
    )
    bodies: ClassVar = 2
    handed: ClassVar = True

    def __post_init__(self) -> None:
        """Refuse weightless balls and a shore out of sight."""
        self.require_positive("gravity")
        if not 0 < self.shore < self.world.width:
            raise BadInputError(f"shore = {self.shore:g} m, expected between 0 and {self.world.width:g}")

    def place(self, chosen: dict[str, float], region: str, rng: np.random.Generator) -> bool:
        """Start on the ice, both balls side by side, so that they reach the shore after the context."""
        last = self.shore - chosen["velocity"] * self.context * self.step
        if last < chosen["radius"]:
            return False
        chosen["x"] = float(rng.uniform(chosen["radius"], last))
        return True

    def simulate(self, factors: Factors, time: Instants, actions: Actions = None) -> Trajectory:
        """Slide freely to the shore, then be held until rest."""
        column = self.begun(factors, time)
        friction = np.stack([column["friction_red"], column["friction_blue"]], -1)
        speed, x0 = column["velocity"][:, None, None], column["x"][:, None, None]
        for name, least in (("velocity", speed.min()), ("friction", friction.min())):
            if not least > 0:
                raise BadInputError(f"{self.name()}: factor '{name}' = {least:g}, expected > 0")
        if (x0 > self.shore).any():
            raise BadInputError(f"{self.name()}: factor 'x' = {x0.max():g} m, expected on the ice, <= {self.shore:g}")
        hold, arrival = friction[:, None] * self.gravity, (self.shore - x0) / speed
        on_sand = np.clip(time[:, None] - arrival, 0.0, speed / hold)
        x = x0 + speed * np.minimum(time[:, None], arrival) + speed * on_sand - 0.5 * hold * on_sand**2
        u = speed - hold * on_sand
        radius = np.repeat(column["radius"][:, None], 2, 1)
        y = np.broadcast_to((np.array(LANES) + radius)[:, None], x.shape)
        return assemble(time, np.stack([x, y], -1), np.stack([u, np.zeros_like(u)], -1), radius, factors)

    def draw(self, trajectory: Trajectory) -> Drawing:
        """Draw a red and a blue disc on grey ground; ice and sand look the same."""
        ground = (slab(0.0, lane - THICK, self.world.width, lane) for lane in LANES)
        return replace(super().draw(trajectory), behind=grey(*ground))

    def invariants(self, trajectory: Trajectory) -> dict[str, Float[np.ndarray, "*b t"]]:
        """Height of both balls; friction takes the rest."""
        return {"y red [m]": trajectory.position[..., 0, 1], "y blue [m]": trajectory.position[..., 1, 1]}
