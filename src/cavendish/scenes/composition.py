"""Two events that were taught apart are asked together: a red and a blue ball between two walls, in one dimension.

Straight flight, elastic impacts (momentum and energy kept) and mirror reflection at the edges of the frame, exact from
impact to impact as in `billiard`. What differs between regions is which events a clip may show:
    spatial           one ball crosses while the other rests, and it is the red one if it meets a wall; never both
    spatial-both      blue crosses while red runs to a wall and back, in rows of their own
    temporal          the balls meet and no wall is met, or red meets a wall and not the other ball; never both
    temporal-both     the balls meet, and then red meets a wall
    temporal-unseen   as `temporal`, but it is blue that meets the wall: red is never seen to bounce
and `train` shows anything. Follows the two examples of Kang et al. 2024 (arXiv 2411.02385, section 5), whose generator
is not public; they find that without a bouncing red ball among the lessons, the asked one vanishes.
"""

from dataclasses import dataclass
from typing import ClassVar, final

import numpy as np
from jaxtyping import Float

from cavendish.motion import Actions, Factors, Instants, KilogramsPerMetre2, Trajectory
from cavendish.scenes.billiard import Billiard, kinetic_energy, play_all
from cavendish.scenes.scene import Factor, Intervals, Scene, assemble, placed

LESSONS = ("spatial", "spatial-both", "temporal", "temporal-both", "temporal-unseen")
MOVING: Intervals = ((-4.0, -1.0), (1.0, 4.0))
RESTING: Intervals = ((0.0, 0.0),)
SAME_LINE = 0.9  # how often a temporal lesson tries balls that meet: they are rarer, both are to be taught


def _ball(colour: str) -> tuple[Factor, ...]:
    size: Intervals = ((0.5, 1.0),)
    return (
        Factor(f"radius_{colour}", "m", {"train": size, "interpolation": size}, dict.fromkeys(LESSONS, size)),
        Factor(f"velocity_{colour}", "m/s", {"train": MOVING + RESTING, "interpolation": MOVING + RESTING}),
        placed(f"x_{colour}"),
        placed(f"y_{colour}"),
    )


@final
@dataclass(frozen=True)
class Composition(Scene):
    """A red and a blue ball run along level lines, meet each other or the walls, and bounce."""

    density: KilogramsPerMetre2 = 1.0

    factors: ClassVar = (*_ball("red"), *_ball("blue"))
    law: ClassVar = Billiard.law
    bodies: ClassVar = 2

    def place(self, chosen: dict[str, float], region: str, rng: np.random.Generator) -> bool:
        """Put the balls on one line or on two, and keep what the region allows to happen."""
        moving = int(chosen["velocity_red"] != 0) + int(chosen["velocity_blue"] != 0)
        if moving != {"spatial": 1, "spatial-both": 2}.get(region, moving):
            return False
        radii, sides = [chosen["radius_red"], chosen["radius_blue"]], [self.world.width, self.world.height]
        (x_red, y_red), (x_blue, y_blue) = ([float(rng.uniform(r, side - r)) for side in sides] for r in radii)
        if region.startswith("temporal") and rng.random() < SAME_LINE:
            y_blue = y_red
        meeting = (x_blue - x_red) * (chosen["velocity_red"] - chosen["velocity_blue"]) > 0
        if abs(y_red - y_blue) < sum(radii) and (y_red != y_blue or abs(x_red - x_blue) < sum(radii) + 0.1):
            return False  # no glancing impacts: the world has one dimension
        if region.startswith("temporal") and y_red == y_blue and not meeting:
            return False
        chosen.update(x_red=x_red, y_red=y_red, x_blue=x_blue, y_blue=y_blue)
        if not radii[1] <= y_blue <= self.world.height - radii[1]:
            return False
        return self._allows(region, np.array([[chosen[factor.name] for factor in self.factors]]))

    def _allows(self, region: str, row: Float[np.ndarray, "1 f"]) -> bool:
        """Tell whether what happens after the context belongs to a region."""
        fine = 10  # instants per frame, so that no two events fall between two of them
        time = np.arange(fine * (self.frames - 1) + 1) * self.step / fine
        u = self.simulate(row, time).velocity[0, :, :, 0]
        jumps = u[1:] != u[:-1]
        mirrored = jumps & (u[1:] == -u[:-1])  # by a wall
        meets, (red_wall, blue_wall) = (jumps & ~mirrored).any(1), mirrored.any(0)
        met, (red, blue), level = meets.any(), u[0] != 0, row[0, 3] == row[0, 7]
        allowed = {
            "spatial": not met and red != blue and red_wall == red and not blue_wall,
            "spatial-both": not met and blue and red_wall and not blue_wall,
            "temporal": not blue_wall and met != red_wall and met == level,
            "temporal-unseen": not red_wall and met != blue_wall and met == level,
            "temporal-both": met and red_wall and not blue_wall and mirrored[:, 0].argmax() > meets.argmax(),
        }
        return bool(allowed.get(region, True)) and not jumps[: fine * self.context].any()

    def simulate(self, factors: Factors, time: Instants, actions: Actions = None) -> Trajectory:
        """Play every clip from impact to impact."""
        table = np.stack(list(self.columns(factors).values()), -1).reshape(len(factors), 2, 4)
        velocity = table[..., 1:2] * np.array([1.0, 0.0])
        places, speeds = play_all(self, time, table[..., 2:], velocity, table[..., 0])
        return assemble(time, places, speeds, table[..., 0], factors)

    def invariants(self, trajectory: Trajectory) -> dict[str, Float[np.ndarray, "*b t"]]:
        """Total kinetic energy."""
        return {"energy [J]": kinetic_energy(trajectory, self.density)}
