"""A second look at a frame with more colours than channels: each body in the light that the others leave over.

Once all places are known roughly, no colour needs a name: with the measured ground g' and the exact shares s_k,
    R = L - g' - sum_k s_k (colour_k - g')
is what is left of the light L when every body is taken away. Body n given back, its share in every pixel is estimated
by least squares over the channels, (R + s_n a_n) . d / a_n . d with a_n = colour_n - g' and d = a_n, or, near scenery
whose share is unknown, d = a_n less its part along the scenery's colours. A shape fitted to that uses all pixels, those
that it shares with a neighbour too, each with the least noise that three channels allow. The ground is measured where
nothing was named, because noise on white is cut off at the brightest byte and darkens it by some percent.
"""

import numpy as np
from jaxtyping import Float, Int, UInt8
from numba import njit

from cavendish.readout.fitting import BLUR, fit
from cavendish.readout.unmixing import PLANE, Palette

BARE, BODIES, SCENERY, SCREEN = 0, 1, 2, 3  # what may be in a pixel
BARE_NEEDED = 100  # pixels in which the ground is measured, if there are as many
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
def paint(
    left: Float[np.ndarray, "h w c"],
    light: Float[np.ndarray, " c"],
    own: Float[np.ndarray, "i j"],
    box: tuple[int, int, int, int],
) -> None:
    """Add a body's light to what is left."""
    for i in range(own.shape[0]):
        for j in range(own.shape[1]):
            if own[i, j] > 0.0:
                left[box[2] + i, box[0] + j] += own[i, j] * light


@njit(cache=True, nogil=True)
def shares_left(
    left: Float[np.ndarray, "h w c"],
    kind: Int[np.ndarray, "h w"],
    way: Float[np.ndarray, "two c"],
    box: tuple[int, int, int, int],
) -> tuple[Float[np.ndarray, "i j"], Float[np.ndarray, "i j"]]:
    """Return the share of one colour in what is left in a box, and 1 where that cannot be known."""
    share, hidden = np.zeros((2, box[3] - box[2], box[1] - box[0]))
    blind = (way[1] ** 2).sum() == 0.0
    for i in range(share.shape[0]):
        for j in range(share.shape[1]):
            what = kind[box[2] + i, box[0] + j]
            d, light = way[1 if what >= SCENERY else 0], left[box[2] + i, box[0] + j]
            if what == SCREEN or (what == SCENERY and blind):
                hidden[i, j] = 1.0
            else:
                share[i, j] = light[0] * d[0] + light[1] * d[1] + light[2] * d[2]
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
