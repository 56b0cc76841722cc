"""A block pushed up a slope with dry friction: Coulomb's law in one dimension along the slope.

With s the distance up the slope, angle theta, friction mu and gravity g,
    going up      s'' = -g (sin theta + mu cos theta) = -a,
    coming back   s'' = -g (sin theta - mu cos theta) = -d,   or rest for ever where tan theta <= mu,
so with t* = v / a:  s = s0 + v t - a t^2 / 2 until t*, then s* - d (t - t*)^2 / 2. The motion does not depend on
mass or size. Closed form, exact to rounding. The block is a square; its radius is sqrt(area / pi).
"""

import math
from dataclasses import dataclass
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
    Radians,
    Shape,
    Trajectory,
)
from cavendish.scenes.looks import RED, WHITE, box_outline, grey
from cavendish.scenes.scene import Law, Scene, assemble_one, disc_mass, placed, study_factor

HALF_SIDE = math.sqrt(math.pi) / 2  # of a square of equal-area radius 1


@final
@dataclass(frozen=True)
class Incline(Scene):
    """A red block slides up a grey slope, stops, and slides back if friction lets it."""

    gravity: MetresPerSecond2 = 2.5
    slope: Radians = 0.5
    friction: float = 0.2
    base: Metres = 0.5  # height of the slope's foot, at the left edge
    density: KilogramsPerMetre2 = 1.0

    factors: ClassVar = (
        study_factor("radius", "radius", (0.4, 0.8), (0.2, 0.3), (0.9, 1.1)),
        study_factor("velocity", "velocity", (1.0, 4.0), (0.0, 0.8), (4.5, 5.5)),
        placed("distance"),
    )
    law: ClassVar = Law(
        ("Eq(Derivative(s(t), t, t), -g*(sin(theta) + mu*cos(theta)*sign(Derivative(s(t), t))))",),
        {
            "t": "time [s]",
            "g": "acceleration of free fall [m/s^2]",
            "theta": "angle of the slope [rad]",
            "mu": "friction",
        },
    )
    bodies: ClassVar = 1
    handed: ClassVar = True

    def __post_init__(self) -> None:
        """Refuse a slope that is none, and friction that would push."""
        if not 0 < self.slope < math.pi / 2:
            raise BadInputError(f"slope = {self.slope:g} rad, expected between 0 and pi / 2")
        if not self.friction >= 0:
            raise BadInputError(f"friction = {self.friction:g}, expected >= 0")

    def place(self, chosen: dict[str, float], region: str, rng: np.random.Generator) -> bool:
        """Start near the foot, with the block in full view."""
        half = HALF_SIDE * chosen["radius"]
        nearest = half * (math.sqrt(2) + math.sin(self.slope)) / math.cos(self.slope)
        chosen["distance"] = float(rng.uniform(nearest, nearest + 2.0))
        return True

    def simulate(self, factors: Factors, time: Instants, actions: Actions = None) -> Trajectory:
        """Slide up until t*, then back or not at all."""
        column = self.begun(factors, time)
        speed = column["velocity"][:, None]
        if (speed < 0).any():
            raise BadInputError(f"{self.name()}: factor 'velocity' = {speed.min():g} m/s, expected >= 0 (up the slope)")
        sine, cosine = math.sin(self.slope), math.cos(self.slope)
        up = self.gravity * (sine + self.friction * cosine)
        down = self.gravity * max(0.0, sine - self.friction * cosine)
        early, late = np.minimum(time, speed / up), np.maximum(time - speed / up, 0.0)
        s = column["distance"][:, None] + speed * early - 0.5 * up * early**2 - 0.5 * down * late**2
        rate = speed - up * early - down * late
        half = HALF_SIDE * column["radius"][:, None]
        x, y = s * cosine - half * sine, self.base + s * sine + half * cosine
        return assemble_one(time, (x, y), (rate * cosine, rate * sine), column["radius"], factors)

    def draw(self, trajectory: Trajectory) -> Drawing:
        """Draw a red square on a grey slope."""
        width = self.world.width
        top = self.base + width * math.tan(self.slope)
        wedge = np.array([(0.0, 0.0), (width, 0.0), (width, top), (0.0, self.base)])[None, None]
        return Drawing(
            np.array([Shape.POLYGON]),
            trajectory.position,
            trajectory.radius,
            np.array([RED], np.uint8),
            np.array(WHITE, np.uint8),
            self.world,
            np.full(trajectory.radius.shape, self.slope),
            box_outline()[None],
            behind=grey(wedge),
        )

    def invariants(self, trajectory: Trajectory) -> dict[str, Float[np.ndarray, "*b t"]]:
        """Distance of the block from the slope; energy as well where there is no friction."""
        x, y = trajectory.position[..., 0, 0], trajectory.position[..., 0, 1] - self.base
        kept = {"distance from the slope [m]": y * math.cos(self.slope) - x * math.sin(self.slope)}
        if self.friction == 0.0:
            mass = disc_mass(trajectory, self.density)[..., 0]
            speed = (trajectory.velocity[..., 0, :] ** 2).sum(-1)
            kept["energy [J]"] = mass * (0.5 * speed + self.gravity * trajectory.position[..., 0, 1])
        return kept
