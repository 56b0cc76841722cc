"""The same drawing list painted by torch, on any device, for training at scale: no loop over pixels or frames.

Discs and rings: the corner areas A(a, b) of `discs`, for all pixels at once. Polygons and silhouettes: an edge that
passes through a row from (x_a, y_a) to (x_b, y_b) covers of the pixel in column j
    (y_b - y_a) (G(j + 1 - x_a) - G(j + 1 - x_b)) / (x_b - x_a),   G(u) = 0, u^2 / 2, u - 1/2  for u < 0, < 1, >= 1,
which is the exact mean of what lies to its right (`polygons`). Light is kept in floats and turned into bytes once, so
bytes differ from the CPU's by one at most. Drawings of discs and rings alone are compiled into one kernel on a GPU;
what belongs to a row or a column of pixels is found before, since inside it would be found again for every pixel.
"""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float, Float64, UInt8
from torch import Tensor

from cavendish.motion import RING_HOLE, RING_RIM, Drawing, Scenery, Shape
from cavendish.render.colour import light_of

NOWHERE = -1e4  # px; where a shape without a place goes


@dataclass(frozen=True)
class Canvas:
    """The size of the frames, where they are painted and in which precision; float32 suffices for shapes of 40 px."""

    height: int
    width: int
    device: str = "cpu"
    dtype: torch.dtype = torch.float32

    def tensor(self, array: Float64[np.ndarray, "..."]) -> Tensor:
        """Bring an array to the device."""
        return torch.from_numpy(np.array(array)).to(self.device, self.dtype)

    def light(self, colours: UInt8[np.ndarray, "... c"]) -> Tensor:
        """Bring colours to the device, as linear light."""
        return self.tensor(light_of(colours / 255))

    def pixels(self, drawing: Drawing, points: Float[np.ndarray, "... d"], axes: int) -> Tensor:
        """Bring points to the device, in pixels with y down, with one axis for all frames before the last `axes`."""
        scale = np.array([self.width / drawing.world.width, self.height / drawing.world.height])
        down = np.nan_to_num(points * scale * (1, -1) + (0, self.height), nan=NOWHERE)
        lead, last = drawing.centre.shape[:-2], points.shape[points.ndim - axes :]
        return self.tensor(np.broadcast_to(down, (*lead, *last)).reshape(math.prod(lead), *last))


def render_tensors(drawing: Drawing, canvas: Canvas) -> UInt8[Tensor, "*b t h w c"]:
    """Paint a drawing as `render` does, on a device."""
    ground, shape = canvas.light(drawing.background), (*drawing.centre.shape[:-2], canvas.height, canvas.width, 3)
    bodies = canvas.light(drawing.colour)
    if (drawing.shape <= Shape.RING).all() and not len(drawing.behind.colour) and not len(drawing.front.colour):
        paint = compiled() if ground.is_cuda else round_picture
        return paint(rims(drawing, canvas), ground, bodies).reshape(shape)
    light = ground.expand(math.prod(shape[:-3]), *shape[-3:])
    for share, colour in _scenery(drawing, drawing.behind, canvas):
        light = _over(light, share, colour)
    for share, which in _bodies(drawing, canvas):
        light = _over(light, share, bodies[which])
    for share, colour in _scenery(drawing, drawing.front, canvas):
        light = _over(light, share, colour)
    return _bytes(light).reshape(shape)


def _scenery(drawing: Drawing, scenery: Scenery, canvas: Canvas) -> Iterator[tuple[Tensor, Tensor]]:
    corners, colours = canvas.pixels(drawing, scenery.corners, 3), canvas.light(scenery.colour)
    for p, colour in enumerate(colours):
        yield _polygon_share(corners[:, p], canvas), colour


def _bodies(drawing: Drawing, canvas: Canvas) -> Iterator[tuple[Tensor, Tensor]]:
    """Return the share of each body and which it is in every frame, in the order of painting."""
    number = torch.arange(len(drawing.shape), device=canvas.device)
    if drawing.order is not None and drawing.silhouette is not None:
        order = torch.from_numpy(drawing.order).reshape(-1, len(number)).to(canvas.device)
        corners = canvas.pixels(drawing, drawing.silhouette, 3)
        for which in order.T:
            share = _polygon_share(corners[torch.arange(len(which), device=canvas.device), which], canvas)
            yield share, which[:, None, None]
        return
    round_bodies = rims(drawing, canvas)
    for n, shape in enumerate(drawing.shape):
        if shape == Shape.POLYGON and drawing.outline is not None:
            angle = np.zeros(drawing.extent.shape) if drawing.angle is None else drawing.angle
            turn = drawing.extent[..., n, None, None] * np.exp(1j * angle[..., n, None, None])
            turned = turn * (drawing.outline[n, :, :1] + 1j * drawing.outline[n, :, 1:])
            corners = drawing.centre[..., n, None, :] + np.concatenate([turned.real, turned.imag], -1)
            yield _polygon_share(canvas.pixels(drawing, corners, 2), canvas), number[n]
        else:
            yield _round_share(round_bodies[n]), number[n]


