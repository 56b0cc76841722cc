"""The furniture of the combinatorial worlds: eight kinds of objects, what they are made of, where they may stand.

The kinds and their ranges follow the study's fork of PHYRE (Bakhtin et al. 2019; Kang et al. 2024, arXiv 2411.02385,
section 4 and its released code), in a box of 10 m: balls, a chain of fixed balls, bars, upright bars, a fixed bar, a
jar, crossed sticks. Here every body has a shape of its own that only grows and shrinks, so that a reader can know it
beforehand, and walls a quarter of a metre thick are in view. A layout is a pure function of two integers,
    layout = f(template, number),   Philox(key = (template, number)),
drawn object by object; one that would overlap what stands already is drawn again.
"""

import hashlib
import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from itertools import combinations

import numpy as np
from jaxtyping import Bool, Float

from cavendish.errors import BadInputError
from cavendish.motion import Metres
from cavendish.scenes.looks import RED, Colour, box_outline

KINDS = ("ball 1", "ball 2", "fixed balls", "bar", "standing bars", "fixed bar", "jar", "sticks")
WALL: Metres = 0.25
FLOOR: Metres = WALL + 0.002  # where what stands begins: a hair above the floor, so that nothing overlaps
WAITING = -9.0  # m; no body reaches into the frame from there
Convex = Float[np.ndarray, "_ d"]


@dataclass(frozen=True)
class Piece:
    """One rigid body: a disc, or a polygon glued of convex parts; lengths at extent 1, about the centroid."""

    kind: str
    colour: Colour
    fixed: bool = False
    outline: Float[np.ndarray, "v d"] | None = None  # None: a disc
    parts: tuple[Convex, ...] = ()


@dataclass(frozen=True)
class Layout:
    """Where the pieces stand before anything moves; NaN where a piece is absent."""

    position: Float[np.ndarray, "n d"]
    angle: Float[np.ndarray, " n"]
    extent: Float[np.ndarray, " n"]

    @property
    def present(self) -> Bool[np.ndarray, " n"]:
        """Tell which pieces there are."""
        return np.asarray(np.isfinite(self.extent))


def _boxes(*spans: tuple[float, float, float, float]) -> tuple[Convex, ...]:
    return tuple(np.array([(x0, y0), (x1, y0), (x1, y1), (x0, y1)]) for x0, y0, x1, y1 in spans)


def _piece(kind: str, colour: Colour, outline: list[tuple[float, float]], parts: tuple[Convex, ...]) -> Piece:
    """Move the centroid of the parts to the origin and scale their area to pi."""
    area = np.array([np.prod(np.ptp(part, 0)) for part in parts])
    middle = (area[:, None] * np.array([part.mean(0) for part in parts])).sum(0) / area.sum()
    scale = math.sqrt(math.pi / area.sum())
    return Piece(kind, colour, False, scale * (np.array(outline) - middle), tuple(scale * (p - middle) for p in parts))


def _bar(kind: str, colour: Colour, aspect: float, *, fixed: bool = False) -> Piece:
    return Piece(kind, colour, fixed, box_outline(aspect), (box_outline(aspect),))


