"""How scenes look: colours, outlines of bodies, and scenery, all in metres and without pixels.

At most three colours besides the background can be told apart by unmixing three channels, so bodies are red,
blue and green, and all scenery is grey; a scene with three bodies has no scenery.
"""

import math

import numpy as np
from jaxtyping import Bool, Float

from cavendish.motion import RING_RIM, SOLID_REACH, Drawing, Metres, Scenery, Shape, World

Colour = tuple[int, int, int]  # sRGB

RED = (255, 0, 0)
BLUE = (0, 0, 255)
GREEN = (0, 255, 0)
GREY = (128, 128, 128)
WHITE = (255, 255, 255)


def box_outline(aspect: float = 1.0) -> Float[np.ndarray, "v d"]:
    """Return the corners of a rectangle of area pi, `aspect` times as long as it is high: a square, a bar."""
    high = math.sqrt(math.pi / aspect)
    long = aspect * high
    return 0.5 * np.array([(-long, -high), (long, -high), (long, high), (-long, high)])


def regular_outline(corners: int) -> Float[np.ndarray, "v d"]:
    """Return the corners of a regular polygon of area pi, one of them straight to the right."""
    turn = 2 * math.pi * np.arange(corners) / corners
    reach = math.sqrt(2 * math.pi / (corners * math.sin(2 * math.pi / corners)))
    return reach * np.stack([np.cos(turn), np.sin(turn)], -1)


def rod(
    start: Float[np.ndarray, "*b t d"], end: Float[np.ndarray, "*b t d"], width: Metres
) -> Float[np.ndarray, "*b t 1 v d"]:
    """Return a straight rod between two points, as one polygon per frame; nothing where they coincide."""
    along = end - start
    with np.errstate(invalid="ignore", divide="ignore"):
        unit = along / np.linalg.norm(along, axis=-1, keepdims=True)
    across = 0.5 * width * np.stack([-unit[..., 1], unit[..., 0]], -1)
    return np.stack([start - across, end - across, end + across, start + across], -2)[..., None, :, :]


Edge = Float[np.ndarray, "..."] | Metres


def boxes(left: Edge, bottom: Edge, right: Edge, top: Edge) -> Float[np.ndarray, "*b 1 p v d"]:
    """Return upright rectangles that stand still, each given by its edges; NaN edges are not drawn."""
    corners = ((left, bottom), (right, bottom), (right, top), (left, top))
    edges = np.broadcast_arrays(*(np.asarray(edge, float) for corner in corners for edge in corner))
    return np.stack(edges, -1).reshape(*edges[0].shape, 4, 2)[..., None, :, :, :]


def slab(left: Metres, bottom: Metres, right: Metres, top: Metres) -> Float[np.ndarray, "1 1 v d"]:
    """Return an upright rectangle that stands still: a floor, a wall, a screen."""
    return boxes(np.array([left]), bottom, right, top)


def grey(*corners: Float[np.ndarray, "... v d"]) -> Scenery:
    """Make grey scenery of polygons that have the same number of corners."""
    lead = np.broadcast_shapes(*(polygon.shape[:-3] for polygon in corners))
    parts = [np.broadcast_to(polygon, (*lead, *polygon.shape[-3:])) for polygon in corners]
    joined = np.concatenate(parts, axis=-3)
    return Scenery(joined, np.tile(np.array(GREY, np.uint8), (joined.shape[-3], 1)))


def floor(world: World, height: Metres) -> Scenery:
    """Make a grey floor from the lower edge of the world up to a height."""
    return grey(slab(0.0, 0.0, world.width, height))


def in_view(drawing: Drawing, margin: Metres = 0.0) -> Bool[np.ndarray, "*b t n"]:
    """Tell where a body is wholly in view: inside the frame, and beside every box around scenery in front."""
    reach = np.ones(len(drawing.shape))
    reach[drawing.shape == Shape.RING] = RING_RIM
    reach[drawing.shape == Shape.SOLID] = SOLID_REACH
    r = drawing.extent * reach
    low, high = drawing.centre - r[..., None], drawing.centre + r[..., None]
    if drawing.outline is not None:
        polygons, corners = drawing.shape == Shape.POLYGON, _placed(drawing)
        low = np.where(polygons[:, None], corners.min(-2), low)
        high = np.where(polygons[:, None], corners.max(-2), high)
    low, high = low - margin, high + margin
    seen = ((low >= 0) & (high <= np.array([drawing.world.width, drawing.world.height]))).all(-1)
    for screen in np.moveaxis(drawing.front.corners, -3, 0):
        beside = (high <= screen.min(-2)[..., None, :]) | (low >= screen.max(-2)[..., None, :])
        seen = seen & beside.any(-1)
    if drawing.order is not None and drawing.silhouette is not None:
        low, high = drawing.silhouette.min(-2) - margin / 2, drawing.silhouette.max(-2) + margin / 2
        rank = np.argsort(drawing.order, axis=-1)
        for n in range(rank.shape[-1]):
            beside = (high <= low[..., n : n + 1, :]) | (low >= high[..., n : n + 1, :])
            seen = seen & (beside.any(-1) | (rank >= rank[..., n : n + 1]))
    return np.asarray(seen)


def _placed(drawing: Drawing) -> Float[np.ndarray, "*b t n v d"]:
    """Return the corners of polygons where they are drawn."""
    angle = np.zeros(drawing.extent.shape) if drawing.angle is None else drawing.angle
    cosine, sine = np.cos(angle)[..., None], np.sin(angle)[..., None]
    assert drawing.outline is not None
    x, y = drawing.outline[..., 0], drawing.outline[..., 1]
    turned = np.stack([cosine * x - sine * y, sine * x + cosine * y], -1)
    return np.asarray(drawing.centre[..., None, :] + drawing.extent[..., None, None] * turned)
