"""Frames -> metres: find each body again by unmixing colours, then by a gated centroid.

The renderer mixes colours by area share in linear light, so in every pixel
    light - background = sum_k a_k (colour_k - background),  so  a = pinv(colours - background) (light - background)
gives each body's share a_k (colour unmixing by least squares). A body is then the disc of pixels around the
median of {a > 1/2}; inside a gate a little wider than the body
    centre = sum w (x, y) / sum w,   radius = sqrt(sum w * pixel area / pi),   w = a - haze,
where the haze is the mean share outside the gate: without the gate a faint haze over a whole frame would
drag the centroid by many pixels. A body that touches the edge of the frame is found by fitting the exact
share of a disc instead, because the centroid of what is visible is not the centre.
A reader knows colours and scale, never the scene; what it cannot find it calls lost (NaN, confidence 0):
too little colour in the core of the body, or light there that no mixture of the known colours explains.
"""

import math
from dataclasses import dataclass
from typing import final

import numpy as np
from jaxtyping import Float, UInt8
from numba import njit

from cavendish.errors import BadInputError
from cavendish.motion import Drawing, Trajectory, World
from cavendish.render.colour import LIGHT_OF_BYTE, light_of
from cavendish.render.raster import disc_share

FILL_NEEDED = 0.4  # mean share in the core of a body, below which it counts as lost
PURITY_NEEDED = 0.7  # 1 - unexplained light / light of the colour, in the core of a body
PIXELS_NEEDED = 3  # pixels more than half covered, below which there is nothing to find
REFINEMENTS = 6


@final
@dataclass(frozen=True)
class Reader:
    """Finds bodies of known colours on a known background in frames that show a known rectangle."""

    colours: UInt8[np.ndarray, "n c"]  # sRGB
    background: UInt8[np.ndarray, " c"]  # sRGB
    world: World

    @classmethod
    def of(cls, drawing: Drawing) -> "Reader":
        """Take colours and scale from a drawing, and nothing else."""
        return cls(drawing.colour, drawing.background, drawing.world)

    def read(self, frames: UInt8[np.ndarray, "*b t h w c"], time: Float[np.ndarray, " t"]) -> Trajectory:
        """Read position, velocity (central differences), radius and confidence of every body.

        Raises BadInputError for frames that are not uint8 RGB or whose number differs from the clock's.
        """
        if frames.dtype != np.uint8 or frames.ndim < 4 or frames.shape[-1] != 3:
            raise BadInputError(f"frames are {frames.dtype} {frames.shape}, expected uint8 (..., t, h, w, 3)")
        if frames.shape[-4] != len(time):
            raise BadInputError(f"{frames.shape[-4]} frames with {len(time)} instants")
        *lead, height, width, _ = frames.shape
        flat = np.ascontiguousarray(frames).reshape(-1, height, width, 3)
        pixel = np.array([self.world.width / width, self.world.height / height])
        apart, ground = self._palette()
        found = np.empty((len(flat), len(self.colours), 4))
        _read(flat, LIGHT_OF_BYTE, np.linalg.pinv(apart.T), apart, ground, pixel, found)
        found = found.reshape(*lead, len(self.colours), 4)
        position = found[..., :2]
        return Trajectory(
            time,
            position,
            differentiate(position, time),
            found[..., 2],
            found[..., 3],
            np.zeros((*lead[:-1], 0)),
        )

    def _palette(self) -> tuple[Float[np.ndarray, "n c"], Float[np.ndarray, " c"]]:
        """Return the colours less the background, and the background, in linear light."""
        ground = light_of(self.background / 255)
        apart = light_of(self.colours / 255) - ground
        if np.linalg.matrix_rank(apart, tol=1e-3) < len(self.colours):
            raise BadInputError(f"colours {self.colours.tolist()} cannot be told apart on {self.background.tolist()}")
        return apart, ground


def differentiate(
    position: Float[np.ndarray, "*b t n d"], time: Float[np.ndarray, " t"]
) -> Float[np.ndarray, "*b t n d"]:
    """Return velocities by central differences (one-sided at both ends) in metres per second."""
    if len(time) < 2:
        return np.full(position.shape, np.nan)
    return np.asarray(np.gradient(position, time, axis=-3))