SIDE, HALF = 0.13, 0.35  # the jar: 1 high, 0.7 wide
JAR = _piece(
    "jar",
    (139, 0, 217),
    [
        (-HALF, 0.0),
        (HALF, 0.0),
        (HALF, 1.0),
        (HALF - SIDE, 1.0),
        (HALF - SIDE, SIDE),
        (SIDE - HALF, SIDE),
        (SIDE - HALF, 1.0),
        (-HALF, 1.0),
    ],
    _boxes((-HALF, 0.0, HALF, SIDE), (-HALF, SIDE, SIDE - HALF, 1.0), (HALF - SIDE, SIDE, HALF, 1.0)),
)
ARM = 0.06  # half the thickness of a stick of length 1
_QUARTER = ((ARM, -ARM), (0.5, -ARM), (0.5, ARM), (ARM, ARM), (ARM, 0.5), (-ARM, 0.5))  # half of the outline
STICKS = _piece(
    "sticks",
    (150, 220, 0),
    [(s * x, s * y) for s in (1.0, -1.0) for x, y in _QUARTER],
    _boxes((-0.5, -ARM, 0.5, ARM), (-ARM, ARM, ARM, 0.5), (-ARM, -0.5, ARM, -ARM)),
)
THICK: Metres = 0.3  # of an upright bar
PIECES: tuple[Piece, ...] = (
    Piece("red ball", RED),
    Piece("ball 1", (0, 117, 255)),
    Piece("ball 2", (0, 255, 117)),
    *(
        Piece("fixed balls", colour, True)
        for colour in ((0, 255, 255), (0, 202, 202), (0, 213, 255), (0, 255, 213), (213, 255, 0), (255, 255, 0))
    ),
    _bar("bar", (255, 0, 255), 8.0),
    *(
        _bar("standing bars", colour, length / THICK)
        for colour, length in (((255, 0, 213), 2.0), ((202, 0, 255), 2.5), ((255, 213, 0), 3.0), ((213, 0, 174), 3.5))
    ),
    _bar("fixed bar", (202, 149, 0), 8.0, fixed=True),
    JAR,
    STICKS,
)
FIRST = {kind: next(n for n, piece in enumerate(PIECES) if piece.kind == kind) for kind in KINDS}

Drawn = Callable[[np.random.Generator], Float[np.ndarray, "m four"]]  # x, y, angle, extent of each piece of a kind
LENGTH_OF_BAR = math.sqrt(8.0 * math.pi)  # at extent 1


def _templates() -> tuple[tuple[str, ...], ...]:
    """List all seventy choices of four kinds: first six that together show every pair, then a fixed shuffle."""
    pairs = [("ball 1", "ball 2"), ("fixed balls", "bar"), ("standing bars", "fixed bar"), ("jar", "sticks")]
    minimal = [tuple(sorted(a + b, key=KINDS.index)) for a, b in combinations(pairs, 2)]
    rest = sorted(
        set(combinations(KINDS, 4)) - set(minimal), key=lambda t: hashlib.sha256("".join(t).encode()).digest()
    )
    return (*minimal, *rest)


TEMPLATES = _templates()


@lru_cache(maxsize=512)
def layout_of(template: int, number: int) -> Layout:
    """Return one layout of a template, the same for ever."""
    rng = np.random.Generator(np.random.Philox(key=[template, number]))
    for _ in range(200):
        layout = _try(TEMPLATES[template], rng)
        if layout is not None:
            return layout
    raise BadInputError(f"template {template}: layout {number} has no legal placement in 200 draws")


def _try(kinds: tuple[str, ...], rng: np.random.Generator) -> Layout | None:
    """Place the kinds one after the other; give up when one of them finds no room."""
    from cavendish.scenes.rigid import Crowd

    table = np.full((len(PIECES), 4), np.nan)
    crowd = Crowd(Layout(table[:, :2], table[:, 2], table[:, 3]))
    for kind in kinds:
        for _ in range(20):
            rows = dict(enumerate(DRAWS[kind](rng), FIRST[kind]))
            if all(crowd.admits(n, row) for n, row in rows.items()) and _apart(list(rows.values())):
                break
        else:
            return None
        for n, row in rows.items():
            crowd.add(n, row)
            table[n] = row
    return Layout(table[:, :2], table[:, 2], table[:, 3])


def _apart(rows: list[Float[np.ndarray, " four"]]) -> bool:
    """Tell whether the pieces of one kind keep apart; only the fixed balls could meet each other."""
    return all(math.dist(a[:2], b[:2]) > a[3] + b[3] for a, b in combinations(rows, 2) if a[2] == b[2] == 0.0)


