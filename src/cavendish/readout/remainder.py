"""A second look at a frame with more colours than channels: each body in the light that the others leave over.

Once all places are known roughly, no colour needs a name: with the measured ground g' and the exact covers s_k of the
bodies in the order in which they are painted, each over those before it,
    R = L - g' - sum_k s_k (1 - s_k+1) ... (1 - s_n) a_k,   a_k = colour_k - g'
is what is left of the light L when every body is taken away. (Without the products, light would be counted twice where
bodies touch or overlap.) With P the light of the bodies below n and T the part of it that those above let through, body
n's cover is then s_n + R . d / T (a_n - P) . d, by least squares over the channels, with d = a_n or, near scenery whose
share is unknown, d = a_n less its part along the scenery's colours. A shape fitted to that uses all pixels in which the
body would change the light by TOLD of its own or more, each with the least noise that three channels allow. The ground
is measured where nothing was named, because noise on white is cut off at the brightest byte and darkens it by some
percent.
"""

import numpy as np
from jaxtyping import Float, Int, UInt8
from numba import njit

from cavendish.readout.fitting import BLUR, fit
from cavendish.readout.unmixing import PLANE, Palette

BARE, BODIES, SCENERY, SCREEN = 0, 1, 2, 3  # what may be in a pixel
BARE_NEEDED = 100  # pixels in which the ground is measured, if there are as many
TOLD = 0.4  # see above
STRAY = 1.0  # how far a second look may move a body, in its extents, and change the logarithm of its size


@njit(cache=True, nogil=True)
def terrain(
    shares: Float[np.ndarray, "m h w"], unclear: Float[np.ndarray, "h w"], bodies: int, screens: int
) -> Int[np.ndarray, "h w"]:
    """Tell what may be in each pixel; where more colours meet than can be told apart, scenery may be one of them."""
    colours, height, width = shares.shape
    kind = np.zeros((height, width), np.int64)
    for i in range(height):
        for j in range(width):
            if unclear[i, j] > 0.0:
                kind[i, j] = SCENERY
            for m in range(colours):
                if shares[m, i, j] != 0.0:
                    own = BODIES if m < bodies else (SCENERY if m < colours - screens else SCREEN)
                    kind[i, j] = max(kind[i, j], own)
    return kind


@njit(cache=True, nogil=True)
def light_over(
    frame: UInt8[np.ndarray, "h w c"], palette: Palette, kind: Int[np.ndarray, "h w"]
) -> tuple[Float[np.ndarray, "h w c"], Float[np.ndarray, "m c"]]:
    """Return the light less the ground as measured, and all colours less that ground."""
    height, width, _ = frame.shape
    left, shift, bare = np.empty((height, width, 3)), np.zeros(3), 0
    for i in range(height):
        for j in range(width):
            for c in range(3):
                left[i, j, c] = palette.light_of_byte[frame[i, j, c]] - palette.ground[c]
                shift[c] += left[i, j, c] if kind[i, j] == BARE else 0.0
            bare += kind[i, j] == BARE
    shift = shift / bare if bare >= BARE_NEEDED else np.zeros(3)
    dimmed = np.abs(palette.apart) > 1e-3  # a channel as bright as the ground is darkened with it
    return left - shift, palette.apart - shift * dimmed


@njit(cache=True, nogil=True)
def directions(apart: Float[np.ndarray, "m c"], bodies: int) -> Float[np.ndarray, "two m c"]:
    """Return d / a . d of every colour: where only bodies are, and where scenery may be; 0 if that leaves nothing."""
    d = np.empty((2, *apart.shape))
    d[0], d[1] = apart, apart
    for m in range(bodies, len(apart)):
        axis = d[1, m] / np.sqrt((d[1, m] ** 2).sum() + 1e-12)
        for k in range(len(apart)):
            d[1, k] -= axis * (d[1, k] * axis).sum()
    for way in range(2):
        for k in range(len(apart)):
            size = (d[way, k] * apart[k]).sum()
            d[way, k] = d[way, k] / size if size > PLANE * (apart[k] ** 2).sum() else 0.0 * d[way, k]
    return d


@njit(cache=True, nogil=True)
def take_away(
    light: Float[np.ndarray, "h w c"],
    covers: Float[np.ndarray, "n h w"],
    own: Float[np.ndarray, "n c"],
    box: tuple[int, int, int, int],
    left: Float[np.ndarray, "h w c"],
) -> None:
    """Write what is left of the light in a box when every body, of light `own` where it is whole, is taken away."""
    for i in range(box[2], box[3]):
        for j in range(box[0], box[1]):
            red, green, blue, clear = light[i, j, 0], light[i, j, 1], light[i, j, 2], 1.0
            for n in range(len(covers) - 1, -1, -1):
                shown = clear * covers[n, i, j]
                if shown > 0.0:
                    red -= shown * own[n, 0]
                    green -= shown * own[n, 1]
                    blue -= shown * own[n, 2]
                    clear -= shown
            left[i, j, 0], left[i, j, 1], left[i, j, 2] = red, green, blue


@njit(cache=True, nogil=True)
def shares_left(
    left: Float[np.ndarray, "h w c"],
    painted: tuple[Float[np.ndarray, "n h w"], Float[np.ndarray, "n c"], int],
    kind: Int[np.ndarray, "h w"],
    way: Float[np.ndarray, "two c"],
    box: tuple[int, int, int, int],
) -> tuple[Float[np.ndarray, "i j"], Float[np.ndarray, "i j"]]:
    """Return a body's share in a box, from what is left and all (covers, colours, which body), and 1 where unknown."""
    covers, own, n = painted
    share, hidden = np.zeros((2, box[3] - box[2], box[1] - box[0]))
    blind = (way[1] ** 2).sum() == 0.0
    for i in range(share.shape[0]):
        for j in range(share.shape[1]):
            y, x = box[2] + i, box[0] + j
            d, light, below, clear = way[1 if kind[y, x] >= SCENERY else 0], left[y, x], 0.0, 1.0
            for m in range(len(covers)):
                s = covers[m, y, x]
                if m < n and s > 0.0:
                    below += s * (own[m, 0] * d[0] + own[m, 1] * d[1] + own[m, 2] * d[2] - below)
                elif m > n:
                    clear *= 1.0 - s
            told = clear * (1.0 - below)
            if kind[y, x] == SCREEN or (kind[y, x] == SCENERY and blind) or told < TOLD:
                hidden[i, j] = 1.0
            else:
                share[i, j] = covers[n, y, x] + (light[0] * d[0] + light[1] * d[1] + light[2] * d[2]) / told
    return share, hidden


@njit(cache=True, nogil=True)
def refitted(
    share: Float[np.ndarray, "i j"],
    hidden: Float[np.ndarray, "i j"],
    aspect: float,
    start: Float[np.ndarray, " four"],
    form: tuple[int, Float[np.ndarray, "v d"], float],
) -> Float[np.ndarray, " four"]:
    """Fit a shape (kind, outline, reach) once more from where it was found; what strays far from there was no fit."""
    place = fit(share, hidden, aspect, start, form[0], form[1], form[2], BLUR)
    strayed = abs(place[0] - start[0]) + abs(place[1] - start[1]) > STRAY * start[2] + 1.0
    return start if strayed or abs(np.log(place[2] / start[2])) > STRAY else place
