"""Two balls meet head-on: momentum is kept, and the parting speed is e times the closing speed.

With signed speeds u1, u2, masses m_i = density pi r_i^2 and restitution e, after the impact
    u1' = (m1 u1 + m2 u2 + e m2 (u2 - u1)) / (m1 + m2)
    u2' = (m1 u1 + m2 u2 + e m1 (u1 - u2)) / (m1 + m2),
at the exact instant t* = (x2 - x1 - r1 - r2) / (u1 - u2); free flight before and after.
At rest an impulse of zero duration: x is continuous, u jumps, and u(t*) is the speed after.
Ranges and placement: Kang et al. 2024 (arXiv 2411.02385), two-ball collision generators. So are the lessons
with a hole: `around-...` leaves a square of the plane of both speeds (or radii) out, or three of them, and
`inside-...` asks there.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import ClassVar, final

import numpy as np
from jaxtyping import Float

from cavendish.errors import BadInputError
from cavendish.motion import Actions, Factors, Instants, KilogramsPerMetre2, Trajectory
from cavendish.scenes.scene import Factor, Interval, Law, Scene, assemble, disc_mass, placed, study_factor

TOUCHING = 1e-9  # m; balls that start in touch may overlap by rounding

Box = tuple[Interval, Interval]  # of the red and of the blue ball


def _square(low: float, high: float) -> tuple[Box, ...]:
    return (((low, high), (low, high)),)


# Boxes held out of the training plane; around the last square of the speeds an L remains: one ball at most 1.25 m/s.
SPEED_HOLES: Mapping[str, tuple[Box, ...]] = {
    "speeds-2-3": _square(2.0, 3.0),
    "speeds-1.75-3.25": _square(1.75, 3.25),
    "speeds-1.5-3.5": _square(1.5, 3.5),
    "speeds-1.25-3.75": _square(1.25, 3.75),
    "speeds-1.1-3.9": _square(1.1, 3.9),
    "speeds-1.25-4": _square(1.25, 4.0),
    "speeds-three": (((1.2, 2.2), (2.7, 3.7)), ((2.7, 3.7), (1.2, 2.2)), ((2.9, 3.5), (3.3, 3.9))),
}
RADIUS_HOLES: Mapping[str, tuple[Box, ...]] = {"radii-0.8-1.2": _square(0.8, 1.2)}


def _with_holes(factor: Factor, holes: Mapping[str, tuple[Box, ...]]) -> Factor:
    ball = ("red", "blue").index(factor.name.rpartition("_")[2])
    around = {f"around-{name}": factor.intervals("train") for name in holes}
    inside = {f"inside-{name}": tuple(box[ball] for box in boxes) for name, boxes in holes.items()}
    return replace(factor, lessons=around | inside)


@final
@dataclass(frozen=True)
class Collision(Scene):
    """A red ball from the left and a blue ball from the right collide head-on."""

    restitution: float = 1.0
    density: KilogramsPerMetre2 = 1.0

    factors: ClassVar = (
        _with_holes(study_factor("radius_red", "radius", (0.5, 1.5), (0.3, 0.4), (1.7, 2.0)), RADIUS_HOLES),
        _with_holes(study_factor("radius_blue", "radius", (0.5, 1.5), (0.3, 0.4), (1.7, 2.0)), RADIUS_HOLES),
        _with_holes(study_factor("speed_red", "velocity", (1.0, 4.0), (0.0, 0.8), (4.5, 6.0)), SPEED_HOLES),
        _with_holes(study_factor("speed_blue", "velocity", (1.0, 4.0), (0.0, 0.8), (4.5, 6.0)), SPEED_HOLES),
        placed("x_red"),
        placed("x_blue"),
        placed("y"),
    )
    law: ClassVar = Law(
        (
            "Eq(m1*u1_after + m2*u2_after, m1*u1 + m2*u2)",
            "Eq(u2_after - u1_after, e*(u1 - u2))",
        ),
        {
            "m1": "mass of the red ball [kg]",
            "m2": "mass of the blue ball [kg]",
            "e": "restitution",
            "u1": "velocity of the red ball before [m/s]",
            "u2": "velocity of the blue ball before [m/s]",
            "u1_after": "velocity of the red ball after [m/s]",
            "u2_after": "velocity of the blue ball after [m/s]",
        },
    )
    bodies: ClassVar = 2

    def place(self, chosen: dict[str, float], region: str, rng: np.random.Generator) -> bool:
        """Put the balls 8 (OOD: 4) to 24 frames before impact, both fully inside the world."""
        r1, r2 = chosen["radius_red"], chosen["radius_blue"]
        if not _belongs(region, SPEED_HOLES, chosen["speed_red"], chosen["speed_blue"]):
            return False
        if not _belongs(region, RADIUS_HOLES, r1, r2):
            return False
        closing = self.step * (chosen["speed_red"] + chosen["speed_blue"])
        earliest = 4 if region.startswith("ood") else 8
        nearest = r1 + r2 + earliest * closing
        farthest = min(r1 + r2 + 24 * closing, self.world.width - r1 - r2)
        if max(r1, r2) > 2 * min(r1, r2):
            farthest = min(farthest, 1.25 * nearest)
        if farthest < nearest:
            return False
        gap = rng.uniform(nearest, farthest)
        chosen["x_red"] = float(rng.uniform(r1, max(r1, self.world.width - r2 - gap)))
        chosen["x_blue"] = chosen["x_red"] + float(gap)
        largest = max(r1, r2)
        chosen["y"] = float(rng.uniform(largest + 0.5, self.world.height - 0.5 - largest))
        return True

    def simulate(self, factors: Factors, time: Instants, actions: Actions = None) -> Trajectory:
        """Fly, meet at t*, fly on."""
        from cavendish.scenes.flight import fly_and_part

        column = self.begun(factors, time)
        radius = np.stack([column["radius_red"], column["radius_blue"]], -1)
        start = np.stack([column["x_red"], column["x_blue"]], -1)
        before = np.stack([column["speed_red"], -column["speed_blue"]], -1)
        gap = start[:, 1] - start[:, 0] - radius.sum(-1)
        if (gap < -TOUCHING).any():
            raise BadInputError(f"{self.name()}: the balls overlap at the start (gap {gap.min():g} m, expected >= 0)")
        after = speeds_after(before, self.density * np.pi * radius**2, self.restitution)
        places = np.stack([start, np.broadcast_to(column["y"][:, None], start.shape)], -1)
        position, velocity = fly_and_part(time, places, before, after, self.impact_time(factors))
        return assemble(time, position, velocity, radius, factors)

    def impact_time(self, factors: Float[np.ndarray, "b f"]) -> Float[np.ndarray, " b"]:
        """Return the instant of contact in seconds, infinite where the balls never meet."""
        column = self.columns(factors)
        gap = column["x_blue"] - column["x_red"] - column["radius_red"] - column["radius_blue"]
        closing = column["speed_red"] + column["speed_blue"]
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):  # a denormal closing speed never arrives
            return np.where(closing > 0, np.maximum(gap, 0.0) / closing, np.inf)

    def invariants(self, trajectory: Trajectory) -> dict[str, Float[np.ndarray, "*b t"]]:
        """Total momentum; total kinetic energy as well where the impact is elastic."""
        mass = disc_mass(trajectory, self.density)
        u = trajectory.velocity[..., 0]
        kept = {"momentum x [kg m/s]": (mass * u).sum(-1)}
        if self.restitution == 1.0:
            kept["energy [J]"] = 0.5 * (mass * u**2).sum(-1)
        return kept


def _belongs(region: str, holes: Mapping[str, tuple[Box, ...]], first: float, second: float) -> bool:
    """Tell whether a region teaches (around its boxes) or asks (inside one of them) a pair."""
    side, _, name = region.partition("-")
    if name not in holes:
        return True
    inside = any(a < first < b and c < second < d for (a, b), (c, d) in holes[name])
    return inside == (side == "inside")


def speeds_after(
    before: Float[np.ndarray, "b n"], mass: Float[np.ndarray, "b n"], restitution: float
) -> Float[np.ndarray, "b n"]:
    """Return the signed speeds of two bodies after they met head-on, in metres per second."""
    momentum = (mass * before).sum(-1, keepdims=True)
    swap = restitution * mass[:, ::-1] * (before[:, ::-1] - before)
    return np.asarray((momentum + swap) / mass.sum(-1, keepdims=True))
