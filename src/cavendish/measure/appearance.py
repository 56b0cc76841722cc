"""Does a body keep its colour and its shape, and does the scenery stay where it is?

Of a body whose window of REACH radii holds no other body, with ground g and pixels p in linear light and rho their
distance from its centre, once early and once late in what was imagined:
    colour C = mean of p where |p - g|^2 is strong inside the body,    share a = clip((p - g).(C - g) / |C - g|^2, 0, 1)
    shape  Q = 2 pi (sum a rho^2) / (sum a)^2 / (area of a pixel):   1 for a disc, pi / 3 for a square, more for a bar
    colour drift = |C_late - C_early| in bytes,      shape drift = |Q_late / Q_early - 1|.
The camera's motion is the least shift d, of those that explain the last frame almost best, between the pixels of the
first and the last frame that are no bodies, S(d) = mean |last(x + d) - first(x)|^2 (masked, by Fourier transform:
Padfield 2012); where no shift is much better than the usual one, as on a plain ground, there is no answer.
"""

import math
from collections.abc import Sequence

import numpy as np
from jaxtyping import Bool, Float, Int, UInt8
from scipy import fft

from cavendish.measure.motion import over_bodies
from cavendish.measure.score import Score, score
from cavendish.motion import Drawing, Trajectory, World
from cavendish.render.colour import BYTE_OF_LIGHT, LIGHT_OF_BYTE
from cavendish.scenes import Scene
from cavendish.scenes.looks import in_view

REACH = 1.5  # radii
FAINT = 0.03  # of full light; a body that differs less from its ground has no colour
FLAT = 2.0  # bytes; scenery that varies less shows no motion
OVERLAP = 0.5  # share of the pixels that a shift must leave to compare
CORE = 0.8  # of the usual strength of a body's pixels; weaker ones are its rim
Grey = Float[np.ndarray, "h w"]
Free = Bool[np.ndarray, "h w"]
Films = UInt8[np.ndarray, "b t h w c"] | Sequence[UInt8[np.ndarray, "t h w c"]]


def appearance_scores(
    scene: Scene, seen: Trajectory, world: World, frames: Films, ground: UInt8[np.ndarray, " c"]
) -> list[Score]:
    """Return how far colours and shapes drift from the first imagined frames to the last; `world` is what they show."""
    early, late, told = _moments(scene, seen)
    drifts = np.full((2, *told.shape), np.nan)
    for clip in np.flatnonzero(told.any(1)).tolist():
        looks = [_look(world, seen[clip], frames[clip], ground, k[clip]) for k in (early, late)]
        (c0, q0), (c1, q1) = looks
        drifts[0, clip] = np.linalg.norm(c1 - c0, axis=-1)
        drifts[1, clip] = np.abs(q1 / q0 - 1)
    names = (("colour drift", "bytes"), ("shape drift", ""))
    drifts = np.where(told, drifts, np.nan)
    return [score(name, unit, over_bodies(drift)) for (name, unit), drift in zip(names, drifts, strict=True)]


def camera_motion(frames: Films, seen: Trajectory, world: World) -> Score:
    """Return how far the scenery shifts from the first frame to the last; no answer (n = 0) without any to see."""
    height, width = frames[0].shape[1:3]
    x, y = _pixels(world, height, width)
    shifts = np.full(len(frames), np.nan)
    for clip, film in enumerate(frames):
        ends, free = [film[k].astype(float).mean(-1) for k in (0, -1)], []
        for k in (0, -1):
            away = np.stack([x, y], -1)[:, :, None] - seen.position[clip, k]
            free.append(~((away**2).sum(-1) < (REACH * seen.radius[clip, k]) ** 2).any(-1))
        shifts[clip] = _shift((ends[0], ends[1]), (free[0], free[1])) * world.width / width
    return score("camera motion", "m", shifts)


def has_fixed_scenery(drawing: Drawing) -> bool:
    """Tell whether something is drawn that is no body and does not move."""
    parts = [part.corners for part in (drawing.behind, drawing.front) if part.corners.shape[-3]]
    return drawing.stage is None and bool(parts) and all(part.shape[-4] == 1 for part in parts)


