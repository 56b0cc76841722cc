"""One body in uniform motion whose colour, size, speed and shape are taught together and asked apart.

x(t) = x0 + v t, y(t) = y0, as in `uniform-motion`. In the region `colour-size` small bodies are red and large ones
blue; `colour-size-swapped` asks for large red and small blue ones, which no lesson has shown. Does the model keep
the colour and change the size, or the other way round? The six pairs of four attributes, and colour against ring,
    high(A) = high(B) where taught,   high(A) != high(B) where swapped,
    high: blue, square or ring, r > 1.05 m, v > 2.5 m/s,
are those of Kang et al. 2024 (arXiv 2411.02385, section 5 and its released generators); `-binary` keeps only the
extremes of size and speed. `train` is the control: red discs of all sizes and speeds.
Every look is a body of its own; those that a clip does not show wait outside the frame, at rest, so whatever look
a model imagines, a reader finds it by name.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import product
from typing import ClassVar, final

import numpy as np
from jaxtyping import Float, Int

from cavendish.errors import BadInputError
from cavendish.motion import Actions, Drawing, Factors, Instants, KilogramsPerMetre2, Shape, Trajectory
from cavendish.scenes.looks import BLUE, RED, WHITE, box_outline
from cavendish.scenes.scene import Factor, Interval, Intervals, Law, Scene, assemble, disc_mass, place_rolling, placed

COLOURS = (RED, BLUE)
SHAPES = (Shape.DISC, Shape.POLYGON, Shape.RING)
LOOKS = tuple(product(range(len(COLOURS)), range(len(SHAPES))))  # red disc, square, ring, then the blue ones
WAITING = -3.0  # m; no body reaches into the frame from there

PAIRS = (
    ("colour", "size"),
    ("colour", "velocity"),
    ("colour", "shape"),
    ("colour", "ring"),
    ("size", "velocity"),
    ("size", "shape"),
    ("velocity", "shape"),
)
RANGES: Mapping[str, Interval] = {"size": (0.7, 1.4), "velocity": (1.0, 4.0)}
MIDDLE: Mapping[str, float] = {"size": 1.05, "velocity": 2.5}
NUMBER: Mapping[str, int] = {"colour": 1, "shape": 1, "ring": 2}  # of the high value; the low one is 0


def _regions(pair: tuple[str, str]) -> tuple[str, ...]:
    kinds = ("", "-binary") if set(pair) & set(RANGES) else ("",)
    return tuple(f"{'-'.join(pair)}{kind}{way}" for kind in kinds for way in ("", "-swapped"))


def _lessons(*attributes: str) -> dict[str, Intervals]:
    """Return the intervals of a factor in every region whose pair has one of the attributes."""
    lessons: dict[str, Intervals] = {}
    for pair in PAIRS:
        for attribute in set(pair) & set(attributes):
            for region in _regions(pair):
                low, high = RANGES.get(attribute, (0.0, float(NUMBER.get(attribute, 0))))
                whole = attribute in RANGES and "-binary" not in region
                lessons[region] = ((low, high),) if whole else ((low, low), (high, high))
    return lessons


def _factor(name: str, unit: str, span: Interval, *attributes: str) -> Factor:
    return Factor(name, unit, {"train": (span,), "interpolation": (span,)}, _lessons(*attributes))


@final
@dataclass(frozen=True)
class AttributeConflict(Scene):
    """A red or blue disc, square or ring crosses the world at constant speed."""

    density: KilogramsPerMetre2 = 1.0

    factors: ClassVar = (
        _factor("radius", "m", RANGES["size"], "size"),
        _factor("velocity", "m/s", RANGES["velocity"], "velocity"),
        _factor("colour", "0 red, 1 blue", (0.0, 0.0), "colour"),
        _factor("shape", "0 disc, 1 square, 2 ring", (0.0, 0.0), "shape", "ring"),
        placed("x"),
        placed("y"),
    )
    law: ClassVar = Law(("Eq(Derivative(x(t), t, t), 0)", "Eq(Derivative(y(t), t, t), 0)"), {"t": "time [s]"})
    bodies: ClassVar = len(LOOKS)

    def place(self, chosen: dict[str, float], region: str, rng: np.random.Generator) -> bool:
        """Refuse what the region does not show; start where the body stays in view for 24 frames if it can."""
        pair = next((pair for pair in PAIRS if region in _regions(pair)), None)
        if pair is not None:
            first, second = (_high(attribute, chosen) for attribute in pair)
            if (first == second) == region.endswith("-swapped"):
                return False
        reach = 1.26 * chosen["radius"]  # of a square or a ring
        chosen["x"] = place_rolling(self.world, reach, chosen["velocity"], rng)
        chosen["y"] = float(rng.uniform(reach + 0.25, self.world.height - 0.25 - reach))
        return True

    def simulate(self, factors: Factors, time: Instants, actions: Actions = None) -> Trajectory:
        """Follow x = x0 + v t; the looks that are not shown wait."""
        column = self.begun(factors, time)
        shown = self._shown(column)
        clips = np.arange(len(shown))
        position = np.full((len(shown), len(time), len(LOOKS), 2), WAITING)
        velocity = np.zeros_like(position)
        position[clips, :, shown, 0] = column["x"][:, None] + column["velocity"][:, None] * time
        position[clips, :, shown, 1] = column["y"][:, None]
        velocity[clips, :, shown, 0] = column["velocity"][:, None]
        radius = np.broadcast_to(column["radius"][:, None], (len(shown), len(LOOKS)))
        return assemble(time, position, velocity, radius, factors)

    def _shown(self, column: Mapping[str, Float[np.ndarray, " b"]]) -> Int[np.ndarray, " b"]:
        """Return which body each clip shows."""
        for name, values in (("colour", COLOURS), ("shape", SHAPES)):
            known = np.isin(column[name], np.arange(len(values)))
            if not known.all():
                raise BadInputError(
                    f"{self.name()}: factor '{name}' = {column[name][~known][0]:g}, expected 0 to {len(values) - 1}"
                )
        return np.asarray(column["colour"] * len(SHAPES) + column["shape"], dtype=int)

    def draw(self, trajectory: Trajectory) -> Drawing:
        """Draw the looks on white, upright."""
        return Drawing(
            np.array([SHAPES[shape] for _, shape in LOOKS]),
            trajectory.position,
            trajectory.radius,
            np.array([COLOURS[colour] for colour, _ in LOOKS], np.uint8),
            np.array(WHITE, np.uint8),
            self.world,
            None,
            np.tile(box_outline(), (len(LOOKS), 1, 1)),
        )

    def invariants(self, trajectory: Trajectory) -> dict[str, Float[np.ndarray, "*b t"]]:
        """Momentum and kinetic energy of the body."""
        momentum = disc_mass(trajectory, self.density)[..., None] * trajectory.velocity
        return {
            "momentum x [kg m/s]": np.nansum(momentum[..., 0], axis=-1),
            "energy [J]": np.nansum(0.5 * momentum * trajectory.velocity, axis=(-1, -2)),
        }


def _high(attribute: str, chosen: Mapping[str, float]) -> bool:
    if attribute in MIDDLE:
        return chosen["radius" if attribute == "size" else attribute] > MIDDLE[attribute]
    return chosen["shape" if attribute == "ring" else attribute] == NUMBER[attribute]
