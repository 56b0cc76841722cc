"""A ball on a rigid rod: theta'' = -(g / L) sin theta, at any amplitude (Huygens 1673, Jacobi 1829).

Released at rest at theta = A, with k = sin(A / 2), u = sqrt(g / L) t + K(k),
    sin(theta / 2) = k sn(u | k),    theta' = 2 k sqrt(g / L) cn(u | k),
and the period is 4 sqrt(L / g) K(k): closed form in Jacobi's elliptic functions (DLMF 22.19.2), which scipy
evaluates to a relative error of about 1e-15. For small A this is harmonic; at A = 2.6 rad the period has doubled.
"""

from dataclasses import dataclass, replace
from typing import ClassVar, final

import numpy as np
from jaxtyping import Float

from cavendish.errors import BadInputError
from cavendish.motion import Actions, Drawing, Factors, Instants, KilogramsPerMetre2, MetresPerSecond2, Trajectory
from cavendish.scenes.looks import grey, rod
from cavendish.scenes.scene import Law, Scene, assemble_one, disc_mass, ranged, same_everywhere


@final
@dataclass(frozen=True)
class Pendulum(Scene):
    """A red ball swings on a grey rod about the middle of the world."""

    gravity: MetresPerSecond2 = 9.8
    density: KilogramsPerMetre2 = 1.0

    factors: ClassVar = (
        same_everywhere("radius", "m", (0.3, 0.6)),
        ranged("length", "m", "length", (2.0, 3.2), (1.2, 1.6), (3.6, 4.2)),
        ranged("amplitude", "rad", "amplitude", (0.3, 1.2), (0.05, 0.2), (1.6, 2.6)),
    )
    law: ClassVar = Law(
        ("Eq(Derivative(theta(t), t, t), -g/L*sin(theta(t)))",),
        {"t": "time [s]", "g": "acceleration of free fall [m/s^2]", "L": "length of the rod [m]"},
    )
    bodies: ClassVar = 1

    def __post_init__(self) -> None:
        """Refuse a world without weight."""
        self.require_positive("gravity")

    def place(self, chosen: dict[str, float], region: str, rng: np.random.Generator) -> bool:
        """Place nothing: the pivot is fixed, and the ball starts on the right."""
        return True

    def simulate(self, factors: Factors, time: Instants, actions: Actions = None) -> Trajectory:
        """Swing by Jacobi's elliptic functions."""
        from scipy.special import ellipj, ellipk

        column = self.begun(factors, time)
        length, amplitude = column["length"][:, None], column["amplitude"][:, None]
        if (length <= 0).any() or (np.abs(amplitude) >= np.pi).any():
            raise BadInputError(f"{self.name()}: expected length > 0 and amplitude below pi")
        k = np.sin(0.5 * amplitude)
        rate = np.sqrt(self.gravity / length)
        sn, cn, dn, _ = ellipj(rate * time + ellipk(k**2), k**2)
        half_sine, half_cosine, turning = k * sn, dn, 2 * k * rate * cn
        sine, cosine = 2 * half_sine * half_cosine, 1 - 2 * half_sine**2
        x, y = self.world.width / 2 + length * sine, self.world.height / 2 - length * cosine
        velocity = (length * turning * cosine, length * turning * sine)
        return assemble_one(time, (x, y), velocity, column["radius"], factors)

    def period(self, factors: Float[np.ndarray, "b f"]) -> Float[np.ndarray, " b"]:
        """Return the time of one full swing in seconds."""
        from scipy.special import ellipk

        column = self.columns(factors)
        periods = 4 * np.sqrt(column["length"] / self.gravity) * ellipk(np.sin(0.5 * column["amplitude"]) ** 2)
        return np.asarray(periods)

    def draw(self, trajectory: Trajectory) -> Drawing:
        """Draw a red disc on a grey rod."""
        ball = trajectory.position[..., 0, :]
        pivot = np.broadcast_to([self.world.width / 2, self.world.height / 2], ball.shape)
        return replace(super().draw(trajectory), behind=grey(rod(pivot, ball, 0.15)))

    def invariants(self, trajectory: Trajectory) -> dict[str, Float[np.ndarray, "*b t"]]:
        """Length of the rod, and kinetic plus potential energy."""
        mass = disc_mass(trajectory, self.density)[..., 0]
        ball = trajectory.position[..., 0, :]
        reach = np.hypot(ball[..., 0] - self.world.width / 2, ball[..., 1] - self.world.height / 2)
        speed = (trajectory.velocity[..., 0, :] ** 2).sum(-1)
        return {"length [m]": reach, "energy [J]": mass * (0.5 * speed + self.gravity * ball[..., 1])}
