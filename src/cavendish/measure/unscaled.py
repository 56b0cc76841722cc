"""Laws that hold in any units: what can be asked of a film whose scale and frame rate nobody knows.

Free fall, y'' = -g, with the apex (t0, y0) that a parabola through the first half of the clip defines:
    Galileo's ratio   (t1 - t0)^2 / (t2 - t0)^2 * (y0 - y(t2)) / (y0 - y(t1)) = 1,  t1 in the middle, t2 at the end
(after Galilei 1638, third day, theorem II; as a test of video models: arXiv 2512.02016), and the spread of g from
clip to clip, |g_i / median g - 1|: all bodies fall alike. The first half sets the ruler, the second has to obey it.
A quantity Q that is conserved whatever the units are drifts by |Q2 - Q1| / max |Q|, with means over both halves;
momenta, which may cancel, by |Q2 - Q1| / max sum m |v|.
A still ball has none of these ratios: it answers NaN, which leaves n smaller and never looks lawful.
"""

import re
from collections.abc import Callable
from dataclasses import replace

import numpy as np
from jaxtyping import Float

from cavendish.errors import BadInputError
from cavendish.measure.gates import still, swelling
from cavendish.measure.score import Score, score
from cavendish.motion import Trajectory, World
from cavendish.scenes import Scene
from cavendish.scenes.scene import disc_mass

Ask = Callable[[Float[np.ndarray, " t"], Float[np.ndarray, " t"]], float]  # of times and places
FALLS = "Eq(Derivative(y(t), t, t), -g)"
MOMENTA = ("momentum x", "momentum y")
FEWEST = 6  # frames in which a body must be seen
EDGE = 0.002  # of the frame's width; the reader's error at an edge
MOVES = 0.1  # of its radius: a body that moved less has stood still


def unscaled(scene: Scene, seen: Trajectory, frame: World) -> tuple[Score, ...]:
    """Ask everything that needs neither a scale nor a frame rate, and of a falling body its acceleration in any."""
    lost, seen = lost_share(seen, frame), in_frame(seen, frame)
    scores = [
        lost,
        score("still share", "", still(scene, seen).mean(-1)),
        score("area drift", "", np.abs((1 + swelling(scene, seen)) ** 2 - 1).mean(-1)),
    ]
    if FALLS in scene.law.equations:
        fall = _each(seen, _fall)
        middle = np.nanmedian(fall) if np.isfinite(fall).any() else np.nan
        scores += [
            score("acceleration of fall", "m/s^2", fall),
            score("Galileo's ratio", "", _each(seen, _galileo)),
            score("spread of falls", "", np.abs(fall / middle - 1)),
        ]
    return tuple(scores + _conserved(scene, seen))


def in_frame(seen: Trajectory, frame: World) -> Trajectory:
    """Forget where a body is cut by the frame: what is partly outside tells no place."""
    low, high = seen.position - seen.radius[..., None], seen.position + seen.radius[..., None]
    slack = EDGE * frame.width
    whole = ((low > -slack) & (high < np.array([frame.width, frame.height]) + slack)).all(-1)[..., None]
    place, speed = np.where(whole, seen.position, np.nan), np.where(whole, seen.velocity, np.nan)
    return replace(seen, position=place, velocity=speed)


def lost_share(seen: Trajectory, frame: World) -> Score:
    """Share of frames in which a body was not found, though where it was last seen it could not have left the frame."""
    size = np.array([frame.width, frame.height])
    lost = seen.lost.copy()
    for clip, body in np.ndindex(lost.shape[0], lost.shape[2]):
        place, gone = seen.position[clip, :, body], lost[clip, :, body]
        found = np.flatnonzero(~gone)
        if not len(found):
            continue
        for end, beyond in ((found[0], gone[: found[0]]), (found[-1], gone[found[-1] + 1 :])):
            near = np.flatnonzero(~gone[max(0, end - 2) : end + 3]) + max(0, end - 2)
            reach = 2 * seen.radius[clip, end, body] + 2 * np.abs(np.diff(place[near], axis=0)).max(initial=0.0)
            if (place[end] < reach).any() or (place[end] > size - reach).any():
                beyond[:] = False
    return score("lost share", "", lost.mean((1, 2)))