def _shift(ends: tuple[Grey, Grey], free: tuple[Free, Free]) -> float:
    """Return the least shift d, in pixels, that explains two pictures as well as any; NaN where all do alike."""
    if not (free[0].any() and free[1].any()):  # bodies all over
        return math.nan
    size = tuple(2 * side for side in ends[0].shape)
    (a, b), (m, n) = (np.where(f, e - e[f].mean(), 0.0) for e, f in zip(ends, free, strict=True)), free

    def along(one: Grey, other: Grey) -> Float[np.ndarray, "up right"]:  # sum_x one(x) other(x + d)
        return np.asarray(fft.irfft2(np.conj(fft.rfft2(one, size)) * fft.rfft2(other, size), size))

    count = along(m.astype(float), n.astype(float))
    square = along(a**2, n.astype(float)) + along(m.astype(float), b**2) - 2 * along(a, b)
    told = count > OVERLAP * count.max()
    cost = np.where(told, square / np.maximum(count, 1), np.inf)
    usual, best = float(np.median(cost[told])), float(cost.min())
    if usual < FLAT**2 or best > 0.5 * usual:
        return math.nan
    steps = np.meshgrid(*(np.fft.fftfreq(side, 1 / side) for side in size), indexing="ij")
    return float(np.hypot(*steps)[cost <= best + 0.05 * (usual - best)].min())


def _moments(
    scene: Scene, seen: Trajectory
) -> tuple[Int[np.ndarray, "b n"], Int[np.ndarray, "b n"], Bool[np.ndarray, "b n"]]:
    """Return the first and the last imagined frame in which each body is in view and alone, if there are two."""
    gap = np.linalg.norm(seen.position[:, :, :, None] - seen.position[:, :, None], axis=-1)
    near = gap < REACH * seen.radius[..., None] + seen.radius[:, :, None]
    near &= ~np.eye(seen.position.shape[2], dtype=bool)
    drawing = scene.draw(seen)
    beside = (
        (REACH - 1) * float(np.nan_to_num(seen.radius).max(initial=0.0)) if drawing.front.corners.shape[-3] else 0.0
    )
    free = in_view(drawing, beside) & ~seen.lost & ~near.any(-1)
    free[:, : scene.context] = False
    early, late = free.argmax(1), free.shape[1] - 1 - free[:, ::-1].argmax(1)
    return early, late, free.any(1) & (late > early)


def _look(
    world: World,
    seen: Trajectory,
    film: UInt8[np.ndarray, "t h w c"],
    ground: UInt8[np.ndarray, " c"],
    frame: Int[np.ndarray, " n"],
) -> tuple[Float[np.ndarray, "n c"], Float[np.ndarray, " n"]]:
    """Return the colour and the shape of every body of a clip, each in a frame of its own; NaN where it has none."""
    body = np.arange(len(frame))
    place, radius = seen.position[frame, body], seen.radius[frame, body]
    height, width = film.shape[1:3]
    x, y = _pixels(world, height, width)
    square = (x - place[:, 0, None, None]) ** 2 + (y - place[:, 1, None, None]) ** 2
    pixel = world.width / width
    window = square < (REACH * radius[:, None, None]) ** 2
    within = square < np.maximum(radius[:, None, None] - pixel, 0.5 * pixel) ** 2
    behind = LIGHT_OF_BYTE[ground]
    apart = LIGHT_OF_BYTE[film[frame]] - behind
    strength = np.where(within, (apart**2).sum(-1), 0.0)
    usual = np.array([np.quantile(s[w], 0.9) if w.any() else np.inf for s, w in zip(strength, within, strict=True)])
    core = strength > CORE * usual[:, None, None]
    with np.errstate(invalid="ignore", divide="ignore"):
        colour = (core[..., None] * apart).sum((1, 2)) / core.sum((1, 2))[:, None]
        size = (colour**2).sum(-1)
        share = np.clip(np.einsum("nhwc,nc->nhw", apart, colour) / size[:, None, None], 0, 1) * window
        shape = 2 * np.pi * (share * square).sum((1, 2)) / share.sum((1, 2)) ** 2
    faint = ~(size > FAINT**2)
    shape = shape / (world.width / width * world.height / height)
    light = np.clip(np.where(faint[:, None], 0.0, colour) + behind, 0, 1)
    seen_as = BYTE_OF_LIGHT[np.rint(light * 65536).astype(int)].astype(float)
    return np.where(faint[:, None], np.nan, seen_as), np.where(faint, np.nan, shape)


def _pixels(world: World, height: int, width: int) -> tuple[Float[np.ndarray, "h w"], Float[np.ndarray, "h w"]]:
    """Return where the middles of columns and rows lie, in metres."""
    x = (np.arange(width) + 0.5) / width * world.width
    y = (height - 0.5 - np.arange(height)) / height * world.height
    return np.broadcast_to(x, (height, width)), np.broadcast_to(y[:, None], (height, width))
