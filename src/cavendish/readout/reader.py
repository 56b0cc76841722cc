"""Frames -> metres: find each body again by unmixing colours, then by a gated centroid.

The renderer mixes colours by area share in linear light, so in every pixel
    light - background = sum_k a_k (colour_k - background),  so  a = pinv(colours - background) (light - background)
gives each body's share a_k (colour unmixing by least squares). A body is then the disc of pixels around the
median of {a > 1/2}; inside a gate a little wider than the body
    centre = sum w (x, y) / sum w,   radius = sqrt(sum w * pixel area / pi),   w = a - haze,
where the haze is the mean share outside the gate: without the gate a faint haze over a whole frame would
drag the centroid by many pixels. So the radius is sqrt(area / pi) for every shape: a square of side s reads as
s / sqrt(pi), a ring as 0.8 of its outer radius. A disc that touches the edge of the frame, or is partly hidden by
scenery in front, is found by fitting the exact share of a disc to what is visible, because the centroid of that is
not the centre; any other shape is lost there.
Scenery has colours of its own, which are unmixed with the bodies' and then left aside. Bodies of one colour but
different shapes are looks of which a frame shows one: the one whose exact shares resemble the picture most.
More colours than three are unmixed where they are near (`unmixing`); a body is then fitted in the pixels that no other
body shares, and once all are found, again in all of its pixels, in the light that the others leave over (`remainder`),
unless there are screens. A polygon that may turn is fitted with its angle, starting from the best of many angles
around; the angle is known up to the turns that bring the outline onto itself, and goes on from frame to frame by the
smallest step.
A reader knows colours, shapes and scale, never the scene; what it cannot find it calls lost (NaN, confidence 0):
too little colour in the core of the body, or light there that no mixture of the known colours explains.
"""

import math
from dataclasses import dataclass, field
from typing import final

import numpy as np
from jaxtyping import Float, Int, Shaped, UInt8

from cavendish.errors import BadInputError
from cavendish.motion import RING_HOLE, RING_RIM, SOLID_REACH, Drawing, Shape, Trajectory, World
from cavendish.readout.fitting import BLUR
from cavendish.readout.search import Looks, find_all
from cavendish.readout.unmixing import Palette
from cavendish.render.colour import LIGHT_OF_BYTE, light_of

ALIKE = math.cos(math.radians(10))  # colours in directions closer than this cannot be told apart in a crowd
NO_COLOURS = np.zeros((0, 3), np.uint8)