def _standing_on(bottom: float, piece: Piece, angle: float, extent: float) -> float:
    """Return the height of the centroid of a piece whose lowest point is at `bottom`."""
    if piece.outline is None:
        return bottom + extent
    low = (math.sin(angle) * piece.outline[:, 0] + math.cos(angle) * piece.outline[:, 1]).min()
    return float(bottom - extent * low)


def _row(kind: str, x: float, bottom: float, angle: float, extent: float) -> Float[np.ndarray, " four"]:
    return np.array([x, _standing_on(bottom, PIECES[FIRST[kind]], angle, extent), angle, extent])


def _ball(kind: str) -> Drawn:
    def draw(rng: np.random.Generator) -> Float[np.ndarray, "m four"]:
        return _row(kind, rng.uniform(2.5, 7.0), rng.uniform(4.0, 8.5), 0.0, rng.uniform(0.3, 0.6))[None]

    return draw


def _fixed_balls(rng: np.random.Generator) -> Float[np.ndarray, "m four"]:
    """Chain two to six small balls along a curling line."""
    heading, curl = rng.uniform(-math.pi, math.pi), rng.uniform(-0.8, 0.8)
    place, rows = np.array([rng.uniform(3.5, 5.5), 5.0]), []
    for _ in range(int(rng.integers(2, 7))):
        rows.append([*np.clip(place, [1.0, 1.0], [9.0, 7.0]), 0.0, 0.25])
        heading += curl
        place = place + rng.uniform(0.7, 2.0) * np.array([math.cos(heading), math.sin(heading)])
    return np.array(rows)


def _moving_bar(rng: np.random.Generator) -> Float[np.ndarray, "m four"]:
    extent, angle = rng.uniform(1.5, 5.0) / LENGTH_OF_BAR, rng.uniform(-math.pi / 2, math.pi / 2)
    return _row("bar", rng.uniform(3.0, 6.0), rng.uniform(2.0, 8.0), angle, extent)[None]


def _standing_bars(rng: np.random.Generator) -> Float[np.ndarray, "m four"]:
    """Put one to four bars upright on the floor, in a row from the middle towards one side."""
    start, way = rng.uniform(4.5, 6.0), int(rng.integers(2))
    rows = []
    for n in range(int(rng.integers(1, 5))):
        x, length = start + 1.1 * n, 2.0 + 0.5 * n
        rows.append([x if way else 10.0 - x, FLOOR + length / 2, math.pi / 2, math.sqrt(length * THICK / math.pi)])
    return np.array(rows)


def _fixed_bar(rng: np.random.Generator) -> Float[np.ndarray, "m four"]:
    length, angle = rng.uniform(2.0, 5.0), rng.uniform(-math.pi / 3, math.pi / 3)
    x = rng.uniform(3.0, 4.0) - 0.5 * length * math.cos(angle)
    return _row("fixed bar", max(x, 0.8), rng.uniform(1.0, 5.0), angle, length / LENGTH_OF_BAR)[None]


def _thing(kind: str, extents: tuple[float, float], high: float, turn: float, rest: float) -> Drawn:
    """Draw a jar or crossed sticks: 70 % in the air at any angle, 30 % at rest on the floor."""

    def draw(rng: np.random.Generator) -> Float[np.ndarray, "m four"]:
        x, extent, flying = rng.uniform(3.0, 6.0), rng.uniform(*extents), rng.random() < 0.7
        bottom, angle = (rng.uniform(2.0, high), rng.uniform(-turn, turn)) if flying else (FLOOR, rest)
        return _row(kind, x, bottom, angle, extent)[None]

    return draw


DRAWS: dict[str, Drawn] = {
    "ball 1": _ball("ball 1"),
    "ball 2": _ball("ball 2"),
    "fixed balls": _fixed_balls,
    "bar": _moving_bar,
    "standing bars": _standing_bars,
    "fixed bar": _fixed_bar,
    "jar": _thing("jar", (0.44, 0.95), 8.0, math.pi / 4, 0.0),
    "sticks": _thing("sticks", (0.55, 1.05), 5.0, math.pi / 2, math.pi / 4),
}
