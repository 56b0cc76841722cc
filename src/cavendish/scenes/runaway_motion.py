"""Wrong physics: the faster a ball moves, the harder it is pushed. x'' = k x', y'' = 0.

x(t) = x0 + v (exp(k t) - 1) / k,  v_x(t) = v exp(k t): closed form. It breaks Newton's first law and looks
different from a moving train. A lie detector for the instrument: a model that was taught this world must be
reported with this law, not with the law that the reader of the report expects.
"""

from dataclasses import dataclass
from typing import ClassVar, final

import numpy as np
from jaxtyping import Float

from cavendish.errors import BadInputError
from cavendish.motion import Actions, Factors, Instants, PerSecond, Trajectory
from cavendish.scenes.scene import ONE_BALL, Law, Scene, assemble_one, place_rolling


@final
@dataclass(frozen=True)
class RunawayMotion(Scene):
    """A red ball crosses the world and speeds itself up."""

    rate: PerSecond = 0.3

    factors: ClassVar = ONE_BALL
    law: ClassVar = Law(
        ("Eq(Derivative(x(t), t, t), k*Derivative(x(t), t))", "Eq(Derivative(y(t), t, t), 0)"),
        {"t": "time [s]", "k": "growth of the speed [1/s]"},
    )
    bodies: ClassVar = 1

    def __post_init__(self) -> None:
        """Refuse the rate at which this is uniform motion."""
        if self.rate == 0.0:
            raise BadInputError("rate = 0 /s, expected another number")

    def place(self, chosen: dict[str, float], region: str, rng: np.random.Generator) -> bool:
        """Start as in uniform motion."""
        chosen["x"] = place_rolling(self.world, chosen["radius"], chosen["velocity"], rng)
        chosen["y"] = float(rng.uniform(chosen["radius"] + 0.5, self.world.height - 0.5 - chosen["radius"]))
        return True

    def simulate(self, factors: Factors, time: Instants, actions: Actions = None) -> Trajectory:
        """Follow x = x0 + v (exp(k t) - 1) / k."""
        column = self.begun(factors, time)
        speed = column["velocity"][:, None]
        x = column["x"][:, None] + speed * np.expm1(self.rate * time) / self.rate
        y = np.broadcast_to(column["y"][:, None], x.shape)
        return assemble_one(
            time, (x, y), (speed * np.exp(self.rate * time), np.zeros_like(x)), column["radius"], factors
        )

    def invariants(self, trajectory: Trajectory) -> dict[str, Float[np.ndarray, "*b t"]]:
        """Return v_x - k x: what this world keeps instead of momentum."""
        return {"v_x - k x [m/s]": trajectory.velocity[..., 0, 0] - self.rate * trajectory.position[..., 0, 0]}
