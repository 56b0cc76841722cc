"""Two spheres are struck along the ground, one of them with backspin: they slide, then roll, one may come back.

A sphere of speed v whose surface runs backwards at w at the ground rubs with friction mu until it rolls:
    x'' = -mu g   for t < t_r = 2 (v + w) / (7 mu g),   after which it rolls at v - 2 (v + w) / 7 for ever
(I = 2 m r^2 / 5; angular momentum about the point of contact is kept, Coriolis 1835). The spin w cannot be seen.
With s = min(t, t_r):  x = x_0 + v s - mu g s^2 / 2 + (v - mu g s) (t - s),  closed form.
"""

from dataclasses import dataclass
from typing import ClassVar, final

import numpy as np
from jaxtyping import Float

from cavendish.motion import Actions, Drawing, Factors, Instants, MetresPerSecond2, Trajectory
from cavendish.scenes.looks import BLUE, RED
from cavendish.scenes.perspective import CAMERA, draw_in_perspective, place_camera
from cavendish.scenes.scene import Law, Scene, assemble, placed, ranged, same_everywhere

BALLS = ("red", "blue")


@final
@dataclass(frozen=True)
class RollingSpheres(Scene):
    """A red sphere is pushed and a blue one is struck with backspin, before a moving camera."""

    gravity: MetresPerSecond2 = 9.8
    friction: float = 0.15

    factors: ClassVar = (
        ranged("radius_red", "m", "radius", (0.8, 1.0), (0.5, 0.7), (1.1, 1.2)),
        ranged("radius_blue", "m", "radius", (0.8, 1.0), (0.5, 0.7), (1.1, 1.2)),
        ranged("velocity_red", "m/s", "velocity", (1.0, 2.2), (0.0, 0.5), (2.4, 2.8)),
        ranged("velocity_blue", "m/s", "velocity", (1.0, 2.2), (0.0, 0.5), (2.4, 2.8)),
        same_everywhere("spin_blue", "m/s", (0.0, 8.0)),
        *CAMERA,
        *(placed(name) for name in ("x_red", "x_blue", "z_red", "z_blue")),
    )
    law: ClassVar = Law(
        ("Eq(Derivative(x(t), t, t), -mu*g)", "Eq(v_rolling, v - 2*(v + w)/7)"),
        {
            "t": "time [s]",
            "mu": "friction, until the sphere rolls",
            "g": "acceleration of free fall [m/s^2]",
            "v": "speed at the start [m/s]",
            "w": "speed at which the surface runs backwards at the start [m/s]",
            "v_rolling": "speed once it rolls [m/s]",
        },
    )
    bodies: ClassVar = 2
    space: ClassVar = 3
    handed: ClassVar = True  # the camera's path and the light are not mirrored

    def __post_init__(self) -> None:
        """Refuse a ground without friction or weight."""
        self.require_positive("gravity", "friction")

    def place(self, chosen: dict[str, float], region: str, rng: np.random.Generator) -> bool:
        """Start both on the left, on lanes that keep them apart."""
        place_camera(chosen, rng)
        for colour in BALLS:
            chosen[f"x_{colour}"] = float(rng.uniform(-1.7, -0.8))
            chosen[f"z_{colour}"] = float(rng.uniform(-3.2, 0.8))
        room = chosen["radius_red"] + chosen["radius_blue"] + 0.5
        return abs(chosen["z_red"] - chosen["z_blue"]) > room

    def simulate(self, factors: Factors, time: Instants, actions: Actions = None) -> Trajectory:
        """Slide, then roll."""
        column = self.begun(factors, time) | {"spin_red": np.zeros(len(factors))}
        radius, speed, spin, start, lane = (
            np.stack([column[f"{name}_{colour}"] for colour in BALLS], -1)
            for name in ("radius", "velocity", "spin", "x", "z")
        )
        slow, since = self.friction * self.gravity, time[:, None]
        slid = np.minimum(since, np.maximum(2 * (speed + spin) / (7 * slow), 0.0)[:, None])
        along = speed[:, None] - slow * slid
        x = start[:, None] + speed[:, None] * slid - 0.5 * slow * slid**2 + along * (since - slid)
        y, z = (np.broadcast_to(values[:, None], x.shape) for values in (radius, lane))
        still = np.zeros_like(x)
        return assemble(time, np.stack([x, y, z], -1), np.stack([along, still, still], -1), radius, factors)

    def draw(self, trajectory: Trajectory) -> Drawing:
        """Draw a red and a blue sphere on the ground, in perspective."""
        return draw_in_perspective(trajectory, self.factors, (True, True), (RED, BLUE), self.world)

    def invariants(self, trajectory: Trajectory) -> dict[str, Float[np.ndarray, "*b t"]]:
        """Height and lane of both spheres: the ground carries them and the friction acts along x alone."""
        return {
            f"{axis} of {colour} [m]": trajectory.position[..., n, k]
            for n, colour in enumerate(BALLS)
            for axis, k in (("y", 1), ("z", 2))
        }
