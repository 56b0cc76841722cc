"""Is what happens in a film of many rigid bodies possible at all? Seven signs, no truth needed, no human rater.

From what a reader found - place x, angle theta, extent r and confidence c of every body in every frame - and from the
given frames, which tell what is there. With steps dx_k = x_k+1 - x_k and depths of overlap D (`touching`):
    vanish        longest run of frames in which a body that was there is not found (behind no screen)
    appear        longest run of frames in which a body that was not there is found for sure, c > SURE
    teleport      max distance of dx_k from the segment between dx_k-1 and dx_k+1: one impact within a step stays on it
    split         max over frames, median of three, of |log(r / r_0)| + 1 - c: half of the colour is elsewhere
    pass through  max, median of three, of D between two bodies or a body and a wall
    energy gain   max over instants k and groups G of bodies that may meet in the two steps around k, of
                  (E_k - max(E_k-1, E_k-2)) / sqrt(sum m^2 (v^2 + SLOW^2)), E = energy of G from steps: how wrongly
                  all speeds in G must have been read to explain the gain; and, of groups that nothing fixed is near,
                  |sum m (v_k - v_k-1 - g dt)| / sqrt(sum m^2), which impacts within the group leave at nought
    hover         max |b . (x + g t^2 / 2)| over windows of 3 to 10 frames in which nothing is within REACH of the body,
                  b = the bend k^2 - mean(k^2), normed to 1, so that noise counts the same in windows of any length
Bodies that meet exchange energy but gain none; an impact within a step lowers the energy that is measured by it, so
of the two steps before the better one counts. The momentum of a free group, by steps, changes by its weight and by
nothing else, whatever its bodies do to each other.
Whether bodies may meet between frames is told from their gaps and relative paths, those of the steps before and after
included, because an impact shortens the path of its own step. A sign counts as abnormal above a limit that is
calibrated on true films: the second largest value there, lest one misread film blind a sign, and a margin.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float

from cavendish.measure.touching import depths
from cavendish.measure.tracks import typical
from cavendish.motion import Drawing, MetresPerSecond2, Shape, Trajectory
from cavendish.readout.reader import points_inside

SIGNS = {
    "vanish": "frames",
    "appear": "frames",
    "teleport": "m",
    "split": "",
    "pass through": "m",
    "energy gain": "m/s",
    "hover": "m",
}
REACH = 0.05  # m; a body with nothing nearer than this is in free flight
SWEEP = 2.5  # reach of a long body in equal-area radii
MARGIN = 1.25  # limit / second largest value in the true films of the calibration
SURE = 0.8  # confidence that every true body in view exceeds
RUNS = range(3, 11)  # frames of free flight that make a parabola
BEFORE = 2  # steps before an instant, of which one at least holds no impact: the energy that there was
TINY = 1e-18  # keeps what is not there from dividing by nothing
SLOW = 0.5  # m/s; slower bodies are read no better
Signs = dict[str, Float[np.ndarray, " b"]]


@dataclass(frozen=True)
class Room:
    """What is known of a world of rigid bodies beside its looks."""

    gravity: MetresPerSecond2
    fixed: Bool[np.ndarray, " n"]
    walls: tuple[float, float, float, float]  # m; left, bottom, right, top
    context: int  # frames that are given


def signs(drawing: Drawing, seen: Trajectory, room: Room) -> Signs:
    """Measure all seven signs in every clip; `drawing` tells shapes and screens only."""
    found = ~seen.lost & (seen.confidence > 0)
    there = found[:, : room.context].sum(1) * 2 > room.context
    hidden = _screened(drawing, seen)
    size = np.where(there, typical(np.where(found, seen.radius, np.nan)), np.nan)
    depth = _depths(drawing, seen, size, room)
    gaps = _gaps(seen, size, depth)
    free = (gaps.min(-1) > REACH) & found & there[:, None] & ~room.fixed
    return {
        "vanish": _longest_run(~found & there[:, None] & ~hidden),
        "appear": _longest_run((seen.confidence > SURE) & ~there[:, None]),
        "teleport": _teleport(seen, there, room.gravity),
        "split": _split(seen, size),
        "pass through": _pass_through(depth, room.fixed),
        "energy gain": _energy_gain(drawing, seen, size, gaps, room),
        "hover": _hover(seen, free, room.gravity),
    }


def limits(true: Signs) -> dict[str, float]:
    """Calibrate: return the limit of every sign from true films."""
    return {name: MARGIN * max(float(np.sort(values)[-2:].min()), 1e-9) for name, values in true.items()}


def alarms(measured: Signs, limit: dict[str, float]) -> dict[str, Bool[np.ndarray, " b"]]:
    """Tell which sign of which clip is abnormal."""
    return {name: values > limit[name] for name, values in measured.items()}


def _screened(drawing: Drawing, seen: Trajectory) -> Bool[np.ndarray, "b t n"]:
    """Tell where a body was last seen within its reach of a screen, so that it may be behind it."""
    hidden = np.zeros(seen.lost.shape, dtype=bool)
    last, size = seen.position[:, 0].copy(), np.zeros(seen.radius[:, 0].shape)
    for k in range(seen.position.shape[1]):
        last = np.where(np.isnan(seen.position[:, k]), last, seen.position[:, k])
        size = np.fmax(size, seen.radius[:, k])
        for screen in drawing.front.corners[0]:
            near = (last >= screen.min(0) - 3 * size[..., None]) & (last <= screen.max(0) + 3 * size[..., None])
            hidden[:, k] |= near.all(-1)
    return hidden


def _longest_run(marks: Bool[np.ndarray, "b t n"]) -> Float[np.ndarray, " b"]:
    run = np.zeros(marks[:, 0].shape)
    longest = np.zeros(len(marks))
    for k in range(marks.shape[1]):
        run = np.where(marks[:, k], run + 1, 0)
        longest = np.maximum(longest, run.max(-1))
    return longest


def _largest(values: Float[np.ndarray, "b ..."]) -> Float[np.ndarray, " b"]:
    """Return the largest known value of each clip, 0 where none is."""
    return np.asarray(np.nan_to_num(values, nan=0.0).reshape(len(values), -1).max(-1))


def _steady(values: Float[np.ndarray, "b t *n"]) -> Float[np.ndarray, "b t *n"]:
    """Return medians of three successive frames, so that one misread frame is no event."""
    return np.asarray(np.median(np.stack([values[:, :-2], values[:, 1:-1], values[:, 2:]]), axis=0))


def _teleport(seen: Trajectory, there: Bool[np.ndarray, "b n"], gravity: float) -> Float[np.ndarray, " b"]:
    """Measure how far a step is from all mixtures of the steps around it, carried on or not by free fall."""
    step = np.diff(np.where(there[:, None, :, None], seen.position, np.nan), axis=1)
    fall = np.array([0.0, -gravity * float(np.median(np.diff(seen.time))) ** 2])
    at, least = step[:, 1:-1], np.inf
    for before in (step[:, :-2], step[:, :-2] + fall):
        for after in (step[:, 2:], step[:, 2:] - fall):
            along = after - before
            length = np.maximum((along**2).sum(-1, keepdims=True), 1e-12)
            share = np.clip(((at - before) * along).sum(-1, keepdims=True) / length, 0.0, 1.0)
            least = np.minimum(least, np.linalg.norm(at - before - share * along, axis=-1))
    return _largest(np.asarray(least))


def _split(seen: Trajectory, size: Float[np.ndarray, "b n"]) -> Float[np.ndarray, " b"]:
    with np.errstate(invalid="ignore", divide="ignore"):
        change = np.abs(np.log(seen.radius / size[:, None]))
    return _largest(_steady(change + 1 - seen.confidence))


def _depths(
    drawing: Drawing, seen: Trajectory, size: Float[np.ndarray, "b n"], room: Room
) -> Float[np.ndarray, "b t n n_plus_one"]:
    """Measure how deep bodies are in each other, at the size that they usually have."""
    outline = np.zeros((len(drawing.shape), 0, 2)) if drawing.outline is None else drawing.outline
    corners = np.where(drawing.shape == Shape.POLYGON, outline.shape[1], 0)
    covers = [_cover(o) if c else np.zeros((1, 2)) for o, c in zip(outline, corners, strict=True)]
    points = np.stack([np.resize(cover, (max(map(len, covers)), 2)) for cover in covers])
    angle = np.zeros(seen.radius.shape) if seen.angle is None else np.nan_to_num(seen.angle)
    size = np.broadcast_to(size[:, None], angle.shape)
    place = np.concatenate([seen.position, size[..., None], angle[..., None]], -1)
    box = np.array(room.walls)
    return np.stack([depths(clip, outline, points, corners, box) for clip in place])


def _gaps(
    seen: Trajectory, size: Float[np.ndarray, "b n"], depth: Float[np.ndarray, "b t n n_plus_one"]
) -> Float[np.ndarray, "b t n n_plus_one"]:
    """Return lower bounds of the gaps around bodies, also between frames, where they shrink by relative motion."""
    wall = np.zeros_like(seen.position[:, :, :1])
    apart = seen.position[:, :, :, None] - np.concatenate([seen.position, wall], 2)[:, :, None]
    path = np.nan_to_num(np.linalg.norm(np.diff(apart, axis=1), axis=-1))
    if seen.angle is not None:
        sweep = SWEEP * np.nan_to_num(size)[:, None] * np.abs(np.diff(np.nan_to_num(seen.angle), axis=1))
        path = path + sweep[..., None] + np.concatenate([sweep, 0 * sweep[..., :1]], -1)[:, :, None]
    path[:, 1:-1] = np.maximum(path[:, 1:-1], np.maximum(path[:, :-2], path[:, 2:]))  # an impact shortens its own step
    between = np.pad(
        0.5 * (path + depth[:, 1:] + depth[:, :-1]), ((0, 0), (1, 1), (0, 0), (0, 0)), constant_values=-np.inf
    )
    return np.asarray(-np.maximum(depth, np.maximum(between[:, 1:], between[:, :-1])))


def _cover(outline: Float[np.ndarray, "v d"]) -> Float[np.ndarray, "m d"]:
    """Return points along an outline and inside it."""
    along = np.linspace(0, 1, 9)[:-1, None, None]
    rim = (outline + along * (np.roll(outline, -1, axis=0) - outline)).reshape(-1, 2)
    return np.concatenate([rim, points_inside(outline)[::3]])


def _pass_through(
    depth: Float[np.ndarray, "b t n n_plus_one"], fixed: Bool[np.ndarray, " n"]
) -> Float[np.ndarray, " b"]:
    """Look at what moves: fixed bodies may touch walls and each other."""
    return _largest(_steady(depth[:, :, ~fixed].max(-1)))


def _energy_gain(
    drawing: Drawing,
    seen: Trajectory,
    size: Float[np.ndarray, "b n"],
    gaps: Float[np.ndarray, "b t n n_plus_one"],
    room: Room,
) -> Float[np.ndarray, " b"]:
    """Compare a step with those before, group by group: energy, and momentum where nothing fixed is within reach."""
    dt = np.diff(seen.time)[:, None]
    moving = ~room.fixed & np.isfinite(size)
    mass = np.where(moving, np.pi * np.nan_to_num(size) ** 2, 0.0)
    speed = np.diff(seen.position, axis=1) / dt[..., None]
    square = (speed**2).sum(-1)
    if seen.angle is not None:
        turning = np.nan_to_num(np.diff(seen.angle, axis=1) / dt)
        square = square + gyration(drawing) * np.nan_to_num(size)[:, None] ** 2 * turning**2
    height = 0.5 * (seen.position[:, 1:, :, 1] + seen.position[:, :-1, :, 1])
    energy = mass[:, None] * (0.5 * square + room.gravity * height)
    momentum = np.nan_to_num(
        mass[:, None, :, None] * (speed + np.array([0.0, room.gravity]) * seen.time[1:, None, None])
    )
    near = gaps < REACH
    held = (near[..., -1] | near[..., :-1][..., room.fixed].any(-1)).astype(float)
    linked = (near[..., :-1] & moving[:, None, :, None] & moving[:, None, None]) | np.eye(mass.shape[-1], dtype=bool)
    largest = np.zeros(len(mass))
    for k in range(BEFORE, energy.shape[1]):
        group = linked[:, k].astype(float)
        for _ in range(4):  # sixteen links join all bodies
            group = np.minimum(group @ group, 1.0)
        span = slice(k - BEFORE, k + 1)
        missing = np.isnan(np.where(moving[:, None], energy, 0.0)[:, span]).any(1).astype(float)
        unknown = _sum(group, missing) > 0
        total = np.nan_to_num(energy[:, span]) @ np.swapaxes(group, 1, 2)
        fast = np.nan_to_num(square[:, span]).max(1) + SLOW**2
        gain = (total[:, -1] - total[:, :-1].max(1)) / np.sqrt(_sum(group, mass**2 * fast) + TINY)
        push = np.linalg.norm(group @ (momentum[:, k] - momentum[:, k - 1]), axis=-1) / np.sqrt(
            _sum(group, mass**2) + TINY
        )
        gain = np.where(_sum(group, held[:, k]) > 0, gain, np.maximum(gain, push))
        largest = np.maximum(largest, np.where(unknown | ~moving, 0.0, gain).max(-1))
    return largest


def _sum(group: Float[np.ndarray, "b n n"], values: Float[np.ndarray, "b n"]) -> Float[np.ndarray, "b n"]:
    """Sum values over the group of each body."""
    return np.asarray(np.einsum("bij,bj->bi", group, values))


def gyration(drawing: Drawing) -> Float[np.ndarray, " n"]:
    """Return each body's moment of inertia per mass at extent 1: the mean squared distance from the centroid."""
    if drawing.outline is None:
        return np.full(len(drawing.shape), 0.5)
    polygons = drawing.shape == Shape.POLYGON
    a, b = drawing.outline, np.roll(drawing.outline, -1, axis=1)
    cross = a[..., 0] * b[..., 1] - a[..., 1] * b[..., 0]
    second = (cross * ((a * a).sum(-1) + (a * b).sum(-1) + (b * b).sum(-1))).sum(-1) / 12
    return np.where(polygons, np.abs(second) / np.pi, 0.5)


def _hover(seen: Trajectory, free: Bool[np.ndarray, "b t n"], gravity: float) -> Float[np.ndarray, " b"]:
    """Look at windows of free flight of many lengths; noise bends all of them by as much as it shifts one place."""
    fallen = seen.position + np.array([0.0, 0.5 * gravity]) * seen.time[:, None, None] ** 2
    largest = np.zeros(len(free))
    for length in RUNS:
        k = np.arange(length) - (length - 1) / 2
        bend = k**2 - (k**2).mean()
        windows = np.lib.stride_tricks.sliding_window_view(fallen, length, axis=1)
        flying = np.lib.stride_tricks.sliding_window_view(free, length, axis=1).all(-1)
        off = np.linalg.norm((windows * bend).sum(-1) / np.linalg.norm(bend), axis=-1)
        largest = np.maximum(largest, _largest(np.where(flying, off, 0.0)))
    return largest
