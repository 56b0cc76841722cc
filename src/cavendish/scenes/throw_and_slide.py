"""A sphere is thrown and bounces, a box slides and stops: gravity, restitution and friction in three dimensions.

Sphere:  x'' = z'' = 0,  y'' = -g in flight,  v_y -> -e v_y at the ground (closed form, see `bouncing_ball.bounce`).
Box:     x'' = mu g against its motion until it rests (Coulomb), hence with t_s = v / (mu g) and s = min(t, t_s)
         x = x_0 - v s + mu g s^2 / 2.
They pass on lanes of their own. The camera orbits, rolls and turns; landmarks on the ground stand still.
"""

from dataclasses import dataclass
from typing import ClassVar, final

import numpy as np
from jaxtyping import Float

from cavendish.errors import BadInputError
from cavendish.motion import Actions, Drawing, Factors, Instants, KilogramsPerMetre2, MetresPerSecond2, Trajectory
from cavendish.scenes.bouncing_ball import bounce
from cavendish.scenes.looks import BLUE, RED
from cavendish.scenes.perspective import CAMERA, draw_in_perspective, place_camera
from cavendish.scenes.scene import Law, Scene, assemble, placed, ranged, same_everywhere


@final
@dataclass(frozen=True)
class ThrowAndSlide(Scene):
    """A red sphere bounces over the ground and a blue box slides to rest, before a moving camera."""

    gravity: MetresPerSecond2 = 9.8
    restitution: float = 0.8
    friction: float = 0.4
    density: KilogramsPerMetre2 = 1.0

    factors: ClassVar = (
        ranged("radius", "m", "radius", (0.8, 1.0), (0.5, 0.7), (1.1, 1.2)),
        ranged("velocity", "m/s", "velocity", (0.8, 1.8), (0.0, 0.5), (2.0, 2.6)),
        same_everywhere("edge", "m", (1.2, 1.6)),
        same_everywhere("push", "m/s", (1.0, 3.0)),
        *CAMERA,
        *(placed(name) for name in ("height", "x", "x_box", "z_box", "z")),
    )
    law: ClassVar = Law(
        (
            "Eq(Derivative(x(t), t, t), 0)",
            "Eq(Derivative(y(t), t, t), -g)",
            "Eq(v_after, -e*v_before)",
            "Eq(Derivative(x_box(t), t, t), mu*g)",
        ),
        {
            "t": "time [s]",
            "g": "acceleration of free fall [m/s^2]",
            "e": "restitution of the sphere",
            "mu": "friction of the box, until it rests",
            "v_before": "vertical velocity before an impact [m/s]",
            "v_after": "vertical velocity after an impact [m/s]",
        },
    )
    bodies: ClassVar = 2
    space: ClassVar = 3
    handed: ClassVar = True  # the camera's path and the light are not mirrored

    def __post_init__(self) -> None:
        """Refuse constants with which nothing would fall, bounce or stop."""
        self.require_positive("gravity", "friction")
        if not self.restitution >= 0:
            raise BadInputError(f"restitution = {self.restitution:g}, expected >= 0")

    def place(self, chosen: dict[str, float], region: str, rng: np.random.Generator) -> bool:
        """Start the sphere on the left and the box on the right, on lanes that keep them apart."""
        place_camera(chosen, rng)
        chosen["height"] = float(rng.uniform(0.8, 1.8))  # of fall
        chosen["x"] = float(rng.uniform(-1.7, -0.8))
        chosen["x_box"] = float(rng.uniform(0.8, 1.6))
        chosen["z"], chosen["z_box"] = (float(z) for z in rng.uniform(-3.2, 0.8, 2))
        return abs(chosen["z"] - chosen["z_box"]) > chosen["radius"] + chosen["edge"] / 2 + 0.2

    def simulate(self, factors: Factors, time: Instants, actions: Actions = None) -> Trajectory:
        """Follow the series of bounces, and slow down to rest."""
        column = {name: values[:, None] for name, values in self.begun(factors, time).items()}
        if not (column["height"] >= 0).all() or not (column["edge"] > 0).all():
            raise BadInputError(f"{self.name()}: height must be >= 0 and edge > 0")
        rise, climb = bounce(column["height"], time, self.gravity, self.restitution)
        slow = self.friction * self.gravity
        slid = np.minimum(time, column["push"] / slow)
        x_box = column["x_box"] - column["push"] * slid + 0.5 * slow * slid**2
        flat = np.zeros_like(rise)
        sphere = (column["x"] + column["velocity"] * time, column["radius"] + rise, column["z"] + flat)
        box = (x_box, column["edge"] / 2 + flat, column["z_box"] + flat)
        speeds = ((column["velocity"] + flat, climb, flat), (slow * slid - column["push"], flat, flat))
        position, velocity = (np.stack([np.stack(axes, -1) for axes in pair], -2) for pair in ((sphere, box), speeds))
        radius = np.concatenate([column["radius"], column["edge"] / 2], -1)
        return assemble(time, position, velocity, radius, factors)

    def draw(self, trajectory: Trajectory) -> Drawing:
        """Draw a red sphere and a blue box on the ground, in perspective."""
        return draw_in_perspective(trajectory, self.factors, (True, False), (RED, BLUE), self.world)

    def invariants(self, trajectory: Trajectory) -> dict[str, Float[np.ndarray, "*b t"]]:
        """Level momentum of the sphere; its energy as well where impacts are elastic."""
        mass = self.density * 4 / 3 * np.pi * trajectory.radius[..., 0] ** 3
        velocity = trajectory.velocity[..., 0, :]
        kept = {"momentum x [kg m/s]": mass * velocity[..., 0], "momentum z [kg m/s]": mass * velocity[..., 2]}
        if self.restitution == 1.0:
            height = self.gravity * trajectory.position[..., 0, 1]
            kept["energy [J]"] = mass * (0.5 * (velocity**2).sum(-1) + height)
        return kept
