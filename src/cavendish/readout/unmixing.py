"""Light -> shares of the known colours, compiled.

Up to three colours are unmixed in every pixel at once (least squares, see `reader`). Of more colours three channels
cannot tell the shares, but a pixel only ever mixes what is near it. So every pixel of the picture, smoothed by 1-2-1,
is named after the colour k whose ray from the background passes nearest,
    min_k |L - s a_k|,   a_k = colour_k - background,   s = clip(L . a_k / |a_k|^2, 0, 1),
and the light L of each pixel is then unmixed, exactly and unsmoothed, into the up to three colours that are named
most often in the 5 x 5 pixels around it; all others have no share there. A pixel among four colours tells nothing.
"""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int, UInt8
from numba import njit

FAINT = 0.15  # light; what differs less from the background has no name
NEAR = 2  # px on either side
PLANE = 0.01  # what is left of a colour, squared, beside others that nearly make it up
NAMED_OFTEN = 4  # pixels; a colour must have so many names around a pixel to have a share in it


class Palette(NamedTuple):
    """The known colours in linear light, bodies first, then scenery, of which the last may hide bodies."""

    light_of_byte: Float[np.ndarray, " light"]
    unmix: Float[np.ndarray, "m c"]  # light less background -> shares
    apart: Float[np.ndarray, "m c"]  # shares -> light less background
    ground: Float[np.ndarray, " c"]
    screens: int
    crowded: bool  # more colours than channels


@njit(cache=True, nogil=True)
def unmix_all(
    frame: UInt8[np.ndarray, "h w c"],
    palette: Palette,
    shares: Float[np.ndarray, "m h w"],
    unclear: Float[np.ndarray, "h w"],
) -> None:
    """Write the share of every colour in every pixel, and 1 where more colours meet than can be told apart."""
    unclear[:] = 0.0
    if palette.crowded:
        _unmix_nearby(frame, palette, shares, unclear)
        return
    height, width = shares.shape[1:]
    table = np.empty((3, 256))
    for k in range(len(shares)):
        for c in range(3):
            for byte in range(256):
                table[c, byte] = palette.unmix[k, c] * (palette.light_of_byte[byte] - palette.ground[c])
        for y in range(height):
            for x in range(width):
                shares[k, y, x] = table[0, frame[y, x, 0]] + table[1, frame[y, x, 1]] + table[2, frame[y, x, 2]]


@njit(cache=True, nogil=True)
def _unmix_nearby(
    frame: UInt8[np.ndarray, "h w c"],
    palette: Palette,
    shares: Float[np.ndarray, "m h w"],
    unclear: Float[np.ndarray, "h w"],
) -> None:
    count, height, width = shares.shape
    light = np.empty((height, width, 3))
    for y in range(height):
        for x in range(width):
            for c in range(3):
                light[y, x, c] = palette.light_of_byte[frame[y, x, c]] - palette.ground[c]
    name = _name(light, palette.apart)
    shares[:] = 0.0
    votes = np.zeros(count, np.int64)
    seen = np.empty(count, np.int64)
    named = np.zeros(width + 2 * NEAR, np.int64)
    for y in range(height):
        top, bottom = max(0, y - NEAR), min(height, y + NEAR + 1)
        for x in range(width):
            named[NEAR + x] = 0
            for i in range(top, bottom):
                named[NEAR + x] += name[i, x] >= 0
        for x in range(width):
            if named[x : x + 2 * NEAR + 1].sum() < NAMED_OFTEN:
                continue
            known = _count(name[top:bottom, max(0, x - NEAR) : x + NEAR + 1], votes, seen)
            chosen = _most_named(seen[:known], votes)
            if chosen > 3:
                unclear[y, x] = 1.0
            elif chosen > 0:
                _solve(light[y, x], palette.apart, seen[:chosen], shares[:, y, x])


@njit(cache=True, nogil=True)
def _count(names: Int[np.ndarray, "h w"], votes: Int[np.ndarray, " m"], seen: Int[np.ndarray, " m"]) -> int:
    """Count the names in a patch; return how many different ones there are, listed in `seen`."""
    known = 0
    for i in range(names.shape[0]):
        for j in range(names.shape[1]):
            k = names[i, j]
            if k >= 0:
                if votes[k] == 0:
                    seen[known] = k
                    known += 1
                votes[k] += 1
    return known


@njit(cache=True, nogil=True)
def _most_named(seen: Int[np.ndarray, " k"], votes: Int[np.ndarray, " m"]) -> int:
    """Bring up to four names with enough votes to the front, most first; return how many, and clear the votes."""
    chosen = 0
    while chosen < min(4, len(seen)):
        best = chosen
        for m in range(chosen + 1, len(seen)):
            if votes[seen[m]] > votes[seen[best]]:
                best = m
        if votes[seen[best]] < NAMED_OFTEN:
            break
        seen[chosen], seen[best] = seen[best], seen[chosen]
        chosen += 1
    for k in seen:
        votes[k] = 0
    return chosen


@njit(cache=True, nogil=True)
def _name(light: Float[np.ndarray, "h w c"], apart: Float[np.ndarray, "m c"]) -> Int[np.ndarray, "h w"]:
    """Name every pixel of the smoothed picture after a colour; -1 where it is the background."""
    height, width, _ = light.shape
    across, smooth = np.empty_like(light), np.empty(3)
    for y in range(height):
        for x in range(width):
            left, right = max(0, x - 1), min(width - 1, x + 1)
            for c in range(3):
                across[y, x, c] = 0.25 * light[y, left, c] + 0.5 * light[y, x, c] + 0.25 * light[y, right, c]
    square = (apart * apart).sum(-1)
    name = np.full((height, width), -1, np.int64)
    for y in range(height):
        above, below = max(0, y - 1), min(height - 1, y + 1)
        for x in range(width):
            size = 0.0
            for c in range(3):
                smooth[c] = 0.25 * across[above, x, c] + 0.5 * across[y, x, c] + 0.25 * across[below, x, c]
                size += smooth[c] * smooth[c]
            if size < FAINT * FAINT:
                continue
            least = np.inf
            for k in range(len(apart)):
                along = smooth[0] * apart[k, 0] + smooth[1] * apart[k, 1] + smooth[2] * apart[k, 2]
                s = min(1.0, max(0.0, along / square[k]))
                miss = size - 2 * s * along + s * s * square[k]
                if miss < least:
                    least, name[y, x] = miss, k
    return name


@njit(cache=True, nogil=True)
def _solve(
    light: Float[np.ndarray, " c"],
    apart: Float[np.ndarray, "m c"],
    chosen: Int[np.ndarray, " k"],
    share: Float[np.ndarray, " m"],
) -> None:
    """Write the shares of up to three colours: light . d / a_k . d, d being a_k less its part along the others."""
    for n in range(len(chosen)):
        own = apart[chosen[n]]
        size = own[0] * own[0] + own[1] * own[1] + own[2] * own[2]
        if len(chosen) == 1:
            share[chosen[n]] = (light[0] * own[0] + light[1] * own[1] + light[2] * own[2]) / size
            return
        d = own.copy()
        first = np.zeros(3)
        for m in range(len(chosen)):
            if m == n:
                continue
            axis = apart[chosen[m]] - first * (apart[chosen[m]] * first).sum()
            axis /= np.sqrt((axis * axis).sum())
            rest = d - axis * (d * axis).sum()
            if (rest * rest).sum() < PLANE * size:  # three colours in a plane: the least often named is left out
                continue
            d = rest
            first = axis
        share[chosen[n]] = (light * d).sum() / (own * d).sum()
