"""A planet about a fixed sun whose pull goes as any power of the distance: r'' = -mu r^p r_hat.

For p = -2 the motion is Kepler's ellipse. A planet that starts at distance d with q times the circular speed
sqrt(mu / d), at right angles to the radius, has a = d / (2 - q^2), e = |1 - q^2|, n = sqrt(mu / a^3), and
    E - e sin E = n t + M0 (Newton's iteration to rounding),  (x, y) = (a (cos E - e), a sqrt(1 - e^2) sin E)
in axes that point to the perihelion; M0 = pi for q < 1 (start at aphelion), else 0.
For any other p, and for unbound orbits, Dormand and Prince's 8(5,3) pair integrates at rtol = atol = 1e-12; on
Kepler's own ellipse its largest error over 3.1 s is below 1e-9 m. Only p = -2 and p = 1 close every bound orbit
(Bertrand 1873), which makes the exponent readable from a video.
"""

from dataclasses import dataclass, replace
from typing import ClassVar, final

import numpy as np
from jaxtyping import Float

from cavendish.errors import BadInputError
from cavendish.motion import Actions, Drawing, Factors, Instants, Metres, Trajectory
from cavendish.scenes.looks import grey, regular_outline
from cavendish.scenes.scene import Law, Scene, assemble_one, placed, ranged, same_everywhere

TOLERANCE = 1e-12


