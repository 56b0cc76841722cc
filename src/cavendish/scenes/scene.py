"""What every scene promises: factors in, exact motion out, and the law that produced it.

A scene is a frozen dataclass whose fields are the constants of nature. Its *factors* are the
numbers that differ from clip to clip (size, speed, starting place); each has a range in every
*region*: `train`, `interpolation` (other draws from the same ranges), and the `ood-*` regions of
Kang et al. 2024 (arXiv 2411.02385, section 3 and its released generators), where it leaves them.
"""

import re
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from types import MappingProxyType
from typing import TYPE_CHECKING, ClassVar, get_type_hints

import numpy as np
from jaxtyping import Float

from cavendish.errors import BadInputError, unknown
from cavendish.motion import Actions, Drawing, Factors, Instants, Metres, Seconds, Shape, Trajectory, World
from cavendish.scenes.looks import BLUE, GREEN, RED, WHITE, Colour

if TYPE_CHECKING:
    import sympy

Interval = tuple[float, float]
Intervals = tuple[Interval, ...]
EMPTY: Mapping[str, float] = MappingProxyType({})


@dataclass(frozen=True)
class Factor:
    """A number that differs from clip to clip, with its range in every region.

    A region that is not listed uses the `train` range. A factor without ranges is placed by the
    scene, given the others (a starting position must keep the ball inside the world).
    Lessons are further regions that cut the training range up: with gaps, or one half of it.
    """

    name: str
    unit: str
    ranges: Mapping[str, Intervals]
    lessons: Mapping[str, Intervals] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Refuse a range that nothing could be drawn from."""
        for region, spans in (*self.ranges.items(), *self.lessons.items()):
            for low, high in spans:
                if not -np.inf < low <= high < np.inf:
                    raise BadInputError(
                        f"factor '{self.name}': range ({low:g}, {high:g}) {self.unit} in region '{region}', "
                        "expected finite low <= high"
                    )

    def intervals(self, region: str) -> Intervals:
        """Return the intervals from which this factor is drawn in a region."""
        return self.ranges.get(region) or self.lessons.get(region) or self.ranges["train"]


def study_factor(name: str, kind: str, train: Interval, low: Interval, high: Interval) -> Factor:
    """Build a radius or a speed in the study's layout."""
    return ranged(name, "m" if kind == "radius" else "m/s", kind, train, low, high)


def ranged(name: str, unit: str, kind: str, train: Interval, low: Interval, high: Interval) -> Factor:
    """Build a factor with one training range and one OOD range on either side; regions are named after its kind."""
    ranges = {
        "train": (train,),
        "interpolation": (train,),
        f"ood-{kind}": (low, high),
        f"ood-{kind}-low": (low,),
        f"ood-{kind}-high": (high,),
        "ood-both": (low, high),
    }
    return Factor(name, unit, ranges)


def same_everywhere(name: str, unit: str, interval: Interval) -> Factor:
    """Build a factor that has one range in all regions."""
    return Factor(name, unit, {"train": (interval,), "interpolation": (interval,)})


def placed(name: str, unit: str = "m") -> Factor:
    """Build a factor that the scene itself places."""
    return Factor(name, unit, {})


# What the study left out to tell interpolation from memory (its section 5): gaps, islands in a gap, and one half.
VELOCITY_LESSONS: Mapping[str, Intervals] = {
    "gap-2-3": ((1.0, 2.0), (3.0, 4.0)),
    "gap-1.75-3.25": ((1.0, 1.75), (3.25, 4.0)),
    "gap-1.5-3.5": ((1.0, 1.5), (3.5, 4.0)),
    "gap-1.25-3.75": ((1.0, 1.25), (3.75, 4.0)),
    "islands-3": ((1.0, 1.25), (2.375, 2.625), (3.75, 4.0)),
    "islands-4": ((1.0, 1.25), (1.875, 2.125), (2.875, 3.125), (3.75, 4.0)),
    "slow": ((1.0, 2.5),),
    "fast": ((2.5, 4.0),),
}

ONE_BALL = (
    study_factor("radius", "radius", (0.7, 1.4), (0.3, 0.6), (1.5, 2.0)),
    replace(study_factor("velocity", "velocity", (1.0, 4.0), (0.0, 0.8), (4.5, 6.0)), lessons=VELOCITY_LESSONS),
    placed("x"),
    placed("y"),
)


@dataclass(frozen=True)
class Law:
    """A true equation of motion, written in sympy's own syntax and parsed only when asked for."""

    equations: tuple[str, ...]
    parameters: Mapping[str, str]  # symbol -> meaning and unit

    def expressions(self) -> "list[sympy.Basic]":
        """Parse the equations; every name that is not a parameter is a function of time."""
        import sympy

        names = {symbol: sympy.Symbol(symbol, real=True) for symbol in self.parameters}
        return [sympy.sympify(equation, locals=names) for equation in self.equations]

    def readable(self) -> str:
        """Write the equations as a person would: x'' = -g."""
        return "; ".join(f"{_plain(e.lhs)} = {_plain(e.rhs)}" for e in self.expressions())