def _each(seen: Trajectory, ask: Ask) -> Float[np.ndarray, " b"]:
    """Ask every body's height for a number, and average over the bodies that have one."""
    values = []
    for clip in range(len(seen.position)):
        answers = []
        for body in range(seen.position.shape[2]):
            place, radius = seen.position[clip, :, body, 1], seen.radius[clip, :, body]
            found = np.isfinite(place)
            if found.sum() >= FEWEST and np.ptp(place[found]) > MOVES * np.nanmedian(radius):
                answers.append(ask(seen.time[found], place[found]))
        finite = [answer for answer in answers if np.isfinite(answer)]
        values.append(float(np.mean(finite)) if finite else np.nan)
    return np.array(values)


def _fall(time: Float[np.ndarray, " t"], y: Float[np.ndarray, " t"]) -> float:
    return -2 * float(np.polyfit(time - time.mean(), y, 2)[0])


def _galileo(time: Float[np.ndarray, " t"], y: Float[np.ndarray, " t"]) -> float:
    half = len(time) // 2 + 1
    if half < 4:
        return np.nan
    first = time[:half] - time[0]
    bend, slope, start = np.polyfit(first, y[:half], 2)
    noise = np.std(y[:half] - np.polyval((bend, slope, start), first)) + 1e-12
    if bend * first[-1] ** 2 > -10 * noise / np.sqrt(half):  # it does not fall
        return np.nan
    apex = -slope / (2 * bend)
    top = start - slope**2 / (4 * bend)
    t1, t2 = first[-1] - apex, time[-1] - time[0] - apex
    return float((t1 / t2) ** 2 * (top - y[-1]) / (top - y[half - 1]))


def _conserved(scene: Scene, seen: Trajectory) -> list[Score]:
    """Drifts of what is conserved whatever the units: all of it where no constant of nature sets a scale."""
    bare = set(scene.constants()) <= {"density"}
    scores = []
    try:
        every = scene.invariants(seen)
    except BadInputError:  # what is kept depends on factors that no picture shows
        return []
    asked = {n: q for n, q in every.items() if bare or n.split(" [")[0] in MOMENTA}
    carried = disc_mass(seen, 1.0) * np.linalg.norm(seen.velocity, axis=-1) * scene.constants().get("density", np.nan)
    whole_size = np.nan_to_num(carried.sum(-1)).max(1)
    for name, value in asked.items():
        half = value.shape[1] // 2
        found = np.isfinite(value)
        whole = np.where(found, value, 0.0)
        before, after = (
            whole[:, part].sum(1) / np.maximum(found[:, part].sum(1), 1) for part in (slice(half), slice(half, None))
        )
        size = whole_size if name.startswith("momentum") else np.nan_to_num(np.abs(value)).max(1)
        enough = (found[:, :half].sum(1) >= FEWEST / 2) & (found[:, half:].sum(1) >= FEWEST / 2) & (size > 0)
        enough &= ~still(scene, seen).all(-1)
        drift = np.where(enough, np.abs(after - before) / np.where(size > 0, size, 1), np.nan)
        scores.append(score(f"drift of {name.split(' [')[0]}", "", drift))
    return scores


def in_units(asked: Score, length: tuple[str, float], time: tuple[str, float]) -> Score:
    """Turn a score into other units of length and time, each given by its name and how many make one unit of now."""
    factor, unit = 1.0, asked.unit
    for symbol, (name, worth) in (("m", length), ("s", time)):
        power = _power(asked.unit, symbol)
        factor *= worth**power
        unit = re.sub(rf"\b{symbol}\b", name, unit)
    if re.search(r"kg|[JN]", unit):  # masses are areas times a density that no film shows
        return asked
    values = tuple(factor * value for value in asked.values)
    low, high = factor * asked.low, factor * asked.high
    return replace(asked, unit=unit, value=factor * asked.value, low=low, high=high, values=values)


def _power(unit: str, symbol: str) -> int:
    """Return the exponent of a symbol in a unit like m/s^2."""
    total = 0
    for part, sign in zip(unit.split("/", 1), (1, -1), strict=False):
        for found in re.findall(rf"\b{symbol}\b(?:\^(\d+))?", part):
            total += sign * int(found or 1)
    return total
