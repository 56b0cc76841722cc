"""How the reader finds a body in a map of its shares, compiled; the method is told in `reader`."""

import math
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int, UInt8
from numba import njit

from cavendish.motion import Shape
from cavendish.readout.fitting import POLYGON, best_turn, box_around, difference, drawn, fit
from cavendish.readout.gating import centroid, coarse
from cavendish.readout.remainder import directions, light_over, refitted, shares_left, take_away, terrain
from cavendish.readout.unmixing import Palette, unmix_all

FILL_NEEDED = 0.4  # mean share in the core of a body, below which it counts as lost
PURITY_NEEDED = 0.7  # 1 - unexplained light / light of the colour, in the core of a body
CROWD_PIXELS_NEEDED = 8.0  # the same among more colours than channels, of which mixtures resemble others
PIXELS_NEEDED = 3  # pixels more than half covered, below which there is nothing to find
CROWDING = 0.05  # share of another body that makes a pixel tell nothing of this one
VISIBLE_NEEDED = 0.2  # share of a partly hidden disc that must be seen before it may be fitted
TURNED_VISIBLE_NEEDED = 0.4  # the same of a shape whose angle is to be read
MISFIT_ALLOWED = 0.2  # squared, of a turned shape, as a part of its own shares squared
REFINEMENTS = 6
DISC = int(Shape.DISC)
SWEEPS = 2  # of fits in what is left over
ROOM = 6.0  # px around a body in which it is fitted then


class Looks(NamedTuple):
    """What the bodies look like; several bodies of one colour are rivals, told apart by their shapes."""

    colour: Int[np.ndarray, " n"]  # row of the palette
    shape: Int[np.ndarray, " n"]
    outline: Float[np.ndarray, "n v d"]
    form: Float[np.ndarray, "n six"]  # surely filled from, to, reach, across, up, rivals' reach, in equal-area radii
    period: Float[np.ndarray, " n"]  # rad; the least turn of a body onto itself, 0 for what is not turned
    inside: Float[np.ndarray, "n m d"]  # points within a turned outline
    crowded: bool  # more colours than channels
    blur: float  # pixel widths, of fits of turned polygons; 0 where screens may hide parts of them


@njit(cache=True, nogil=True)
def find_all(
    frames: UInt8[np.ndarray, "t h w c"],
    palette: Palette,
    pixel: Float[np.ndarray, " d"],
    looks: Looks,
    found: Float[np.ndarray, "t n five"],
) -> None:
    """Write x, y (up), radius in metres, confidence and angle of every body in every frame."""
    t, height, width, _ = frames.shape
    colours = len(palette.apart)
    shares, hidden = np.empty((colours, height, width)), np.zeros((height, width))
    screen, unclear, bodies = np.zeros((height, width)), np.zeros((height, width)), looks.colour.max() + 1
    for i in range(t):
        unmix_all(frames[i], palette, shares, unclear)
        if palette.screens > 0:
            screen[:] = 0.0
            for m in range(colours - palette.screens, colours):
                screen += shares[m]
            hidden[:] = screen
        crowd = _crowd(shares[:bodies], screen + unclear) if palette.crowded else screen
        for n in range(found.shape[1]):
            k = looks.colour[n]
            if palette.crowded:
                _leave_out(shares[k], crowd, hidden)
            _find(shares[k], hidden, pixel, looks, n, found[i, n])
            if found[i, n, 3] > 0.0:
                found[i, n, 3] *= _purity(frames[i], hidden, palette, pixel, looks, n, found[i, n])
                if found[i, n, 3] <= 0.0 or _is_a_rival(shares[k], pixel, looks, n, found[i, n]):
                    found[i, n] = np.nan
                    found[i, n, 3] = 0.0
        if palette.crowded and palette.screens == 0:  # over screens the light is not the bodies'
            kind = terrain(shares, unclear, bodies, palette.screens)
            _look_again(frames[i], palette, (shares, kind), pixel, looks, found[i])