@final
@dataclass(frozen=True)
class Reader:
    """Finds bodies of known colours on a known background in frames that show a known rectangle."""

    colours: UInt8[np.ndarray, "n c"]  # sRGB
    background: UInt8[np.ndarray, " c"]  # sRGB
    world: World
    shape: Int[np.ndarray, " n"] | None = None  # values of `Shape`; None: discs
    outline: Float[np.ndarray, "n v d"] | None = None  # of polygons, as in a drawing
    scenery: UInt8[np.ndarray, "m c"] = field(default_factory=NO_COLOURS.copy)  # colours that are no bodies
    screens: int = 0  # how many of these, the last ones, may hide a body
    turning: bool = False  # whether polygons may turn

    @classmethod
    def of(cls, drawing: Drawing) -> "Reader":
        """Take colours, shapes and scale from a drawing, and nothing else."""
        front = np.unique(drawing.front.colour, axis=0)
        behind = np.unique(drawing.behind.colour, axis=0)
        behind = behind[[not (colour == front).all(-1).any() for colour in behind]] if len(front) else behind
        scenery = _independent(np.concatenate([behind, front]), drawing.background)
        return cls(
            drawing.colour,
            drawing.background,
            drawing.world,
            drawing.shape,
            drawing.outline,
            scenery,
            len(front),
            drawing.angle is not None,
        )

    def read(self, frames: Shaped[np.ndarray, "..."], time: Float[np.ndarray, " t"]) -> Trajectory:
        """Read position, velocity (central differences), radius, confidence and angle of every body.

        Raises BadInputError for frames that are not uint8 RGB or whose number differs from the clock's.
        """
        if frames.dtype != np.uint8 or frames.ndim < 4 or frames.shape[-1] != 3:
            raise BadInputError(f"frames are {frames.dtype} {frames.shape}, expected uint8 (..., t, h, w, 3)")
        if frames.shape[-4] != len(time):
            raise BadInputError(f"{frames.shape[-4]} frames with {len(time)} instants")
        *lead, height, width, _ = frames.shape
        flat = np.ascontiguousarray(frames).reshape(-1, height, width, 3)
        pixel = np.array([self.world.width / width, self.world.height / height])
        kinds, apart, ground = self._palette()
        palette = Palette(LIGHT_OF_BYTE, np.linalg.pinv(apart.T), apart, ground, self.screens, len(apart) > 3)
        found, looks = np.empty((len(flat), len(self.colours), 5)), self._looks(kinds, palette.crowded)
        find_all(flat, palette, pixel, looks, found)
        found = found.reshape(*lead, len(self.colours), 5)
        position = found[..., :2]
        return Trajectory(
            time,
            position,
            differentiate(position, time),
            found[..., 2],
            found[..., 3],
            np.zeros((*lead[:-1], 0)),
            continued(found[..., 4], looks.period) if self.turning else None,
        )

    def _palette(self) -> tuple[Int[np.ndarray, " n"], Float[np.ndarray, "m c"], Float[np.ndarray, " c"]]:
        """Return which colour each body has, all colours less the background, and the background, in linear light."""
        ground = light_of(self.background / 255)
        bodies, kinds = np.unique(self.colours, axis=0, return_inverse=True)
        colours = np.concatenate([bodies, self.scenery])
        apart = light_of(colours / 255) - ground
        distinct = {(kind, *self._form(n)) for n, kind in enumerate(kinds.reshape(-1).tolist())}
        if not _apart(apart) or len(distinct) < len(self.colours):
            raise BadInputError(f"colours {self.colours.tolist()} cannot be told apart on {self.background.tolist()}")
        return kinds.reshape(-1), apart, ground

    def _looks(self, kinds: Int[np.ndarray, " n"], crowded: bool) -> Looks:
        """Lay out what compiled code must know of the bodies."""
        count = len(self.colours)
        shape = np.zeros(count, int) if self.shape is None else np.asarray(self.shape, dtype=int)
        outline = np.zeros((count, 0, 2)) if self.outline is None else np.ascontiguousarray(self.outline, dtype=float)
        form = np.array([self._form(n) for n in range(count)])
        gate = np.array([form[kinds == kind, 2].max() for kind in kinds])
        turned = [self.turning and kind == Shape.POLYGON for kind in shape]
        period = np.array([symmetry(corners) if turns else 0.0 for corners, turns in zip(outline, turned, strict=True)])
        points = [
            points_inside(corners) if turns else np.zeros((1, 2))
            for corners, turns in zip(outline, turned, strict=True)
        ]
        inside = np.stack([np.resize(found, (max(map(len, points)), 2)) for found in points])
        form, blur = np.concatenate([form, gate[:, None]], -1), 0.0 if self.screens else BLUR
        return Looks(kinds, shape, outline, form, period, inside, crowded, blur)

    def _form(self, n: int) -> tuple[float, float, float, float, float]:
        """Return where a body is surely filled (from, to), how far it reaches, across and up, in equal-area radii."""
        shape = Shape.DISC if self.shape is None else self.shape[n]
        if shape == Shape.RING:
            middle, half = 0.5 * RING_RIM * (1 + RING_HOLE), 0.4 * RING_RIM * (1 - RING_HOLE)
            return middle - half, middle + half, RING_RIM, RING_RIM, RING_RIM
        if shape == Shape.SOLID:
            return 0.0, 0.5, SOLID_REACH, SOLID_REACH, SOLID_REACH
        if shape == Shape.DISC or self.outline is None:
            return 0.0, 0.8, 1.0, 1.0, 1.0
        corners = self.outline[n]
        side = np.roll(corners, -1, axis=0) - corners
        length = np.hypot(side[:, 0], side[:, 1])
        across = np.abs(corners[:, 0] * side[:, 1] - corners[:, 1] * side[:, 0])[length > 0] / length[length > 0]
        reach = float(np.hypot(corners[:, 0], corners[:, 1]).max())
        wide, high = (reach, reach) if self.turning else np.abs(corners).max(0).tolist()
        return 0.0, 0.8 * float(across.min()), reach, wide, high