def _plain(expression: "sympy.Basic") -> str:
    text = re.sub(r"Derivative\((\w+)\(t\), \(t, 2\)\)", r"\1''", str(expression))
    text = re.sub(r"Derivative\((\w+)\(t\), t\)", r"\1'", text)
    return re.sub(r"(\w)\(t\)", r"\1", text).replace("**", "^")


class Scene(ABC):
    """A world with a law. Subclasses are frozen dataclasses of constants; all methods are pure."""

    factors: ClassVar[tuple[Factor, ...]]
    law: ClassVar[Law]
    bodies: ClassVar[int]
    world: ClassVar[World] = World()
    frames: ClassVar[int] = 32
    step: ClassVar[Seconds] = 0.1
    context: ClassVar[int] = 3  # frames that a model is given
    space: ClassVar[int] = 2  # axes of a position; 3 in perspective
    handed: ClassVar[bool] = False  # its mirror image obeys another law or shows other scenery

    @classmethod
    def name(cls) -> str:
        """Return the scene's kebab-case name, as the command line spells it."""
        letters = [f"-{c.lower()}" if c.isupper() else c for c in cls.__name__]
        return "".join(letters).lstrip("-")

    @classmethod
    def regions(cls) -> tuple[str, ...]:
        """Return the names of the regions, `train` first and lessons last."""
        ranges = [region for factor in cls.factors for region in factor.ranges]
        lessons = [region for factor in cls.factors for region in factor.lessons]
        return tuple(dict.fromkeys(ranges + lessons))

    @classmethod
    def clock(cls) -> Float[np.ndarray, " t"]:
        """Return the scene's own time grid in seconds, starting at 0."""
        return np.arange(cls.frames) * cls.step

    @classmethod
    def unit(cls, constant: str) -> str:
        """Return the SI unit of a constant; a plain number has none."""
        hint = get_type_hints(cls, include_extras=True)[constant]
        return str(getattr(hint, "__metadata__", ("",))[0])

    def require_positive(self, *constants: str) -> None:
        """Refuse a constant of nature that is zero, negative or not a number."""
        for name in constants:
            if not (value := getattr(self, name)) > 0:
                raise BadInputError(f"{name} = {value:g} {self.unit(name)}".rstrip() + ", expected > 0")

    def sample(
        self, region: str, rng: np.random.Generator, fixed: Mapping[str, float] = EMPTY
    ) -> Float[np.ndarray, " f"]:
        """Draw the factors of one clip: ranged factors first, then the scene places its bodies.

        A factor with several intervals picks each with equal chance. Draws for which no legal
        placement exists are thrown away, as in the study. Fixed values are kept, unless they cannot be placed
        in a hundred draws: the study drops such points of its grids, here a free draw takes their place.
        """
        if region not in self.regions():
            raise unknown(f"region of {self.name()}", region, self.regions())
        ranged = [factor for factor in self.factors if factor.ranges]
        for attempt in range(1000):
            chosen = {f.name: _draw(f.intervals(region), rng) for f in ranged}
            chosen.update(fixed if attempt < 100 else {})
            if self.place(chosen, region, rng):
                return np.array([chosen[f.name] for f in self.factors])
        raise BadInputError(f"{self.name()}: no legal placement in region '{region}' in 1000 draws")

    @abstractmethod
    def place(self, chosen: dict[str, float], region: str, rng: np.random.Generator) -> bool:
        """Add the placed factors to `chosen`; return False if these bodies cannot be placed."""

    @abstractmethod
    def simulate(self, factors: Factors, time: Instants, actions: Actions = None) -> Trajectory:
        """Follow the law exactly from the factors, for every clip and instant."""

    def draw(self, trajectory: Trajectory) -> Drawing:
        """Describe the scene's look as shapes in metres: by default a red, a blue and a green disc on white."""
        return draw_discs(trajectory, (RED, BLUE, GREEN)[: self.bodies], self.world)

    @abstractmethod
    def invariants(self, trajectory: Trajectory) -> dict[str, Float[np.ndarray, "*b t"]]:
        """Return the quantities that the law keeps constant, by name with unit."""

    def columns(self, factors: Factors) -> dict[str, Float[np.ndarray, " b"]]:
        """Split a factor table by name, refusing what no scene of this kind could mean."""
        table = np.asarray(factors, dtype=float)
        names = [factor.name for factor in self.factors]
        if table.ndim != 2 or table.shape[1] != len(names):
            raise BadInputError(
                f"{self.name()}: factors have shape {table.shape}, expected (clips, {len(names)}): {', '.join(names)}"
            )
        for name, column in zip(names, table.T, strict=True):
            wrong = ~np.isfinite(column)
            if wrong.any():
                raise BadInputError(f"{self.name()}: factor '{name}' = {column[wrong][0]:g}, expected a finite number")
            if name.startswith("radius") and not (column > 0).all():
                raise BadInputError(f"{self.name()}: factor '{name}' = {column.min():g} m, expected > 0")
        return dict(zip(names, table.T, strict=True))

    def begun(self, factors: Factors, time: Instants) -> dict[str, Float[np.ndarray, " b"]]:
        """Split a factor table by name, once the clock has been checked."""
        check_clock(time)
        return self.columns(factors)

    def constants(self) -> dict[str, float]:
        """Return the constants of nature of this instance."""
        return {field.name: getattr(self, field.name) for field in fields(self)}  # type: ignore[arg-type]


