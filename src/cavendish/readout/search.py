"""How the reader finds a body in a map of its shares, compiled; the method is told in `reader`."""

import math
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int, UInt8
from numba import njit

from cavendish.readout.fitting import difference, fit_disc

FILL_NEEDED = 0.4  # mean share in the core of a body, below which it counts as lost
PURITY_NEEDED = 0.7  # 1 - unexplained light / light of the colour, in the core of a body
PIXELS_NEEDED = 3  # pixels more than half covered, below which there is nothing to find
VISIBLE_NEEDED = 0.2  # share of a partly hidden disc that must be seen before it may be fitted
REFINEMENTS = 6


class Palette(NamedTuple):
    """The known colours in linear light, bodies first, then scenery, of which the last may hide bodies."""

    light_of_byte: Float[np.ndarray, " light"]
    unmix: Float[np.ndarray, "m c"]  # light less background -> shares
    apart: Float[np.ndarray, "m c"]  # shares -> light less background
    ground: Float[np.ndarray, " c"]
    screens: int


class Looks(NamedTuple):
    """What the bodies look like; several bodies of one colour are rivals, told apart by their shapes."""

    colour: Int[np.ndarray, " n"]  # row of the palette
    shape: Int[np.ndarray, " n"]
    outline: Float[np.ndarray, "n v d"]
    form: Float[np.ndarray, "n four"]  # surely filled from, to, reach, and rivals' reach, in equal-area radii


@njit(cache=True, nogil=True)
def find_all(
    frames: UInt8[np.ndarray, "t h w c"],
    palette: Palette,
    pixel: Float[np.ndarray, " d"],
    looks: Looks,
    found: Float[np.ndarray, "t n four"],
) -> None:
    """Write x, y (up), radius in metres and confidence of every body in every frame."""
    t, height, width, _ = frames.shape
    share, hidden, screen = np.empty((height, width)), np.zeros((height, width)), np.empty((height, width))
    for i in range(t):
        if palette.screens > 0:
            hidden[:] = 0.0
        for m in range(len(palette.unmix) - palette.screens, len(palette.unmix)):
            _unmix(frames[i], palette, m, screen)
            hidden += screen
        for n in range(found.shape[1]):
            k = looks.colour[n]
            if n == 0 or k != looks.colour[n - 1]:
                _unmix(frames[i], palette, k, share)
            _find(share, hidden, pixel, looks.form[n], found[i, n])
            if found[i, n, 3] > 0.0:
                found[i, n, 3] *= _purity(frames[i], k, palette, pixel, looks.form[n], found[i, n])
                if found[i, n, 3] <= 0.0 or _is_a_rival(share, pixel, looks, n, found[i, n]):
                    found[i, n, :3] = np.nan
                    found[i, n, 3] = 0.0


@njit(cache=True, nogil=True)
def _is_a_rival(
    share: Float[np.ndarray, "h w"],
    pixel: Float[np.ndarray, " d"],
    looks: Looks,
    n: int,
    found: Float[np.ndarray, " four"],
) -> bool:
    """Tell whether another body of the same colour, drawn in the same place, would resemble the picture more."""
    own = -1.0
    for other in range(len(looks.colour)):
        if other != n and looks.colour[other] == looks.colour[n]:
            if own < 0.0:
                own = difference(share, pixel, found, looks.shape[n], looks.outline[n])
            if difference(share, pixel, found, looks.shape[other], looks.outline[other]) < own:
                return True
    return False


@njit(cache=True, nogil=True)
def _unmix(frame: UInt8[np.ndarray, "h w c"], palette: Palette, k: int, share: Float[np.ndarray, "h w"]) -> None:
    """Write the share of colour k in every pixel."""
    table = np.empty((3, 256))
    for c in range(3):
        for byte in range(256):
            table[c, byte] = palette.unmix[k, c] * (palette.light_of_byte[byte] - palette.ground[c])
    height, width = share.shape
    for y in range(height):
        for x in range(width):
            share[y, x] = table[0, frame[y, x, 0]] + table[1, frame[y, x, 1]] + table[2, frame[y, x, 2]]