@final
@dataclass(frozen=True)
class Orbit(Scene):
    """A red planet circles a grey sun in the middle of the world, counter-clockwise."""

    strength: float = 40.0  # mu: the pull at a distance of 1 m, in m/s^2
    exponent: float = -2.0
    sun: Metres = 0.4  # radius, as drawn

    factors: ClassVar = (
        same_everywhere("radius", "m", (0.25, 0.45)),
        ranged("distance", "m", "distance", (2.2, 3.2), (1.6, 2.0), (3.5, 4.2)),
        ranged("swing", "circular speeds", "swing", (0.85, 1.0), (0.7, 0.8), (1.05, 1.15)),
        placed("direction", "rad"),
    )
    law: ClassVar = Law(
        (
            "Eq(Derivative(x(t), t, t), -mu*(x(t) - X)*r(t)**(p - 1))",
            "Eq(Derivative(y(t), t, t), -mu*(y(t) - Y)*r(t)**(p - 1))",
            "Eq(r(t), sqrt((x(t) - X)**2 + (y(t) - Y)**2))",
        ),
        {
            "t": "time [s]",
            "mu": "pull at a distance of 1 m [m/s^2]",
            "p": "exponent of the force",
            "X": "abscissa of the sun [m]",
            "Y": "height of the sun [m]",
        },
    )
    bodies: ClassVar = 1

    def __post_init__(self) -> None:
        """Refuse a sun that does not pull."""
        self.require_positive("strength")

    def place(self, chosen: dict[str, float], region: str, rng: np.random.Generator) -> bool:
        """Start in any direction from the sun, unless Kepler's ellipse would touch it."""
        chosen["direction"] = float(rng.uniform(0.0, 2 * np.pi))
        swing = min(chosen["swing"], 1.0)
        nearest = chosen["distance"] * swing**2 / (2 - swing**2)
        return self.exponent != -2.0 or nearest > self.sun + chosen["radius"]

    def simulate(self, factors: Factors, time: Instants, actions: Actions = None) -> Trajectory:
        """Follow Kepler's ellipse where there is one, else integrate."""
        column = self.begun(factors, time)
        if not (column["distance"] > 0).all():
            raise BadInputError(f"{self.name()}: factor 'distance' = {column['distance'].min():g} m, expected > 0")
        bound = (np.abs(column["swing"]) < np.sqrt(2)).all()
        follow = self._ellipse if self.exponent == -2.0 and bound else self._integrate
        place, speed = follow(column["distance"][:, None], column["swing"][:, None], time)
        cosine, sine = np.cos(column["direction"])[:, None], np.sin(column["direction"])[:, None]
        x = self.world.width / 2 + place[0] * cosine - place[1] * sine
        y = self.world.height / 2 + place[0] * sine + place[1] * cosine
        velocity = (speed[0] * cosine - speed[1] * sine, speed[0] * sine + speed[1] * cosine)
        return assemble_one(time, (x, y), velocity, column["radius"], factors)

    def _ellipse(
        self, distance: Float[np.ndarray, "b 1"], swing: Float[np.ndarray, "b 1"], time: Float[np.ndarray, " t"]
    ) -> tuple[Float[np.ndarray, "d b t"], Float[np.ndarray, "d b t"]]:
        """Return places and speeds in axes in which the planet starts on the right."""
        side = np.where(swing < 1, -1.0, 1.0)  # the perihelion lies on the other side of a start at aphelion
        a, e = distance / (2 - swing**2), np.abs(1 - swing**2)
        b = a * np.sqrt(1 - e**2)
        n = np.sqrt(self.strength / a**3)
        anomaly = _eccentric_anomaly(n * time + np.where(swing < 1, np.pi, 0.0), e)
        cosine, sine = np.cos(anomaly), np.sin(anomaly)
        rate = n / (1 - e * cosine)
        turn = np.where(swing < 0, -1.0, 1.0)
        place = np.stack([side * a * (cosine - e), turn * side * b * sine])
        return place, np.stack([-side * a * sine * rate, turn * side * b * cosine * rate])

    def _integrate(
        self, distance: Float[np.ndarray, "b 1"], swing: Float[np.ndarray, "b 1"], time: Float[np.ndarray, " t"]
    ) -> tuple[Float[np.ndarray, "d b t"], Float[np.ndarray, "d b t"]]:
        """Return places and speeds in axes in which the planet starts on the right, clip by clip."""
        from scipy.integrate import solve_ivp

        if time[0] < 0:
            raise BadInputError(f"{self.name()}: time starts at {time[0]:g} s, expected >= 0 for this exponent")
        speed = swing * np.sqrt(self.strength * distance ** (self.exponent + 1))
        states = np.empty((len(distance), 4, len(time)))
        for state, d, v in zip(states, distance[:, 0], speed[:, 0], strict=True):
            start = [d, 0.0, 0.0, v]
            path = solve_ivp(
                self._pull, (0.0, max(time[-1], 1e-9)), start, "DOP853", time, rtol=TOLERANCE, atol=TOLERANCE
            )
            if path.y.shape[1] != len(time):
                raise BadInputError(f"{self.name()}: the planet falls into the sun ({path.message})")
            state[:] = path.y
        moved = np.moveaxis(states, 1, 0)
        return moved[:2], moved[2:]

    def _pull(self, time: float, state: Float[np.ndarray, " 4"]) -> Float[np.ndarray, " 4"]:
        pull = -self.strength * np.hypot(state[0], state[1]) ** (self.exponent - 1)
        return np.array([state[2], state[3], pull * state[0], pull * state[1]])

    def draw(self, trajectory: Trajectory) -> Drawing:
        """Draw a red disc, and a grey sun of 24 corners behind it."""
        middle = np.array([self.world.width / 2, self.world.height / 2])
        sun = middle + self.sun * regular_outline(24)
        return replace(super().draw(trajectory), behind=grey(sun[None, None]))

    def invariants(self, trajectory: Trajectory) -> dict[str, Float[np.ndarray, "*b t"]]:
        """Energy and angular momentum per kilogram."""
        x = trajectory.position[..., 0, 0] - self.world.width / 2
        y = trajectory.position[..., 0, 1] - self.world.height / 2
        vx, vy = trajectory.velocity[..., 0, 0], trajectory.velocity[..., 0, 1]
        r, p = np.hypot(x, y), self.exponent + 1
        height = np.log(r) if p == 0.0 else r**p / p
        return {
            "energy per mass [J/kg]": 0.5 * (vx**2 + vy**2) + self.strength * height,
            "angular momentum per mass [m^2/s]": x * vy - y * vx,
        }


def _eccentric_anomaly(mean: Float[np.ndarray, "b t"], e: Float[np.ndarray, "b 1"]) -> Float[np.ndarray, "b t"]:
    """Solve Kepler's equation E - e sin E = M by Newton's iteration from Danby's start."""
    wrapped = np.remainder(mean, 2 * np.pi)
    anomaly = wrapped + 0.85 * e * np.sign(np.sin(wrapped))
    for _ in range(12):
        anomaly = anomaly - (anomaly - e * np.sin(anomaly) - wrapped) / (1 - e * np.cos(anomaly))
    return np.asarray(anomaly)