@njit(cache=True, nogil=True)
def _read(
    frames: UInt8[np.ndarray, "t h w c"],
    light_of_byte: Float[np.ndarray, " light"],
    unmix: Float[np.ndarray, "n c"],
    apart: Float[np.ndarray, "n c"],
    ground: Float[np.ndarray, " c"],
    pixel: Float[np.ndarray, " d"],
    found: Float[np.ndarray, "t n four"],
) -> None:
    t, height, width, _ = frames.shape
    share = np.empty((height, width))
    for i in range(t):
        for n in range(unmix.shape[0]):
            table = _share_of_byte(light_of_byte, unmix[n], ground)
            for y in range(height):
                for x in range(width):
                    share[y, x] = (
                        table[0, frames[i, y, x, 0]] + table[1, frames[i, y, x, 1]] + table[2, frames[i, y, x, 2]]
                    )
            _find(share, pixel, found[i, n])
            if found[i, n, 3] > 0.0:
                purity = _purity(frames[i], n, light_of_byte, unmix, apart, ground, pixel, found[i, n])
                found[i, n, 3] *= purity
                if purity < PURITY_NEEDED:
                    found[i, n, :3] = np.nan
                    found[i, n, 3] = 0.0


@njit(cache=True, nogil=True)
def _share_of_byte(
    light_of_byte: Float[np.ndarray, " light"], unmix: Float[np.ndarray, " c"], ground: Float[np.ndarray, " c"]
) -> Float[np.ndarray, "c light"]:
    table = np.empty((3, 256))
    for c in range(3):
        for byte in range(256):
            table[c, byte] = unmix[c] * (light_of_byte[byte] - ground[c])
    return table


@njit(cache=True, nogil=True)
def _find(share: Float[np.ndarray, "h w"], pixel: Float[np.ndarray, " d"], found: Float[np.ndarray, " four"]) -> None:
    """Write x, y (up), radius in metres and confidence of the body in one frame's share map."""
    height, width = share.shape
    found[:3] = np.nan
    found[3] = 0.0
    x, y, area, total = _coarse(share)
    if area < PIXELS_NEEDED:
        return
    aspect = pixel[1] / pixel[0]  # a pixel's height in pixel widths
    y *= aspect
    r = math.sqrt(area * aspect / math.pi)
    mass = 0.0
    for _ in range(REFINEMENTS):
        old_x, old_y, old_r = x, y, r
        x, y, mass = _centroid(share, aspect, x, y, r + max(2.0, 0.25 * r), total)
        if mass <= 0.0:
            return
        r = math.sqrt(mass * aspect / math.pi)
        if abs(x - old_x) + abs(y - old_y) + abs(r - old_r) < 1e-7:
            break
    if x - r < 0.5 or y - r < 0.5 or x + r > width - 0.5 or y + r > height * aspect - 0.5:
        x, y, r = _fit(share, aspect, x, y, r)
    fill = _fill(share, aspect, x, y, 0.8 * r)
    if not fill > FILL_NEEDED:
        return
    found[0] = x * pixel[0]
    found[1] = height * pixel[1] - y * pixel[0]
    found[2] = r * pixel[0]
    found[3] = min(1.0, fill) * min(1.0, mass / max(total, 1e-9))


@njit(cache=True, nogil=True)
def _coarse(share: Float[np.ndarray, "h w"]) -> tuple[float, float, float, float]:
    """Return the median column and row (px) of the pixels more than half covered, their number, and the total share.

    The total leaves out shares under a quarter, so that haze does not count as body.
    """
    height, width = share.shape
    columns, rows = np.zeros(width), np.zeros(height)
    total = 0.0
    for y in range(height):
        for x in range(width):
            s = share[y, x]
            if s > 0.25:
                total += s
                if s > 0.5:
                    columns[x] += 1.0
                    rows[y] += 1.0
    area = columns.sum()
    return _median(columns, area), _median(rows, area), area, total


@njit(cache=True, nogil=True)
def _median(counts: Float[np.ndarray, " k"], total: float) -> float:
    so_far = 0.0
    for k in range(len(counts)):
        so_far += counts[k]
        if so_far >= 0.5 * total:
            return k + 0.5
    return 0.5 * len(counts)


@njit(cache=True, nogil=True)
def _centroid(
    share: Float[np.ndarray, "h w"], aspect: float, x0: float, y0: float, gate: float, total: float
) -> tuple[float, float, float]:
    """Return the centroid and mass of the shares inside a gate, less the mean share of its surroundings."""
    height, width = share.shape
    haze, outside = 0.0, 0
    m = mx = my = inside = ix = iy = 0.0
    reach = gate + 4.0  # haze is measured in a ring around the gate
    top, bottom = max(0, int((y0 - reach) / aspect)), min(height, int((y0 + reach) / aspect) + 2)
    left, right = max(0, int(x0 - reach)), min(width, int(x0 + reach) + 2)
    for i in range(top, bottom):
        y = (i + 0.5) * aspect
        for j in range(left, right):
            x = j + 0.5
            d = (x - x0) ** 2 + (y - y0) ** 2
            s = share[i, j]
            if d <= gate * gate:
                m += s
                mx += s * x
                my += s * y
                inside += 1.0
                ix += x
                iy += y
            elif s < 0.25:
                haze += s
                outside += 1
    if outside > 0:
        haze /= outside
        m -= haze * inside
        mx -= haze * ix
        my -= haze * iy
    if m <= 0.0:
        return x0, y0, 0.0
    return mx / m, my / m, m


