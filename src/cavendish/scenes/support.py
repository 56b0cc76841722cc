"""A ball falls on a shelf with a slot beneath it: it is carried where it is wider than the slot, else it falls in.

    y(t) = max(y0 - g t^2 / 2, y_rest),
    y_rest = top + sqrt(r^2 - (gap / 2)^2)  where 2 r > gap (support: it sits on both rims),
             bottom + r                     otherwise (containment: it lies in the pit),
closed form; a landing takes all of the velocity. The ball is over the middle of the slot, so it never rolls.
In the region `doubtful` ball and slot differ by less than 0.1 m, about a pixel: the picture does not tell what follows,
and `data.ambiguity` gives the true distribution of outcomes.
"""

from dataclasses import dataclass, replace
from typing import ClassVar, final

import numpy as np
from jaxtyping import Float

from cavendish.errors import BadInputError
from cavendish.motion import (
    Actions,
    Drawing,
    Factors,
    Instants,
    KilogramsPerMetre2,
    Metres,
    MetresPerSecond2,
    Trajectory,
)
from cavendish.scenes.looks import boxes, grey
from cavendish.scenes.scene import Law, Scene, assemble_one, disc_mass, placed, ranged, study_factor

DOUBT = 0.1  # m
BALL = study_factor("radius", "radius", (0.5, 1.2), (0.3, 0.4), (1.4, 1.6))


@final
@dataclass(frozen=True)
class Support(Scene):
    """A red ball falls on a grey shelf with a slot, and stays on it or in it."""

    gravity: MetresPerSecond2 = 9.8
    top: Metres = 4.0  # of the shelf
    bottom: Metres = 0.5  # of the pit under the slot
    density: KilogramsPerMetre2 = 1.0

    factors: ClassVar = (
        replace(BALL, lessons={"doubtful": BALL.intervals("train")}),
        ranged("gap", "m", "gap", (0.5, 3.0), (0.2, 0.4), (3.2, 4.0)),
        placed("x"),
        placed("y"),
    )
    law: ClassVar = Law(
        ("Eq(Derivative(x(t), t, t), 0)", "Eq(Derivative(y(t), t, t), -g)", "Eq(v_after, 0)"),
        {"t": "time [s]", "g": "acceleration of free fall [m/s^2]", "v_after": "velocity after landing [m/s]"},
    )
    bodies: ClassVar = 1

    def __post_init__(self) -> None:
        """Refuse a world in which nothing falls, or a pit above its shelf."""
        self.require_positive("gravity")
        if not 0 <= self.bottom < self.top < self.world.height:
            raise BadInputError(f"bottom = {self.bottom:g} m, top = {self.top:g} m, expected 0 <= bottom < top")

    def place(self, chosen: dict[str, float], region: str, rng: np.random.Generator) -> bool:
        """Hold the ball a metre or more over the shelf, with the slot in full view."""
        if region == "doubtful" and abs(2 * chosen["radius"] - chosen["gap"]) > DOUBT:
            return False
        aside = max(chosen["radius"], chosen["gap"] / 2)
        chosen["x"] = float(rng.uniform(aside, self.world.width - aside))
        chosen["y"] = float(rng.uniform(self.top + chosen["radius"] + 1.0, self.world.height - chosen["radius"]))
        return True

    def simulate(self, factors: Factors, time: Instants, actions: Actions = None) -> Trajectory:
        """Fall until the ball is carried."""
        column = self.begun(factors, time)
        radius, gap = column["radius"], column["gap"]
        if (gap < 0).any():
            raise BadInputError(f"{self.name()}: factor 'gap' = {gap.min():g} m, expected >= 0")
        sunk = np.sqrt(np.maximum(radius**2 - gap**2 / 4, 0.0))
        carried = 2 * radius > gap
        rest = np.where(carried, self.top + sunk, self.bottom + radius)
        drop = column["y"] - np.where(carried, rest, self.top + radius)
        if (drop < 0).any():
            raise BadInputError(f"{self.name()}: the ball starts {-drop.min():g} m inside the shelf, expected above")
        falling = np.maximum(time, 0.0) < np.sqrt(2 * (column["y"] - rest) / self.gravity)[:, None]
        y = np.where(falling, column["y"][:, None] - 0.5 * self.gravity * time**2, rest[:, None])
        speed = np.where(falling, -self.gravity * time, 0.0)
        x = np.broadcast_to(column["x"][:, None], y.shape)
        return assemble_one(time, (x, y), (np.zeros_like(y), speed), radius, factors)

    def draw(self, trajectory: Trajectory) -> Drawing:
        """Draw a red disc over a grey shelf; the slot is known only where the factors are."""
        factors, middle = trajectory.factors, trajectory.position[..., 0, 0, :1]
        known = factors.shape[-1] == len(self.factors)
        half = factors[..., 1:2] / 2 if known else np.full(middle.shape, np.nan)
        ends = np.concatenate([0 * half, middle - half, middle + half, 0 * half + self.world.width], -1)
        shelf = boxes(ends[..., :-1], 0.0, ends[..., 1:], np.array([self.top, self.bottom, self.top]))
        return replace(super().draw(trajectory), behind=grey(shelf))

    def invariants(self, trajectory: Trajectory) -> dict[str, Float[np.ndarray, "*b t"]]:
        """Horizontal momentum."""
        return {"momentum x [kg m/s]": disc_mass(trajectory, self.density)[..., 0] * trajectory.velocity[..., 0, 0]}