@njit(cache=True, nogil=True)
def _look_again(
    frame: UInt8[np.ndarray, "h w c"],
    palette: Palette,
    named: tuple[Float[np.ndarray, "m h w"], Int[np.ndarray, "h w"]],
    pixel: Float[np.ndarray, " d"],
    looks: Looks,
    found: Float[np.ndarray, "n five"],
) -> None:
    """Find what was lost, and fit what was found, in the light that the other bodies leave over (`remainder`)."""
    shares, kind = named
    aspect, whole = pixel[1] / pixel[0], (0, kind.shape[1], 0, kind.shape[0])
    light, apart = light_over(frame, palette, kind)
    way, own = directions(apart, looks.colour.max() + 1), apart[looks.colour]
    covers, left = np.zeros((len(found), *kind.shape)), light.copy()
    for n in range(len(found)):
        if found[n, 3] > 0.0:
            _cover(covers[n], pixel, looks, n, found[n])
    take_away(light, covers, own, whole, left)
    for n in range(len(found)):
        k = looks.colour[n]
        if found[n, 3] == 0.0 and (shares[k] > 0.5).sum() >= CROWD_PIXELS_NEEDED:
            share, hidden = shares_left(left, (covers, own, n), kind, way[:, k], whole)
            _find(share, hidden, pixel, looks, n, found[n])
            if found[n, 3] > 0.0:
                found[n, 3] *= _purity(frame, hidden, palette, pixel, looks, n, found[n])
            if found[n, 3] > 0.0:
                take_away(light, covers, own, _cover(covers[n], pixel, looks, n, found[n]), left)
            else:
                found[n] = np.nan
                found[n, 3] = 0.0
    for _ in range(SWEEPS):
        for n in range(len(found)):
            if found[n, 3] > 0.0 and (looks.shape[n] == DISC or looks.period[n] > 0.0):
                place, box = _placed(pixel, looks, n, found[n], kind.shape)
                share, hidden = shares_left(left, (covers, own, n), kind, way[:, looks.colour[n]], box)
                corner = np.array([float(box[0]), box[2] * aspect, 0.0, 0.0])
                form = (looks.shape[n], looks.outline[n], looks.form[n, 2])
                place = corner + refitted(share, hidden, aspect, place - corner, form)
                found[n, 0], found[n, 1] = place[0] * pixel[0], kind.shape[0] * pixel[1] - place[1] * pixel[0]
                found[n, 2] = place[2] * pixel[0]
                found[n, 4] = place[3] if looks.period[n] > 0.0 else found[n, 4]
                covers[n, box[2] : box[3], box[0] : box[1]] = 0.0
                again = _cover(covers[n], pixel, looks, n, found[n])
                take_away(light, covers, own, box, left)
                take_away(light, covers, own, again, left)


@njit(cache=True, nogil=True)
def _placed(
    pixel: Float[np.ndarray, " d"], looks: Looks, n: int, found: Float[np.ndarray, " five"], size: tuple[int, int]
) -> tuple[Float[np.ndarray, " four"], tuple[int, int, int, int]]:
    """Return a body's place in pixel widths, y down, and a box around it with some room."""
    y, angle = (size[0] * pixel[1] - found[1]) / pixel[0], found[4] if looks.period[n] > 0.0 else 0.0
    place = np.array([found[0] / pixel[0], y, found[2] / pixel[0], angle])
    reach = looks.form[n, 2] * place[2] + ROOM
    return place, box_around(place[0], y, reach, pixel[1] / pixel[0], size[0], size[1])


@njit(cache=True, nogil=True)
def _cover(
    cover: Float[np.ndarray, "h w"],
    pixel: Float[np.ndarray, " d"],
    looks: Looks,
    n: int,
    found: Float[np.ndarray, " five"],
) -> tuple[int, int, int, int]:
    """Write the exact shares of a body where it was found, in a box; rings and solids have none that are known."""
    place, box = _placed(pixel, looks, n, found, cover.shape)
    if looks.shape[n] == DISC or looks.shape[n] == POLYGON:
        own = drawn(place, pixel[1] / pixel[0], looks.shape[n], looks.outline[n], box)
        cover[box[2] : box[3], box[0] : box[1]] = own
    return box


