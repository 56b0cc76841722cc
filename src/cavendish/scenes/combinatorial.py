"""Worlds put together: four of eight kinds of objects in a box, and a red ball that is dropped among them.

Rigid bodies with weight, friction and inelastic contact,
    m x'' = m g + sum of contact forces,   I theta'' = sum of their torques,   no contact pulls, no bodies overlap,
followed by an established engine (`rigid`). What is taught has three independent dials, which the study (Kang et al.
2024, arXiv 2411.02385, section 4) had tied together:
    templates   which four kinds: 60 taught, of which the first 6 show every pair and the first 30 are half; 10 held out
    layouts     where the objects start: `layouts` per template are taught; all further ones are held out
    clips       where the red ball starts and how large it is: the size of the split.
So a score in `interpolation` is a new ball in a known room, in `held-out-layout` a new room of a known kind.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import ClassVar, final

import numpy as np
from jaxtyping import Float

from cavendish.errors import BadInputError
from cavendish.motion import Actions, Drawing, Factors, Instants, Metres, MetresPerSecond2, Seconds, Shape, Trajectory
from cavendish.scenes.layouts import PIECES, TEMPLATES, WAITING, WALL, Layout, layout_of
from cavendish.scenes.looks import WHITE, grey, slab
from cavendish.scenes.rigid import Crowd, Engine, play
from cavendish.scenes.scene import Factor, Intervals, Law, Scene, assemble, placed, same_everywhere

TAUGHT, FIRST_NEW_LAYOUT, NEW_LAYOUTS = 60, 1_000_000, 1_000_000
CORNERS = max(len(piece.outline) for piece in PIECES if piece.outline is not None)


def _templates() -> Factor:
    taught, new = ((0.0, float(TAUGHT)),), ((float(TAUGHT), float(len(TEMPLATES))),)
    regions: Mapping[str, Intervals] = {
        "train": taught,
        "interpolation": taught,
        "held-out-layout": taught,
        "held-out-template": new,
        "held-out-both": new,
    }
    return Factor("template", "number", regions, {"templates-30": ((0.0, 30.0),), "templates-6": ((0.0, 6.0),)})


@final
@dataclass(frozen=True)
class Combinatorial(Scene):
    """A red ball falls among balls, bars, jars and sticks in a box."""

    gravity: MetresPerSecond2 = 9.8
    friction: float = 0.5
    restitution: float = 0.2
    layouts: int = 100  # taught per template
    screen: Metres = 0.0  # width of a grey screen in front of the middle
    solver_step: Seconds = 0.001
    iterations: int = 30

    factors: ClassVar = (
        _templates(),
        placed("layout", "number"),
        same_everywhere("radius", "m", (0.25, 0.9)),
        placed("x"),
        placed("y"),
    )
    law: ClassVar = Law(
        (
            "Eq(m*Derivative(x(t), t, t), F_x)",
            "Eq(m*Derivative(y(t), t, t), F_y - m*g)",
            "Eq(I*Derivative(theta(t), t, t), M)",
        ),
        {
            "m": "mass of a body [kg]",
            "I": "moment of inertia of a body [kg m^2]",
            "g": "gravity [m/s^2]",
            "F_x": "sum of contact forces to the right [N]",
            "F_y": "sum of contact forces upwards [N]",
            "M": "sum of the torques of contact forces [N m]",
            "t": "time [s]",
        },
    )
    bodies: ClassVar = len(PIECES)

    def __post_init__(self) -> None:
        """Refuse numbers that no such world can have."""
        for name, low, high in (("layouts", 1, FIRST_NEW_LAYOUT), ("iterations", 1, 1000), ("restitution", 0, 1)):
            if not low <= getattr(self, name) <= high:
                raise BadInputError(f"{name} = {getattr(self, name)}, expected {low} to {high}")
        if not 0 < self.solver_step <= 0.01:
            raise BadInputError(f"solver_step = {self.solver_step:g} s, expected between 0 and 0.01")
        if not 0 <= self.screen < self.world.width:
            raise BadInputError(f"screen = {self.screen:g} m, expected between 0 and {self.world.width:g}")

    def place(self, chosen: dict[str, float], region: str, rng: np.random.Generator) -> bool:
        """Choose a layout, then put the red ball above or below one of its objects, as the study does."""
        chosen["template"] = float(int(chosen["template"]))
        new = region in ("held-out-layout", "held-out-both")
        number = FIRST_NEW_LAYOUT + int(rng.integers(NEW_LAYOUTS)) if new else int(rng.integers(self.layouts))
        chosen["layout"], radius = float(number), chosen["radius"]
        layout = layout_of(int(chosen["template"]), number)
        target = int(rng.choice(np.flatnonzero(layout.present)))
        (x, y), reach = layout.position[target], radius + layout.extent[target]
        crowd = Crowd(layout)
        low, high = WALL + radius, np.array([self.world.width, self.world.height]) - WALL - radius
        for _ in range(20):
            chosen["x"] = float(np.clip(x + rng.uniform(-0.8, 0.8) * reach, low, high[0]))
            span = (low, y) if rng.random() < 0.5 else (y, high[1])
            chosen["y"] = float(rng.uniform(*span)) if span[1] > span[0] else low
            if crowd.admits(0, np.array([chosen["x"], chosen["y"], 0.0, radius])):
                return True
        return False

    def simulate(self, factors: Factors, time: Instants, actions: Actions = None) -> Trajectory:
        """Let the engine play every clip; absent bodies wait outside the frame.

        Actions push: what the velocity of each body gains at each instant [m/s], x and y of one body after another.
        """
        column = self.begun(factors, time)
        if time[0] < 0:
            raise BadInputError(f"{self.name()}: time starts at {time[0]:g} s, expected >= 0")
        how = Engine(self.solver_step, self.iterations, self.gravity, self.friction, self.restitution)
        rooms = [self._room(*row) for row in zip(*column.values(), strict=True)]
        if actions is not None and actions.shape != (len(rooms), len(time), 2 * self.bodies):
            expected = (len(rooms), len(time), 2 * self.bodies)
            raise BadInputError(f"{self.name()}: actions have shape {actions.shape}, expected {expected}")
        pushes = [None] * len(rooms) if actions is None else list(actions.reshape(len(rooms), len(time), -1, 2))
        played = [play(room, time, how, push) for room, push in zip(rooms, pushes, strict=True)]
        place, speed = (np.stack([motion[i] for motion in played]) for i in (0, 1))
        extent = np.stack([room.extent for room in rooms])
        absent = np.isnan(extent)
        place = np.where(absent[:, None, :, None], [WAITING, WAITING, 0.0], place)
        speed = np.where(absent[:, None, :, None], 0.0, speed)
        extent = np.where(absent, 0.5, extent)
        found = assemble(time, place[..., :2], speed[..., :2], extent, factors)
        return replace(found, angle=place[..., 2])

    def _room(self, template: float, number: float, radius: float, x: float, y: float) -> Layout:
        """Furnish a room as its factors say, or refuse them by name."""
        if not (template.is_integer() and 0 <= template < len(TEMPLATES)):
            raise BadInputError(f"{self.name()}: factor 'template' = {template:g}, expected 0 to {len(TEMPLATES) - 1}")
        if not (number.is_integer() and 0 <= number < 2**32):
            raise BadInputError(f"{self.name()}: factor 'layout' = {number:g}, expected a number from 0")
        return _with_ball(layout_of(int(template), int(number)), radius, x, y)

    def draw(self, trajectory: Trajectory) -> Drawing:
        """Draw every body in a colour of its own, in a box with grey walls, behind a screen if there is one."""
        w, h, middle = self.world.width, self.world.height, self.world.width / 2
        walls = [(0.0, 0.0, w, WALL), (0.0, h - WALL, w, h), (0.0, WALL, WALL, h - WALL), (w - WALL, WALL, w, h - WALL)]
        drawing = Drawing(
            np.array([Shape.DISC if piece.outline is None else Shape.POLYGON for piece in PIECES]),
            trajectory.position,
            trajectory.radius,
            np.array([piece.colour for piece in PIECES], np.uint8),
            np.array(WHITE, np.uint8),
            self.world,
            np.zeros_like(trajectory.radius) if trajectory.angle is None else trajectory.angle,
            np.stack([_padded(piece.outline) for piece in PIECES]),
            grey(*(slab(*wall) for wall in walls)),
        )
        if self.screen == 0.0:
            return drawing
        return replace(drawing, front=grey(slab(middle - self.screen / 2, WALL, middle + self.screen / 2, h - WALL)))

    def invariants(self, trajectory: Trajectory) -> dict[str, Float[np.ndarray, "*b t"]]:
        """Friction takes energy and walls take momentum; what stays is the place of the fixed bodies."""
        fixed = [piece.fixed for piece in PIECES]
        x, y = np.moveaxis(np.nansum(trajectory.position[..., fixed, :], axis=-2), -1, 0)
        return {"place of the fixed bodies, x [m]": x, "place of the fixed bodies, y [m]": y}


def _with_ball(layout: Layout, radius: Metres, x: Metres, y: Metres) -> Layout:
    position, angle, extent = layout.position.copy(), layout.angle.copy(), layout.extent.copy()
    position[0], angle[0], extent[0] = (x, y), 0.0, radius
    return Layout(position, angle, extent)


def _padded(outline: Float[np.ndarray, "_ d"] | None) -> Float[np.ndarray, "v d"]:
    """Give every outline the same number of corners, the last one repeated; a disc has none."""
    corners = np.zeros((1, 2)) if outline is None else outline
    return np.concatenate([corners, np.repeat(corners[-1:], CORNERS - len(corners), 0)])
