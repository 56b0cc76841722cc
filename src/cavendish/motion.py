"""Records of motion, in metres and seconds: what a scene produces and what a reader returns.

Axis legend of the whole lab: `b` batch, `t` time, `n` bodies, `d` space (x right, y up),
`c h w` image, `k` feature, `f` factors, `a` actions. A leading `*b` may be absent (one clip).
SI units are types: the unit in `Metres = Annotated[float, "m"]` is what axis labels print.
Pixels do not exist on this floor.
"""

from dataclasses import dataclass
from enum import IntEnum
from typing import Annotated

import numpy as np
from jaxtyping import Bool, Float, Int, UInt8

Metres = Annotated[float, "m"]
Seconds = Annotated[float, "s"]
MetresPerSecond = Annotated[float, "m/s"]
MetresPerSecond2 = Annotated[float, "m/s^2"]
KilogramsPerMetre2 = Annotated[float, "kg/m^2"]


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

    def __getitem__(self, clip: "int | slice | Int[np.ndarray, ' i']") -> "Trajectory":
        """Pick clips along the batch axis."""
        return Trajectory(
            self.time,
            self.position[clip],
            self.velocity[clip],
            self.radius[clip],
            self.confidence[clip],
            self.factors[clip],
        )

    @property
    def lost(self) -> Bool[np.ndarray, "*b t n"]:
        """Where a body was not found."""
        return np.asarray(np.isnan(self.position).any(axis=-1))


class Shape(IntEnum):
    """What the renderer can draw; a further shape is one more coverage formula there."""

    DISC = 0


@dataclass(frozen=True)
class Drawing:
    """Coloured shapes in metres for every frame: all that a renderer or a reader may know of a scene.

    Shapes are painted in the order of the body axis, so a later body hides an earlier one.
    """

    shape: Int[np.ndarray, " n"]  # values of `Shape`
    centre: Float[np.ndarray, "*b t n d"]  # m; NaN = not drawn
    extent: Float[np.ndarray, "*b t n"]  # m; the radius of a disc
    colour: UInt8[np.ndarray, "n c"]  # sRGB
    background: UInt8[np.ndarray, " c"]  # sRGB
    world: World