def _independent(colours: UInt8[np.ndarray, "m c"], background: UInt8[np.ndarray, " c"]) -> UInt8[np.ndarray, "k c"]:
    """Leave out colours that are mixtures of others and the background: greys on white are shares of one."""
    apart = light_of(colours / 255) - light_of(background / 255)
    rank = [int(np.linalg.matrix_rank(apart[k:], 1e-3)) if k < len(colours) else 0 for k in range(len(colours) + 1)]
    return colours[[k for k in range(len(colours)) if rank[k] > rank[k + 1]]]


def differentiate(
    position: Float[np.ndarray, "*b t n d"], time: Float[np.ndarray, " t"]
) -> Float[np.ndarray, "*b t n d"]:
    """Return velocities by central differences (one-sided at both ends) in metres per second."""
    if len(time) < 2:
        return np.full(position.shape, np.nan)
    return np.asarray(np.gradient(position, time, axis=-3))


def continued(angle: Float[np.ndarray, "*b t n"], period: Float[np.ndarray, " n"]) -> Float[np.ndarray, "*b t n"]:
    """Add turns of a body onto itself so that its angle goes on from the last frame in which it was seen."""
    whole = np.where(period > 0, period, np.inf)
    steady, last = angle.copy(), np.zeros_like(angle[..., 0, :])
    for t in range(angle.shape[-2]):
        turns = np.round((angle[..., t, :] - last) / whole)
        steady[..., t, :] -= np.where(period > 0, turns * period, 0.0)
        last = np.where(np.isnan(steady[..., t, :]), last, steady[..., t, :])
    return steady


def symmetry(outline: Float[np.ndarray, "v d"]) -> float:
    """Return the least turn in radians that brings an outline onto itself."""
    for parts in range(len(outline), 1, -1):
        turn = 2 * math.pi / parts
        turned = outline @ np.array([[math.cos(turn), math.sin(turn)], [-math.sin(turn), math.cos(turn)]])
        if np.linalg.norm(turned[:, None] - outline, axis=-1).min(1).max() < 1e-6:
            return turn
    return 2 * math.pi


def points_inside(outline: Float[np.ndarray, "v d"]) -> Float[np.ndarray, "m d"]:
    """Spread points over the inside of an outline by the even-odd rule."""
    corners, after = outline, np.roll(outline, -1, axis=0)
    fine = (np.arange(24) + 1) / 25
    low, wide = corners.min(0), np.ptp(corners, 0)
    x, y = (axis.ravel() for axis in np.meshgrid(low[0] + wide[0] * fine, low[1] + wide[1] * fine))
    across = (corners[:, 1] > y[:, None]) != (after[:, 1] > y[:, None])
    with np.errstate(divide="ignore", invalid="ignore"):
        cut = corners[:, 0] + (y[:, None] - corners[:, 1]) * (after - corners)[:, 0] / (after - corners)[:, 1]
    odd = (across & (x[:, None] < cut)).sum(-1) % 2 == 1
    return np.stack([x[odd], y[odd]], -1)


def _apart(colours: Float[np.ndarray, "m c"]) -> bool:
    """Tell whether colours can be unmixed: independent if there are three or fewer, else in different directions."""
    if len(colours) <= 3:
        return bool(np.linalg.matrix_rank(colours, tol=1e-3) == len(colours))
    size = np.linalg.norm(colours, axis=-1)
    if size.min() < 0.1:
        return False
    along = colours @ colours.T / np.outer(size, size)
    return bool((along - np.eye(len(colours))).max() < ALIKE)