class Rim(NamedTuple):
    """A circle on a canvas: pixel edges seen from its centre, and P(e) = (e sqrt(r^2 - e^2) + r^2 asin(e / r)) / 2."""

    a: Float[Tensor, "t 1 w"]
    b: Float[Tensor, "t h 1"]
    p_a: Float[Tensor, "t 1 w"]
    p_b: Float[Tensor, "t h 1"]
    r: Float[Tensor, "t 1 1"]
    aspect: float  # height of a pixel in widths

    @staticmethod
    def of(place: Float[Tensor, "t d"], radius: Float[Tensor, " t"], aspect: float, canvas: Canvas) -> "Rim":
        """Measure from centres and radii in pixel widths."""
        r = radius[:, None, None]
        a = torch.arange(canvas.width + 1, device=r.device, dtype=r.dtype) - place[:, :1]
        b = (torch.arange(canvas.height + 1, device=r.device, dtype=r.dtype) - place[:, 1:]) * aspect
        a, b = (torch.maximum(-r, torch.minimum(r, edge)) for edge in (a[:, None], b[:, :, None]))
        p_a, p_b = (  # asin(e / r) as an arc tangent, which keeps its figures near the rim
            0.5 * (e * chord + r**2 * torch.atan2(e, chord))
            for e, chord in ((e, ((r - e) * (r + e)).sqrt()) for e in (a, b))
        )
        return Rim(a, b, p_a, p_b, r, aspect)


def rims(drawing: Drawing, canvas: Canvas) -> list[list[Rim]]:
    """Return the rim of every round body, and behind it that of its hole, if it has one; polygons have none."""
    ring, straight = drawing.shape == Shape.RING, (drawing.shape == Shape.POLYGON) & (drawing.outline is not None)
    wide, high = drawing.world.width / canvas.width, drawing.world.height / canvas.height
    radius = np.nan_to_num(drawing.extent * np.where(ring, RING_RIM, 1.0)).reshape(-1, len(ring)) / wide
    place, size = canvas.pixels(drawing, drawing.centre, 2), canvas.tensor(radius)
    parts = (((), (1.0,), (1.0, RING_HOLE))[count] for count in np.where(straight, 0, 1 + ring))
    return [
        [Rim.of(place[:, n], size[:, n] * part, high / wide, canvas) for part in circles]
        for n, circles in enumerate(parts)
    ]


def round_picture(
    bodies: list[list[Rim]], ground: Float[Tensor, " c"], colours: Float[Tensor, "n c"]
) -> UInt8[Tensor, "t h w c"]:
    """Paint discs and rings: what a GPU runs as one kernel."""
    light = ground
    for body, colour in zip(bodies, colours, strict=True):
        light = _over(light, _round_share(body), colour)
    return _bytes(light)


@cache
def compiled() -> Callable[[list[list[Rim]], Tensor, Tensor], Tensor]:
    """Return `round_picture` as a GPU runs it."""
    return torch.compile(round_picture)


def _round_share(body: list[Rim]) -> Float[Tensor, "t h w"]:
    """Return which part of every pixel is covered by a disc, or by a ring: a disc without another."""
    shares = []
    for a, b, p_a, p_b, r, aspect in body:
        quarter = 0.25 * math.pi * r**2
        right, below = a > 0, b > 0
        outside = torch.where(right, torch.where(below, 2 * (p_a + p_b), 2 * p_b + 2 * quarter), 2 * p_a + 2 * quarter)
        outside = torch.where(right | below, outside, 0.0)
        area = torch.where(a**2 + b**2 <= r**2, a * b + p_a + p_b + quarter, outside)
        share = (area[:, 1:, 1:] - area[:, :-1, 1:]) - (area[:, 1:, :-1] - area[:, :-1, :-1])
        shares.append((share / aspect).clamp(0, 1))
    return shares[0] if len(shares) == 1 else shares[0] - shares[1]


def _polygon_share(corners: Float[Tensor, "t v d"], canvas: Canvas) -> Float[Tensor, "t h w"]:
    row = torch.arange(canvas.height, device=corners.device, dtype=corners.dtype)[:, None]
    right = torch.arange(1, canvas.width + 1, device=corners.device, dtype=corners.dtype)
    share = corners.new_zeros((len(corners), canvas.height, canvas.width))
    last = corners.roll(1, 1)
    for v in range(corners.shape[1]):
        (x0, y0), (x1, y1) = (point[:, v, :, None, None].unbind(1) for point in (last, corners))
        slope = (x1 - x0) / torch.where((y1 - y0).abs() < 1e-9, torch.ones_like(y0), y1 - y0)
        top, bottom = (torch.maximum(row, torch.minimum(row + 1, y)) for y in (y0, y1))
        x_a, x_b = (torch.where(y == end, x, x0 + (y - y0) * slope) for y, end, x in ((top, y0, x0), (bottom, y1, x1)))
        level = (x_b - x_a).abs() < 1e-3
        mean = _mean_right(right - x_a, right - x_b, level)
        share = share + (bottom - top) * mean
    return share.abs().clamp(0, 1)


def _mean_right(u: Tensor, w: Tensor, level: Tensor) -> Tensor:
    """Return the mean of clamp(u, 0, 1) over a stretch from u to w."""
    reached = [torch.where(e > 1, e - 0.5, 0.5 * e.clamp(min=0) ** 2) for e in (u, w)]
    return torch.where(level, (0.5 * (u + w)).clamp(0, 1), (reached[0] - reached[1]) / torch.where(level, 1.0, u - w))


def _over(light: Tensor, share: Tensor, colour: Tensor) -> Tensor:
    return light + share[..., None] * (colour - light)


def _bytes(light: Tensor) -> Tensor:
    encoded = torch.where(light <= 0.0031308, light * 12.92, 1.055 * light.clamp(min=1e-9) ** (1 / 2.4) - 0.055)
    return (255 * encoded + 0.5).clamp(0, 255).to(torch.uint8)
