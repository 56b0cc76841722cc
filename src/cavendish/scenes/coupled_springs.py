"""Two balls between two walls, joined by three springs: a sum of two normal modes.

With displacements u from the points of rest, M = diag(m1, m2) and
    K = [[k + c, -c], [-c, k + c]],   M u'' = -K u,
the symmetric matrix M^-1/2 K M^-1/2 = V diag(omega^2) V^T gives, for balls let go at rest from u0,
    u(t) = M^-1/2 V cos(omega t) V^T M^1/2 u0: closed form, exact to rounding.
Equal balls swing together (omega^2 = k / m) and against each other (omega^2 = (k + 2 c) / m), and beat.
"""

from dataclasses import dataclass, replace
from typing import ClassVar, final

import numpy as np
from jaxtyping import Float

from cavendish.errors import BadInputError
from cavendish.motion import Actions, Drawing, Factors, Instants, KilogramsPerMetre2, NewtonsPerMetre, Trajectory
from cavendish.scenes.looks import grey, rod
from cavendish.scenes.scene import Law, Scene, assemble, disc_mass, placed, ranged, study_factor


@final
@dataclass(frozen=True)
class CoupledSprings(Scene):
    """A red and a blue ball swing on grey springs between two walls."""

    stiffness: NewtonsPerMetre = 5.0  # of the springs at the walls
    coupling: NewtonsPerMetre = 5.0  # of the spring between the balls
    density: KilogramsPerMetre2 = 1.0

    factors: ClassVar = (
        study_factor("radius_red", "radius", (0.4, 0.7), (0.25, 0.35), (0.8, 0.9)),
        study_factor("radius_blue", "radius", (0.4, 0.7), (0.25, 0.35), (0.8, 0.9)),
        ranged("offset_red", "m", "offset", (0.3, 0.9), (0.0, 0.2), (1.0, 1.3)),
        ranged("offset_blue", "m", "offset", (-0.9, 0.9), (-1.3, -1.0), (1.0, 1.3)),
        placed("y"),
    )
    law: ClassVar = Law(
        (
            "Eq(m1*Derivative(u1(t), t, t), -k*u1(t) + c*(u2(t) - u1(t)))",
            "Eq(m2*Derivative(u2(t), t, t), -k*u2(t) - c*(u2(t) - u1(t)))",
        ),
        {
            "t": "time [s]",
            "m1": "mass of the red ball [kg]",
            "m2": "mass of the blue ball [kg]",
            "k": "stiffness of the springs at the walls [N/m]",
            "c": "stiffness of the spring between the balls [N/m]",
        },
    )
    bodies: ClassVar = 2

    def __post_init__(self) -> None:
        """Refuse springs that do not pull back."""
        if not self.stiffness > 0 or not self.coupling >= 0:
            raise BadInputError(
                f"stiffness = {self.stiffness:g} N/m, coupling = {self.coupling:g} N/m, expected > 0 and >= 0"
            )

    def place(self, chosen: dict[str, float], region: str, rng: np.random.Generator) -> bool:
        """Choose a height, unless the balls could ever touch each other or a wall."""
        radius = np.array([[chosen["radius_red"], chosen["radius_blue"]]])
        start = np.array([[chosen["offset_red"], chosen["offset_blue"]]])
        modes, _ = self._modes(radius, start)
        farthest = np.abs(modes).sum(-1)[0]
        nearest = np.abs(modes[:, 1] - modes[:, 0]).sum(-1)[0]
        third = self.world.width / 3
        margin = float(radius.max()) + 0.5
        chosen["y"] = float(rng.uniform(margin, self.world.height - margin))
        return bool(nearest + radius.sum() < third and (farthest + radius[0] < third).all())

    def simulate(self, factors: Factors, time: Instants, actions: Actions = None) -> Trajectory:
        """Add the two modes."""
        column = self.begun(factors, time)
        radius = np.stack([column["radius_red"], column["radius_blue"]], -1)
        start = np.stack([column["offset_red"], column["offset_blue"]], -1)
        modes, rate = self._modes(radius, start)
        phase = rate[:, None] * time[:, None]  # b t mode
        moved = (modes[:, None] * np.cos(phase)[:, :, None]).sum(-1)
        speed = (modes[:, None] * (-rate[:, None] * np.sin(phase))[:, :, None]).sum(-1)
        x = moved + self._rest()
        y = np.broadcast_to(column["y"][:, None, None], x.shape)
        return assemble(time, np.stack([x, y], -1), np.stack([speed, np.zeros_like(speed)], -1), radius, factors)

    def _rest(self) -> Float[np.ndarray, " n"]:
        return self.world.width * np.array([1.0, 2.0]) / 3

    def _modes(
        self, radius: Float[np.ndarray, "b n"], start: Float[np.ndarray, "b n"]
    ) -> tuple[Float[np.ndarray, "b n mode"], Float[np.ndarray, "b mode"]]:
        """Return each ball's amplitude in each mode [m], and the modes' angular frequencies [rad/s]."""
        root = np.sqrt(self.density * np.pi) * radius  # of the mass
        k, c = self.stiffness, self.coupling
        square, shape = np.linalg.eigh(np.array([[k + c, -c], [-c, k + c]]) / (root[:, :, None] * root[:, None]))
        weight = (shape * (root * start)[:, :, None]).sum(1)
        return shape * weight[:, None] / root[:, :, None], np.sqrt(square)

    def draw(self, trajectory: Trajectory) -> Drawing:
        """Draw a red and a blue disc on grey lines, from wall to wall."""
        ball = trajectory.position
        order = np.argsort(ball[..., 0], axis=-1)[..., None]
        first, second = np.moveaxis(np.take_along_axis(ball, order, axis=-2), -2, 0)
        left = np.stack([np.zeros_like(first[..., 0]), first[..., 1]], -1)
        right = np.stack([np.full_like(second[..., 0], self.world.width), second[..., 1]], -1)
        springs = grey(rod(left, first, 0.15), rod(first, second, 0.15), rod(second, right, 0.15))
        return replace(super().draw(trajectory), behind=springs)

    def invariants(self, trajectory: Trajectory) -> dict[str, Float[np.ndarray, "*b t"]]:
        """Kinetic energy plus the energy of the three springs."""
        mass = disc_mass(trajectory, self.density)
        u = trajectory.position[..., 0] - self._rest()
        moving = 0.5 * (mass * (trajectory.velocity**2).sum(-1)).sum(-1)
        stretched = self.stiffness * (u**2).sum(-1) + self.coupling * (u[..., 1] - u[..., 0]) ** 2
        return {"energy [J]": moving + 0.5 * stretched}
