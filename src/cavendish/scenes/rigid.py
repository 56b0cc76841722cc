"""Rigid bodies in touch, by an established engine: Chipmunk (Lembcke) through pymunk, in steps of fixed length h.

Semi-implicit steps with impulses found by Gauss-Seidel iterations: x_k+1 = x_k + h v_k, then v gains h g and the
contacts' impulses. Started at v_0 = u_0 + h g / 2 these are the leapfrog nodes of free flight, which is then exact:
    x_k = x_0 + u_0 k h + g (k h)^2 / 2.
Between nodes the record is the cubic with slopes u_k = (x_k+1 - x_k-1) / 2 h at both ends, so velocity is the
derivative of position at every instant. Contacts are noticed up to one step late and kept by relaxation; the test
suite and the log state what that costs. Two bodies touch with the product of their restitutions and frictions.
"""

import math
from dataclasses import dataclass
from types import ModuleType
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float

from cavendish.errors import BadInputError, needs_extra
from cavendish.motion import World
from cavendish.scenes.layouts import PIECES, WALL, Layout

if TYPE_CHECKING:
    import pymunk

SLOP = 1e-3  # m; how deep resting bodies may sink in, so that contacts last


@dataclass(frozen=True)
class Engine:
    """How finely and under what gravity the engine works."""

    step: float  # s
    iterations: int
    gravity: float  # m/s^2, downwards
    friction: float  # between any two bodies
    restitution: float


def engine() -> ModuleType:
    """Import pymunk, or say how to get it."""
    with needs_extra("a scene of rigid bodies", "rigid"):
        import pymunk
    return pymunk


class Crowd:
    """What stands in a box so far, asked whether one more piece finds room."""

    def __init__(self, layout: Layout) -> None:
        self._space = engine().Space()
        _furnish(self._space, layout)

    def admits(self, n: int, place: Float[np.ndarray, " four"]) -> bool:
        """Tell whether piece n would overlap nothing at x, y, angle and extent."""
        body = _body(n, place)
        return not any(self._space.shape_query(shape) for shape in body.shapes)

    def add(self, n: int, place: Float[np.ndarray, " four"]) -> None:
        """Put piece n there."""
        body = _body(n, place)
        self._space.add(body, *body.shapes)


def play(
    layout: Layout, time: Float[np.ndarray, " t"], how: Engine, pushes: Float[np.ndarray, "t n d"] | None
) -> tuple[Float[np.ndarray, "t n three"], Float[np.ndarray, "t n three"]]:
    """Return x, y and angle of every piece at every instant, and how fast they change; NaN where absent.

    Pushes are what each piece's velocity gains at each instant, in metres per second.
    """
    space = engine().Space()
    bodies = _furnish(space, layout)
    if any(space.shape_query(shape) for shape in bodies[0].shapes):
        x, y = layout.position[0]
        raise BadInputError(f"the red ball at ({x:g}, {y:g}) m overlaps something at the start")
    space.gravity, space.iterations, space.collision_slop = (0.0, -how.gravity), how.iterations, SLOP
    for shape in space.shapes:
        shape.friction, shape.elasticity = math.sqrt(how.friction), math.sqrt(how.restitution)
    moving = [(n, body) for n, body in bodies.items() if body.body_type == body.DYNAMIC]
    for _, body in moving:
        body.velocity = (0.0, -0.5 * how.step * how.gravity)
    node = np.floor(time / how.step + 1e-9).astype(int)
    part = time / how.step - node
    part[np.abs(part) < 1e-6] = 0.0
    nodes = np.unique(np.concatenate([node - 1, node, node + 1, node[part > 0] + 2]).clip(0))
    places = np.full((len(nodes), len(PIECES), 3), np.nan)
    places[:] = np.concatenate([layout.position, layout.angle[:, None]], -1)
    pushed = {} if pushes is None else dict(zip(node.tolist(), pushes, strict=True))
    done = 0
    for row, wanted in enumerate(nodes):
        for _ in range(wanted - done):
            space.step(how.step)
        done = wanted
        for n, body in moving:
            places[row, n] = (*body.position, body.angle)
            if wanted in pushed:
                body.velocity += tuple(pushed[wanted][n].tolist())
    return _between(places, nodes, node, part, how.step)


def _between(
    places: Float[np.ndarray, "k n three"],
    nodes: "np.ndarray",
    node: "np.ndarray",
    part: Float[np.ndarray, " t"],
    step: float,
) -> tuple[Float[np.ndarray, "t n three"], Float[np.ndarray, "t n three"]]:
    """Lay the cubic with central slopes through the nodes; before the first one the motion is its own mirror image."""
    rows = (np.searchsorted(nodes, np.abs(node + k)).clip(max=len(nodes) - 1) for k in (-1, 0, 1, 2))
    before, here, after, beyond = (places[row] for row in rows)
    s = part[:, None, None]
    start, end, rise = 0.5 * (after - before), 0.5 * (beyond - here), after - here
    bend, twist = 3 * rise - 2 * start - end, start + end - 2 * rise
    return here + s * (start + s * (bend + s * twist)), (start + s * (2 * bend + 3 * s * twist)) / step


def _furnish(space: "pymunk.Space", layout: Layout) -> "dict[int, pymunk.Body]":
    """Put walls and pieces into an empty space."""
    pymunk = engine()
    world = World()
    w, h, half = world.width, world.height, 5.0  # walls reach far outwards, so that nothing slips through
    for x0, y0, x1, y1 in (
        (-half, -half, w + half, WALL),
        (-half, h - WALL, w + half, h + half),
        (-half, 0, WALL, h),
        (w - WALL, 0, w + half, h),
    ):
        space.add(pymunk.Poly(space.static_body, [(x0, y0), (x1, y0), (x1, y1), (x0, y1)]))
    bodies = {}
    for n in np.flatnonzero(layout.present).tolist():
        bodies[n] = _body(n, np.array([*layout.position[n], layout.angle[n], layout.extent[n]]))
        space.add(bodies[n], *bodies[n].shapes)
    return bodies


def _body(n: int, place: Float[np.ndarray, " four"]) -> "pymunk.Body":
    """Make piece n at x, y, angle and extent."""
    x, y, angle, extent = place.tolist()
    piece = PIECES[n]
    lib = engine()
    body: pymunk.Body = lib.Body(body_type=lib.Body.STATIC if piece.fixed else lib.Body.DYNAMIC)
    body.position, body.angle = (x, y), angle
    for part in piece.parts:
        lib.Poly(body, (extent * part).tolist()).density = 1.0
    if piece.outline is None:
        lib.Circle(body, extent).density = 1.0
    return body