@njit(cache=True, nogil=True)
def _fill(share: Float[np.ndarray, "h w"], aspect: float, x0: float, y0: float, core: float) -> float:
    height, width = share.shape
    s, n = 0.0, 0
    for i in range(max(0, int((y0 - core) / aspect)), min(height, int((y0 + core) / aspect) + 2)):
        for j in range(max(0, int(x0 - core)), min(width, int(x0 + core) + 2)):
            if (j + 0.5 - x0) ** 2 + ((i + 0.5) * aspect - y0) ** 2 <= max(core, 0.75) ** 2:
                s += share[i, j]
                n += 1
    return s / n if n > 0 else 0.0


@njit(cache=True, nogil=True)
def _purity(
    frame: UInt8[np.ndarray, "h w c"],
    body: int,
    light_of_byte: Float[np.ndarray, " light"],
    unmix: Float[np.ndarray, "n c"],
    apart: Float[np.ndarray, "n c"],
    ground: Float[np.ndarray, " c"],
    pixel: Float[np.ndarray, " d"],
    found: Float[np.ndarray, " four"],
) -> float:
    """Return which part of the light in a body's core is explained by mixtures of the known colours."""
    height, width, _ = frame.shape
    x, y, core = found[0], height * pixel[1] - found[1], max(0.7 * found[2], 0.75 * pixel[0])
    unexplained, count = 0.0, 0
    light = np.empty(3)
    for i in range(max(0, int((y - core) / pixel[1])), min(height, int((y + core) / pixel[1]) + 1)):
        for j in range(max(0, int((x - core) / pixel[0])), min(width, int((x + core) / pixel[0]) + 1)):
            if ((j + 0.5) * pixel[0] - x) ** 2 + ((i + 0.5) * pixel[1] - y) ** 2 > core * core:
                continue
            for c in range(3):
                light[c] = light_of_byte[frame[i, j, c]] - ground[c]
            for c in range(3):
                mixed = 0.0
                for k in range(len(unmix)):
                    mixed += apart[k, c] * (unmix[k, 0] * light[0] + unmix[k, 1] * light[1] + unmix[k, 2] * light[2])
                unexplained += abs(light[c] - mixed)
            count += 1
    whole = np.abs(apart[body]).sum()
    return max(0.0, 1.0 - unexplained / (count * whole)) if count > 0 else 0.0


@njit(cache=True, nogil=True)
def _fit(share: Float[np.ndarray, "h w"], aspect: float, x: float, y: float, r: float) -> tuple[float, float, float]:
    """Fit centre and radius of a disc that the frame cuts off, by Gauss-Newton on its exact shares.

    The radius seen in part is a poor start, so the steps are bounded by half a pixel width per iteration
    and the fit runs longer than its quadratic end alone would need.
    """
    height, width = share.shape
    unit = np.array([1.0, aspect])
    h = 1e-3
    for _ in range(60):
        reach = r + 3.0
        left, right = max(0, int(x - reach)), min(width, int(x + reach) + 1)
        top, bottom = max(0, int((y - reach) / aspect)), min(height, int((y + reach) / aspect) + 1)
        if right - left < 1 or bottom - top < 1:
            break
        base = disc_share(x, y, r, unit, left, right, top, bottom)
        along_x = (disc_share(x + h, y, r, unit, left, right, top, bottom) - base) / h
        along_y = (disc_share(x, y + h, r, unit, left, right, top, bottom) - base) / h
        along_r = (disc_share(x, y, r + h, unit, left, right, top, bottom) - base) / h
        normal, target = np.zeros((3, 3)), np.zeros(3)
        for i in range(bottom - top):
            for j in range(right - left):
                slope = (along_x[i, j], along_y[i, j], along_r[i, j])
                miss = share[top + i, left + j] - base[i, j]
                for p in range(3):
                    target[p] += slope[p] * miss
                    for q in range(3):
                        normal[p, q] += slope[p] * slope[q]
        for p in range(3):
            normal[p, p] += 1e-6 + 1e-3 * normal[p, p]
        change = np.linalg.solve(normal, target)
        for p in range(3):
            change[p] = min(0.5, max(-0.5, change[p]))
        x, y, r = x + change[0], y + change[1], max(0.5, r + change[2])
        if abs(change[0]) + abs(change[1]) + abs(change[2]) < 1e-6:
            break
    return x, y, r