def check_clock(time: Instants) -> None:
    """Refuse a time grid that is not finite and strictly increasing."""
    if time.ndim != 1 or time.size == 0:
        raise BadInputError(f"time has shape {time.shape}, expected one or more instants")
    if not np.isfinite(time).all():
        raise BadInputError(f"time = {time[~np.isfinite(time)][0]:g} s, expected finite seconds")
    late = np.flatnonzero(np.diff(time) <= 0)
    if late.size:
        before, after = time[late[0] : late[0] + 2]
        raise BadInputError(f"time = {after:g} s follows {before:g} s, expected strictly increasing seconds")


def assemble(
    time: Float[np.ndarray, " t"],
    position: Float[np.ndarray, "b t n d"],
    velocity: Float[np.ndarray, "b t n d"],
    radius: Float[np.ndarray, "b n"],
    factors: Float[np.ndarray, "b f"],
) -> Trajectory:
    """Make the record of a true trajectory of bodies that keep their size."""
    radii = np.broadcast_to(radius[:, None, :], position.shape[:-1])
    sure = np.broadcast_to(1.0, position.shape[:-1])
    return Trajectory(time, position, velocity, radii, sure, np.asarray(factors, dtype=float))


def assemble_one(
    time: Float[np.ndarray, " t"],
    place: tuple[Float[np.ndarray, "b t"], Float[np.ndarray, "b t"]],
    speed: tuple[Float[np.ndarray, "b t"], Float[np.ndarray, "b t"]],
    radius: Float[np.ndarray, " b"],
    factors: Float[np.ndarray, "b f"],
) -> Trajectory:
    """Make the record of one body from its coordinates (x, y) and speeds (v_x, v_y)."""
    position, velocity = np.stack(place, -1)[:, :, None], np.stack(speed, -1)[:, :, None]
    return assemble(time, position, velocity, radius[:, None], factors)


def disc_mass(trajectory: Trajectory, density: float) -> Float[np.ndarray, "*b t n"]:
    """Return the mass of discs, m = density pi r^2, in kilograms."""
    return density * np.pi * trajectory.radius**2


def draw_discs(trajectory: Trajectory, colours: tuple[Colour, ...], world: World) -> Drawing:
    """Describe every body as a disc of its own colour on a white ground."""
    return Drawing(
        np.full(len(colours), Shape.DISC),
        trajectory.position,
        trajectory.radius,
        np.array(colours, np.uint8),
        np.array(WHITE, np.uint8),
        world,
    )


def place_rolling(world: World, radius: Metres, speed: float, rng: np.random.Generator) -> Metres:
    """Draw the study's starting abscissa: the ball stays inside for 24 frames where that is possible.

    x in [r, W - (2.4 v + r)]; if that is empty, x in [r, r + U(0, 0.5)].
    """
    last = world.width - (2.4 * speed + radius)
    return float(rng.uniform(radius, last if last > radius else radius + rng.uniform(0.0, 0.5)))


def place_at_ceiling(world: World, chosen: dict[str, float], rng: np.random.Generator) -> bool:
    """Start rolling 0.5 to 1.5 m under the ceiling; this always succeeds."""
    chosen["x"] = place_rolling(world, chosen["radius"], chosen["velocity"], rng)
    top = world.height - chosen["radius"]
    chosen["y"] = float(rng.uniform(top - 1.5, top - 0.5))
    return True


def _draw(intervals: Intervals, rng: np.random.Generator) -> float:
    # What rng.integers(1) and rng.uniform(low, high) would give, bit for bit, at a fifth of the time: grids draw often.
    low, high = intervals[int(rng.integers(len(intervals))) if len(intervals) > 1 else 0]
    return float(low + (high - low) * rng.random())
