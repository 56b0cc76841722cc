"""Learn the colours of a film that another program made: what stands still is ground, what moves are bodies.

The ground of a clip is, in every pixel, the median over time and over all clips that share it, so a picture may have
any still backdrop. Pixels that differ from it are bodies; those whose eight neighbours differ too are their cores,
free of mixed rims, and k-means (Lloyd 1982) in linear light parts them into as many colours as there are bodies.
A backdrop G of many colours is then replaced by one colour U, without touching the rims: with L = G + a (C - G),
    a_k = ((D D' + e I)^-1 D (L - G))_k,  D_k = C_k - G      and      L' = U + sum_k a_k (C_k - U),
so that the reader, which unmixes colours on one ground, reads the same shares as on a plain one.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import final

import numpy as np
from jaxtyping import Float, UInt8
from scipy.cluster.vq import kmeans2
from scipy.ndimage import binary_erosion

from cavendish.errors import BadInputError
from cavendish.render.colour import BYTE_OF_LIGHT, LIGHT_OF_BYTE, light_of

SAMPLED = 160  # frames from which colours are learnt
DIFFERENT = 24  # bytes; less is noise, compression or a faint shadow
PLAIN = 6  # bytes; a ground that varies less is one colour
RIDGE = 1e-3
Frames = UInt8[np.ndarray, "t h w c"]


@final
@dataclass(frozen=True)
class Colours:
    """What a film is painted with."""

    bodies: UInt8[np.ndarray, "n c"]  # sRGB
    ground: UInt8[np.ndarray, " c"]  # sRGB; where the backdrop has many colours, the one it is replaced by


def grounds_of(films: Sequence[Frames]) -> list[UInt8[np.ndarray, "h w c"]]:
    """Return the backdrop of every clip: the common one, or its own where it was filmed before another."""
    common = np.median(np.concatenate(_sampled(films)), axis=0).astype(np.uint8)
    grounds = []
    for film in films:
        own = np.median(film[:: max(1, len(film) // 32)], axis=0).astype(np.uint8)
        elsewhere = (np.abs(own.astype(int) - common).max(-1) > DIFFERENT).mean() > 0.25
        grounds.append(own if elsewhere else common)
    return grounds


def learn_colours(films: Sequence[Frames], grounds: Sequence[UInt8[np.ndarray, "h w c"]], bodies: int) -> Colours:
    """Find the colours of as many bodies as move; raise BadInputError if nothing moves or colours are alike."""
    cores = []
    for some, ground in zip(_sampled(films), grounds, strict=True):
        moving = np.abs(some.astype(np.int16) - ground).max(-1) > DIFFERENT
        core = binary_erosion(moving, np.ones((1, 3, 3), bool))
        cores.append(some[core if core.sum() > 8 * len(some) else moving])
    pixels = np.concatenate(cores)
    if not len(pixels):
        raise BadInputError("nothing moves in these films, so the bodies' colours cannot be learnt; name them")
    if len(np.unique(pixels, axis=0)) < bodies:
        raise BadInputError(f"fewer colours move in these films than there are bodies ({bodies}); name them")
    light = LIGHT_OF_BYTE[pixels]
    _, kind = (
        kmeans2(light, bodies, minit="++", rng=np.random.default_rng(0)) if bodies > 1 else (None, np.zeros(len(light)))
    )
    found = np.array([np.median(pixels[kind == k], axis=0) if (kind == k).any() else pixels[0] for k in range(bodies)])
    for k in range(1, bodies):
        if (np.abs(found[:k] - found[k]).max(-1) < DIFFERENT).any():
            raise BadInputError(f"bodies look alike ({hexes(found)}), so they cannot be told apart by colour")
    ground = np.median(np.stack(grounds).reshape(-1, 3), axis=0)
    return Colours(found.astype(np.uint8), ground.astype(np.uint8))


def flatten(film: Frames, ground: UInt8[np.ndarray, "h w c"], colours: Colours) -> Frames:
    """Replace a backdrop of many colours by one; leave a plain one as it is."""
    varied = np.abs(ground.astype(int) - colours.ground.astype(int)).max(-1) > PLAIN
    if varied.mean() < 1e-3:
        return film
    behind = LIGHT_OF_BYTE[ground].reshape(-1, 3)
    bodies, plain = light_of(colours.bodies / 255), light_of(colours.ground / 255)
    apart = bodies - behind[:, None]  # pixel, body, channel
    gram = apart @ np.swapaxes(apart, 1, 2) + RIDGE * np.eye(len(bodies))
    unmix: Float[np.ndarray, "p n c"] = np.linalg.solve(gram, apart)
    out = np.empty_like(film)
    for k, frame in enumerate(film):
        share = np.einsum("pnc,pc->pn", unmix, LIGHT_OF_BYTE[frame].reshape(-1, 3) - behind)
        light = np.clip(plain + share @ (bodies - plain), 0, 1)
        out[k] = BYTE_OF_LIGHT[np.rint(light * 65536).astype(int)].reshape(frame.shape)
    return out


def in_order(found: UInt8[np.ndarray, "n c"], wanted: UInt8[np.ndarray, "n c"]) -> UInt8[np.ndarray, "n c"]:
    """Sort learnt colours so that each stands where the most similar wanted colour does."""
    from scipy.optimize import linear_sum_assignment

    cost = np.abs(wanted[:, None].astype(float) - found[None]).sum(-1)
    return found[linear_sum_assignment(cost)[1]]


def of_hexes(names: Sequence[str]) -> UInt8[np.ndarray, "n c"]:
    """Turn names like ff0000 into colours."""
    try:
        return np.array([list(bytes.fromhex(name.removeprefix("#"))) for name in names], np.uint8).reshape(-1, 3)
    except ValueError as error:
        raise BadInputError(f"colours {' '.join(names)}: expected six hexadecimal digits each, as ff0000") from error


def hexes(colours: "np.ndarray[tuple[int, int], np.dtype[np.float64]] | UInt8[np.ndarray, 'n c']") -> str:
    """Write colours as of_hexes reads them."""
    return " ".join(bytes(colour.astype(np.uint8)).hex() for colour in colours)


def reduced(film: Frames, largest: int) -> Frames:
    """Shrink frames by a whole factor until no side is longer than `largest`, averaging light over blocks of pixels."""
    height, width = film.shape[1:3]
    factor = -(-max(height, width) // largest)
    if factor <= 1:
        return film
    h, w = height // factor, width // factor
    out = np.empty((len(film), h, w, 3), np.uint8)
    for k, frame in enumerate(film):
        light = LIGHT_OF_BYTE.astype(np.float32)[
            frame[height - h * factor :, : w * factor]
        ]  # the lower left corner stays
        mean = light.reshape(h, factor, w, factor, 3).mean((1, 3))
        out[k] = BYTE_OF_LIGHT[np.rint(mean * 65536).astype(int)]
    return out


def _sampled(films: Sequence[Frames]) -> list[Frames]:
    each = max(1, SAMPLED // len(films))
    return [film[np.linspace(0, len(film) - 1, min(each, len(film))).astype(int)] for film in films]
