"""Records of motion, in metres and seconds: what a scene produces and what a reader returns.

Axis legend of the whole lab: `b` batch, `t` time, `n` bodies, `d` space (x right, y up),
`c h w` image, `k` feature, `f` factors, `a` actions. A leading `*b` may be absent (one clip).
SI units are types: the unit in `Metres = Annotated[float, "m"]` is what axis labels print.
Pixels do not exist on this floor.
"""

import math
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Annotated

import numpy as np
from jaxtyping import Bool, Float, Int, UInt8

Metres = Annotated[float, "m"]
Seconds = Annotated[float, "s"]
MetresPerSecond = Annotated[float, "m/s"]
MetresPerSecond2 = Annotated[float, "m/s^2"]
Kilograms = Annotated[float, "kg"]
KilogramsPerMetre2 = Annotated[float, "kg/m^2"]
KilogramsPerSecond = Annotated[float, "kg/s"]
NewtonsPerMetre = Annotated[float, "N/m"]
PerSecond = Annotated[float, "1/s"]
Radians = Annotated[float, "rad"]
Factors = Float[np.ndarray, "b f"]  # what tells the clips of a scene apart, in the order that the scene declares
Instants = Float[np.ndarray, " t"]  # s
Actions = Float[np.ndarray, "b t a"] | None  # buttons held down; none: nobody plays


@dataclass(frozen=True)
class World:
    """The rectangle that the camera sees, with the origin in its lower left corner."""

    width: Metres = 10.0
    height: Metres = 10.0


@dataclass(frozen=True)
class Trajectory:
    """Bodies moving through time; the truth of a scene, or what a reader found in a video.

    A body that a reader could not find in a frame has position NaN and confidence 0.
    """

    time: Float[np.ndarray, " t"]  # s
    position: Float[np.ndarray, "*b t n d"]  # m
    velocity: Float[np.ndarray, "*b t n d"]  # m/s
    radius: Float[np.ndarray, "*b t n"]  # m
    confidence: Float[np.ndarray, "*b t n"]  # 1 for the truth
    factors: Float[np.ndarray, "*b f"]  # the scene's factors, in the order of `Scene.factors`
    angle: Float[np.ndarray, "*b t n"] | None = None  # rad, counter-clockwise; None: no body turns; NaN: not seen

    def __getitem__(self, clip: "int | slice | Int[np.ndarray, ' i']") -> "Trajectory":
        """Pick clips along the batch axis."""
        return Trajectory(
            self.time,
            self.position[clip],
            self.velocity[clip],
            self.radius[clip],
            self.confidence[clip],
            self.factors[clip],
            None if self.angle is None else self.angle[clip],
        )

    @property
    def lost(self) -> Bool[np.ndarray, "*b t n"]:
        """Where a body was not found."""
        return np.asarray(np.isnan(self.position).any(axis=-1))


class Shape(IntEnum):
    """What a body can look like; a further shape is one more coverage formula in the renderer."""

    DISC = 0
    RING = 1  # an annulus; its hole is RING_HOLE times as wide as its rim
    POLYGON = 2  # any simple polygon, given by its outline: squares, bars, boxes
    SOLID = 3  # a body in three dimensions, given by its silhouette in every frame


RING_HOLE = 0.6  # inner radius / outer radius
RING_RIM = 1 / math.sqrt(1 - RING_HOLE**2)  # outer radius of a ring of equal-area radius 1
SOLID_REACH = 1.3  # farthest corner of a silhouette of a sphere or a cube, in equal-area radii


@dataclass(frozen=True)
class Scenery:
    """Polygons that are seen but are no bodies: ramps, rods, springs, walls, screens."""

    corners: Float[np.ndarray, "*b t p v d"]  # m; a static one may have t = 1 and no b; NaN = not drawn
    colour: UInt8[np.ndarray, "p c"]  # sRGB


def _no_scenery() -> Scenery:
    return Scenery(np.zeros((1, 0, 3, 2)), np.zeros((0, 3), np.uint8))


@dataclass(frozen=True)
class Stage:
    """Solids over the ground y = 0 and the camera that films them: the truth behind a drawing in perspective.

    Axes of space: x right, y up, z towards the camera's first place. A point X appears in the frame at
        middle of the frame + focal (p_1, p_2) / p_3,   p = axes (X - eye);   p_3 is its depth.
    """

    eye: Float[np.ndarray, "*b t 3"]  # m
    axes: Float[np.ndarray, "*b t 3 3"]  # rows: right, up, forward
    focal: Metres  # in metres of the frame
    centre: Float[np.ndarray, "*b t n 3"]  # m
    half: Float[np.ndarray, "*b t n 3"]  # m, half the edges of an upright box, or a sphere's radius three times
    sphere: Bool[np.ndarray, " n"]
    marks: Float[np.ndarray, "k 3"]  # m, centres of landmarks that lie still on the ground


@dataclass(frozen=True)
class Drawing:
    """Coloured shapes in metres for every frame: all that a renderer or a reader may know of a scene.

    Painted in the order: scenery behind, bodies in the order of the body axis, scenery in front; what comes
    later hides what came before. The size of a body is its equal-area radius sqrt(area / pi), whatever its
    shape, so a reader that can only measure area reads the same number that a scene wrote.
    """

    shape: Int[np.ndarray, " n"]  # values of `Shape`
    centre: Float[np.ndarray, "*b t n d"]  # m, the centroid; NaN = not drawn
    extent: Float[np.ndarray, "*b t n"]  # m, sqrt(area / pi): the radius of a disc, 0.8 of a ring's outer radius
    colour: UInt8[np.ndarray, "n c"]  # sRGB
    background: UInt8[np.ndarray, " c"]  # sRGB
    world: World
    angle: Float[np.ndarray, "*b t n"] | None = None  # rad, counter-clockwise; None: nothing is turned
    outline: Float[np.ndarray, "n v d"] | None = None  # polygons: corners about the centroid at extent 1, area pi
    behind: Scenery = field(default_factory=_no_scenery)
    front: Scenery = field(default_factory=_no_scenery)
    silhouette: Float[np.ndarray, "*b t n v d"] | None = None  # m in the frame; corners of solids, the last repeated
    order: Int[np.ndarray, "*b t n"] | None = None  # bodies from far to near; None: in the order of the body axis
    stage: Stage | None = None  # what a drawing in perspective shows