@njit(cache=True, nogil=True)
def _crowd(shares: Float[np.ndarray, "m h w"], screen: Float[np.ndarray, "h w"]) -> Float[np.ndarray, "h w"]:
    """Return the share of each pixel that screens and bodies take, slight traces aside."""
    crowd = screen.copy()
    for share in shares:
        for i in range(crowd.shape[0]):
            for j in range(crowd.shape[1]):
                if share[i, j] > CROWDING:
                    crowd[i, j] += share[i, j]
    return crowd


@njit(cache=True, nogil=True)
def _leave_out(
    own: Float[np.ndarray, "h w"], crowd: Float[np.ndarray, "h w"], hidden: Float[np.ndarray, "h w"]
) -> None:
    """Write what hides a body: the crowd without the body itself."""
    for i in range(own.shape[0]):
        for j in range(own.shape[1]):
            hidden[i, j] = crowd[i, j] - own[i, j] if own[i, j] > CROWDING else crowd[i, j]


@njit(cache=True, nogil=True)
def _is_a_rival(
    share: Float[np.ndarray, "h w"],
    pixel: Float[np.ndarray, " d"],
    looks: Looks,
    n: int,
    found: Float[np.ndarray, " five"],
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
def _find(
    share: Float[np.ndarray, "h w"],
    hidden: Float[np.ndarray, "h w"],
    pixel: Float[np.ndarray, " d"],
    looks: Looks,
    n: int,
    found: Float[np.ndarray, " five"],
) -> None:
    """Write x, y (up), radius in metres, confidence and angle of the body in one frame's share map."""
    height, width = share.shape
    form = looks.form[n]
    found[:] = np.nan
    found[3] = 0.0
    x, y, area, total = coarse(share)
    if area < PIXELS_NEEDED:
        return
    aspect = pixel[1] / pixel[0]  # a pixel's height in pixel widths
    y *= aspect
    r = math.sqrt(area * aspect / math.pi)
    mass = 0.0
    for _ in range(REFINEMENTS):
        old_x, old_y, old_r = x, y, r
        x, y, mass = centroid(share, aspect, x, y, form[5] * r + max(2.0, 0.25 * r), total)
        if mass <= 0.0 or (looks.crowded and mass < CROWD_PIXELS_NEEDED):
            return
        r = math.sqrt(mass * aspect / math.pi)
        if abs(x - old_x) + abs(y - old_y) + abs(r - old_r) < 1e-7:
            break
    reach = form[2] * r
    at_edge = min(x, width - x) - form[3] * r < 0.5 or min(y, height * aspect - y) - form[4] * r < 0.5
    turned = looks.period[n] > 0.0
    place = np.array([x, y, r, 0.0])
    if turned:
        place[3] = best_turn(share, hidden, aspect, place, looks.inside[n], looks.period[n])
    elif (at_edge or _screened(hidden, aspect, x, y, reach + 1.0)) and form[2] > 1.0:
        return  # only what may turn, or a disc, can be fitted
    if turned or at_edge or _screened(hidden, aspect, x, y, reach + 1.0):
        place = fit(share, hidden, aspect, place, looks.shape[n], looks.outline[n], form[2], looks.blur)
        if mass * aspect < VISIBLE_NEEDED * math.pi * place[2] ** 2 and not at_edge:
            return
        if looks.crowded and 2 * math.pi * place[2] ** 2 < mass * aspect:
            return  # what shrinks away from its own pixels is a mixture of other bodies
    x, y, r = place[0], place[1], place[2]
    if turned:
        fill = _turned_fill(share, hidden, aspect, place, looks.outline[n], reach)
        found[4] = place[3]
    else:
        fill = _fill(share, hidden, aspect, x, y, form[0] * r, form[1] * r)
    if not fill > FILL_NEEDED:
        found[4] = np.nan
        return
    found[0] = x * pixel[0]
    found[1] = height * pixel[1] - y * pixel[0]
    found[2] = r * pixel[0]
    found[3] = min(1.0, fill) * min(1.0, mass / max(total, 1e-9))


@njit(cache=True, nogil=True)
def _turned_fill(
    share: Float[np.ndarray, "h w"],
    hidden: Float[np.ndarray, "h w"],
    aspect: float,
    place: Float[np.ndarray, " four"],
    outline: Float[np.ndarray, "v d"],
    reach: float,
) -> float:
    """Return the mean share where a turned shape can be seen, weighed by its own shares; 0 if it looks different."""
    box = box_around(place[0], place[1], reach + 3.0, aspect, share.shape[0], share.shape[1])
    own = drawn(place, aspect, POLYGON, outline, box)
    s, total, miss, whole = 0.0, 1e-9, 0.0, (own * own).sum()
    for i in range(own.shape[0]):
        for j in range(own.shape[1]):
            if hidden[box[2] + i, box[0] + j] < 0.25:
                s += own[i, j] * share[box[2] + i, box[0] + j]
                total += own[i, j] ** 2
                miss += (own[i, j] - share[box[2] + i, box[0] + j]) ** 2
    return s / total if miss < MISFIT_ALLOWED * total and total > TURNED_VISIBLE_NEEDED * whole else 0.0


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
    hidden: Float[np.ndarray, "h w"],
    palette: Palette,
    pixel: Float[np.ndarray, " d"],
    looks: Looks,
    n: int,
    found: Float[np.ndarray, " five"],
) -> float:
    """Return which part of the light in a body's core mixtures of the known colours explain; 0 if too little."""
    height, width, _ = frame.shape
    k, form = looks.colour[n], looks.form[n]
    x, y = found[0], height * pixel[1] - found[1]
    unexplained, count = 0.0, 0
    if looks.period[n] > 0.0:
        cosine, sine = found[2] * math.cos(found[4]), found[2] * math.sin(found[4])
        for point in looks.inside[n]:
            j = int((x + cosine * point[0] - sine * point[1]) / pixel[0])
            i = int((y - sine * point[0] - cosine * point[1]) / pixel[1])
            if 0 <= i < height and 0 <= j < width and hidden[i, j] < CROWDING:
                unexplained += _unexplained(frame[i, j], k, palette)
                count += 1
    else:
        inner, core = form[0] * found[2], max(form[1] * found[2], 0.75 * pixel[0])
        for i in range(max(0, int((y - core) / pixel[1])), min(height, int((y + core) / pixel[1]) + 1)):
            for j in range(max(0, int((x - core) / pixel[0])), min(width, int((x + core) / pixel[0]) + 1)):
                if inner**2 <= ((j + 0.5) * pixel[0] - x) ** 2 + ((i + 0.5) * pixel[1] - y) ** 2 <= core**2:
                    unexplained += _unexplained(frame[i, j], k, palette)
                    count += 1
    purity = 1.0 - unexplained / (count * np.abs(palette.apart[k]).sum()) if count > 0 else 0.0
    return purity if purity >= PURITY_NEEDED else 0.0


@njit(cache=True, nogil=True)
def _unexplained(bytes_: UInt8[np.ndarray, " c"], body: int, palette: Palette) -> float:
    """Return how much of a pixel's light no mixture of the known colours explains; in a crowd, the body's own alone.

    Spelt out without arrays, since it is asked of every pixel in every core.
    """
    red = palette.light_of_byte[bytes_[0]] - palette.ground[0]
    green = palette.light_of_byte[bytes_[1]] - palette.ground[1]
    blue = palette.light_of_byte[bytes_[2]] - palette.ground[2]
    left_red, left_green, left_blue = red, green, blue
    for k in range(len(palette.apart)):
        own, mix = palette.apart[k], palette.unmix[k]
        if palette.crowded:
            if k != body:
                continue
            share = (red * own[0] + green * own[1] + blue * own[2]) / (own[0] ** 2 + own[1] ** 2 + own[2] ** 2)
        else:
            share = red * mix[0] + green * mix[1] + blue * mix[2]
        left_red -= share * own[0]
        left_green -= share * own[1]
        left_blue -= share * own[2]
    return float(abs(left_red) + abs(left_green) + abs(left_blue))