@njit(cache=True, nogil=True)
def _find(
    share: Float[np.ndarray, "h w"],
    hidden: Float[np.ndarray, "h w"],
    pixel: Float[np.ndarray, " d"],
    form: Float[np.ndarray, " four"],
    found: Float[np.ndarray, " four"],
) -> None:
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
        x, y, mass = _centroid(share, aspect, x, y, form[3] * r + max(2.0, 0.25 * r), total)
        if mass <= 0.0:
            return
        r = math.sqrt(mass * aspect / math.pi)
        if abs(x - old_x) + abs(y - old_y) + abs(r - old_r) < 1e-7:
            break
    reach = form[2] * r
    at_edge = min(x, y) - reach < 0.5 or x + reach > width - 0.5 or y + reach > height * aspect - 0.5
    if at_edge or _screened(hidden, aspect, x, y, reach + 1.0):
        if form[2] > 1.0:  # only a disc can be fitted
            return
        x, y, r = fit_disc(share, hidden, aspect, x, y, r)
        if mass * aspect < VISIBLE_NEEDED * math.pi * r * r and not at_edge:
            return
    fill = _fill(share, hidden, aspect, x, y, form[0] * r, form[1] * r)
    if not fill > FILL_NEEDED:
        return
    found[0] = x * pixel[0]
    found[1] = height * pixel[1] - y * pixel[0]
    found[2] = r * pixel[0]
    found[3] = min(1.0, fill) * min(1.0, mass / max(total, 1e-9))


@njit(cache=True, nogil=True)
def _screened(hidden: Float[np.ndarray, "h w"], aspect: float, x0: float, y0: float, reach: float) -> bool:
    """Tell whether scenery in front comes within reach of a body."""
    height, width = hidden.shape
    for i in range(max(0, int((y0 - reach) / aspect)), min(height, int((y0 + reach) / aspect) + 2)):
        for j in range(max(0, int(x0 - reach)), min(width, int(x0 + reach) + 2)):
            if hidden[i, j] > 0.25 and (j + 0.5 - x0) ** 2 + ((i + 0.5) * aspect - y0) ** 2 <= reach * reach:
                return True
    return False


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
def _fill(
    share: Float[np.ndarray, "h w"],
    hidden: Float[np.ndarray, "h w"],
    aspect: float,
    x0: float,
    y0: float,
    inner: float,
    outer: float,
) -> float:
    height, width = share.shape
    s, n = 0.0, 0
    near, far = inner * inner, max(outer, 0.75) ** 2
    for i in range(max(0, int((y0 - outer) / aspect)), min(height, int((y0 + outer) / aspect) + 2)):
        for j in range(max(0, int(x0 - outer)), min(width, int(x0 + outer) + 2)):
            d = (j + 0.5 - x0) ** 2 + ((i + 0.5) * aspect - y0) ** 2
            if near <= d <= far and hidden[i, j] < 0.25:
                s += share[i, j]
                n += 1
    return s / n if n > 0 else 0.0


@njit(cache=True, nogil=True)
def _purity(
    frame: UInt8[np.ndarray, "h w c"],
    body: int,
    palette: Palette,
    pixel: Float[np.ndarray, " d"],
    form: Float[np.ndarray, " four"],
    found: Float[np.ndarray, " four"],
) -> float:
    """Return which part of the light in a body's core mixtures of the known colours explain; 0 if too little."""
    height, width, _ = frame.shape
    unmix, apart = palette.unmix, palette.apart
    x, y = found[0], height * pixel[1] - found[1]
    inner, core = form[0] * found[2], max(form[1] * found[2], 0.75 * pixel[0])
    unexplained, count = 0.0, 0
    light = np.empty(3)
    for i in range(max(0, int((y - core) / pixel[1])), min(height, int((y + core) / pixel[1]) + 1)):
        for j in range(max(0, int((x - core) / pixel[0])), min(width, int((x + core) / pixel[0]) + 1)):
            if not inner**2 <= ((j + 0.5) * pixel[0] - x) ** 2 + ((i + 0.5) * pixel[1] - y) ** 2 <= core**2:
                continue
            for c in range(3):
                light[c] = palette.light_of_byte[frame[i, j, c]] - palette.ground[c]
            for c in range(3):
                mixed = 0.0
                for k in range(len(unmix)):
                    mixed += apart[k, c] * (unmix[k, 0] * light[0] + unmix[k, 1] * light[1] + unmix[k, 2] * light[2])
                unexplained += abs(light[c] - mixed)
            count += 1
    purity = 1.0 - unexplained / (count * np.abs(apart[body]).sum()) if count > 0 else 0.0
    return purity if purity >= PURITY_NEEDED else 0.0
