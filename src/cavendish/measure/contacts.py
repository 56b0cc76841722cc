"""Where bodies touch each other, a floor or a wall, and what the touch did to their speeds.

A contact law is known by its symbols `..._after`; other worlds have no contacts to look for. The gap between two
rims, or between a rim and a floor or wall, is
    d_k = |x_i - x_j| - r_i - r_j;     a contact is a least gap that is entered and left at a speed:
    d_k <= d_k-1, d_k < d_k+1, d_k < closing speed * step + 0.1 m, and each body's velocity jumps by > 0.2 m/s.
With straight (or, under gravity, parabolic) flight fitted before and after, at the frame nearest to the touch
    restitution  e = -w' . n / (w . n),     friction  -sign((w + w') . t) dw . t / (dw . n),
    momentum handed on  -dp_j . n / (dp_i . n),
w the relative velocity, n the line of centres at that instant (Newton 1687, Corollary VI; Coulomb 1785). In worlds in
which a landing takes all speed (v_after = 0), a body that stays on the floor within 0.1 m of its last place lies there:
no flight, and no contact to weigh.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from cavendish.measure.tracks import masses, typical
from cavendish.motion import Trajectory
from cavendish.scenes import Scene

NEAR = 0.1  # m
JUMP = 0.2  # m/s
REACH = 8  # frames fitted on either side
FEWEST = 3
BENT = 0.1  # m; flight that bends more has met something else
WALL = -1


@dataclass(frozen=True)
class Contact:
    """One touch: which clip, at which frame, and which bodies (the second is WALL for floors and walls)."""

    clip: int
    frame: int
    bodies: tuple[int, int]
    normal: Float[np.ndarray, " d"]  # from the second body, or the wall, to the first


@dataclass(frozen=True)
class Touch:
    """What a contact did."""

    clip: int
    with_wall: bool
    restitution: float
    friction: float
    momentum: float  # change of the second body's momentum against the first's; NaN at walls
    depth: float  # m, by which the rims had sunk into each other when the speeds changed; NaN at walls


def contact_law(scene: Scene) -> bool:
    """Tell whether the scene's law speaks of contacts."""
    return any("_after" in equation for equation in scene.law.equations)


def landing_law(scene: Scene) -> bool:
    """Tell whether a landing takes all of the speed."""
    return "Eq(v_after, 0)" in scene.law.equations


def touched(scene: Scene, moving: Trajectory) -> list[tuple[int, int, tuple[int, int]]]:
    """List clip, frame and bodies of every touch, and of every frame in which a body lies where it landed."""
    lying = [(c.clip, k, c.bodies) for c in landings(scene, moving) for k in range(c.frame, len(moving.time))]
    return [(c.clip, c.frame, c.bodies) for c in contacts(scene, moving)] + lying


def landings(scene: Scene, moving: Trajectory) -> list[Contact]:
    """Find where bodies come to lie on the floor for good; one that never moved has not landed."""
    found = []
    for bodies, gap, normal in _gaps(scene, moving) if landing_law(scene) else []:
        place = moving.position[:, :, bodies[0]]
        lies = (np.linalg.norm(place - place[:, -1:], axis=-1) < NEAR) & (gap < NEAR) & (bodies[1] == WALL)
        since = lies.shape[1] - (~lies[:, ::-1]).argmax(1)
        for clip in np.flatnonzero(lies[:, -1] & ~lies[:, 0]).tolist():
            found.append(Contact(clip, int(since[clip]), bodies, normal[clip, since[clip]]))
    return found


def contacts(scene: Scene, moving: Trajectory) -> list[Contact]:
    """Find every touch in a batch of clips."""
    if not contact_law(scene):
        return []
    found, landed = [], {(c.clip, c.bodies): c.frame for c in landings(scene, moving)}
    for bodies, gap, normal in _gaps(scene, moving):
        for clip, frame in zip(*_least(gap, moving.time), strict=True):
            if frame >= landed.get((int(clip), bodies), len(moving.time)):
                continue
            if bodies[1] == WALL or _jumps(moving, int(clip), int(frame), bodies):
                found.append(Contact(int(clip), int(frame), bodies, normal[clip, frame]))
    return found


def touches(scene: Scene, moving: Trajectory, pull: Float[np.ndarray, " d"]) -> list[Touch]:
    """Weigh every touch that has enough free flight on both sides; `pull` is the acceleration in flight."""
    events = contacts(scene, moving)
    ends = [*events, *landings(scene, moving)]  # of flights
    mass, size, step = masses(scene, moving), typical(moving.radius), float(np.diff(moving.time).max())
    weighed = "density" in scene.constants()  # else masses cannot be seen
    answers = []
    for event in events:
        bodies = [body for body in event.bodies if body != WALL]
        flights = [_flights(moving, event, body, ends, pull) for body in bodies]
        signs = np.array([1.0, -1.0])[: len(bodies)]
        apart, before, parted, after = (sum(s * f[k] for s, f in zip(signs, flights, strict=True)) for k in range(4))
        if not np.isfinite([*apart, *before, *parted, *after]).all():
            continue
        instant = float((apart - parted) @ event.normal / ((after - before) @ event.normal))
        instant = float(np.clip(instant, -step, step))
        met = apart + before * instant
        normal = event.normal if len(bodies) == 1 else met / np.linalg.norm(met)
        fallen = pull * instant if len(bodies) == 1 else np.zeros(2)
        jump, tangent = after - before, np.array([-normal[1], normal[0]])
        before, after = before + fallen, after + fallen
        closing, slide = before @ normal, (before + after) @ tangent
        if -closing > JUMP:
            change = [mass[event.clip, b] * (f[3] - f[1]) @ normal for b, f in zip(bodies, flights, strict=True)]
            momentum = float(-change[1] / change[0]) if len(change) == 2 and weighed else float("nan")
            friction = float(-np.sign(slide) * (jump @ tangent) / (jump @ normal))
            depth = float(size[event.clip, bodies].sum() - np.linalg.norm(met)) if len(bodies) == 2 else float("nan")
            restitution = float(-after @ normal / closing)
            answers.append(Touch(event.clip, len(bodies) == 1, restitution, friction, momentum, depth))
    return answers


def overlap(scene: Scene, moving: Trajectory) -> Float[np.ndarray, "b t"]:
    """Return how deep rims have sunk into each other, a floor or a wall, in metres; 0 where nothing may touch."""
    depth = np.zeros(moving.position.shape[:2])
    if contact_law(scene):
        for _, gap, _ in _gaps(scene, moving):
            depth = np.fmax(depth, -gap)
    return depth


def _gaps(
    scene: Scene, moving: Trajectory
) -> list[tuple[tuple[int, int], Float[np.ndarray, "b t"], Float[np.ndarray, "b t d"]]]:
    x, r = moving.position, moving.radius
    gaps = []
    for i in range(x.shape[2]):
        for j in range(i + 1, x.shape[2]):
            apart = x[:, :, i] - x[:, :, j]
            distance = np.linalg.norm(apart, axis=-1)
            unit = apart / np.maximum(distance, 1e-9)[..., None]
            gaps.append(((i, j), distance - r[:, :, i] - r[:, :, j], unit))
        for place, axis, sign in _walls(scene, moving):
            normal = np.zeros((*x.shape[:2], 2))
            normal[..., axis] = sign
            gaps.append(((i, WALL), sign * (x[:, :, i, axis] - place) - r[:, :, i], normal))
    return gaps


def _walls(scene: Scene, moving: Trajectory) -> list[tuple[float, int, float]]:
    """Return place, axis and inward sign of every wall that the law, or the drawing of a floor, tells of."""
    if any("v_wall" in equation for equation in scene.law.equations):
        world = scene.world
        return [(0.0, 0, 1.0), (world.width, 0, -1.0), (0.0, 1, 1.0), (world.height, 1, -1.0)]
    behind = scene.draw(moving).behind.corners
    return [(float(behind[..., 1].max()), 1, 1.0)] if behind.size else []


def _least(
    gap: Float[np.ndarray, "b t"], time: Float[np.ndarray, " t"]
) -> tuple[Int[np.ndarray, " k"], Int[np.ndarray, " k"]]:
    """Return clips and frames of least gaps that were entered and left at a speed."""
    last = np.full((len(gap), 1), np.inf)  # a touch on the last step is not seen to end
    rate = np.concatenate([np.diff(gap, axis=1) / np.diff(time), last], 1)
    into, out = rate[:, :-1], rate[:, 1:]  # of frames 1 to t - 2
    earlier = np.concatenate([into[:, :1], into[:, :-1]], 1)
    closing = np.fmax(-into, -earlier)  # the step that holds the touch is slowed by it
    later = np.concatenate([out[:, 1:], out[:, -1:]], 1)
    parting = np.fmax(out, later)
    step = float(np.diff(time).max())
    touching = (into <= 0) & (out > 0) & (gap[:, 1:] < closing * step + NEAR) & (closing + parting > JUMP)
    clip, frame = np.nonzero(touching)
    return clip, frame + 1


def _jumps(moving: Trajectory, clip: int, frame: int, bodies: tuple[int, int]) -> bool:
    """Tell whether both bodies change their velocity there, which two that pass each other do not."""
    near = slice(max(frame - 2, 0), frame + 3)
    for body in bodies:
        speed = np.diff(moving.position[clip, near, body], axis=0) / np.diff(moving.time[near])[:, None]
        bend = np.linalg.norm(np.diff(speed, axis=0), axis=-1)
        if bend.size and not np.nanmax(bend, initial=0.0) > JUMP:
            return False
    return True


def _flights(
    moving: Trajectory, event: Contact, body: int, events: list[Contact], pull: Float[np.ndarray, " d"]
) -> tuple[Float[np.ndarray, " d"], ...]:
    """Return place and speed before, and place and speed after, carried on to the touch's frame; NaN if unseen."""
    others = [e.frame for e in events if e.clip == event.clip and body in e.bodies and e is not event]
    early, late = (_flight(moving, event, body, others, side, pull) for side in (-1, 1))
    return (*early, *late)


def _flight(
    moving: Trajectory, event: Contact, body: int, others: list[int], side: int, pull: Float[np.ndarray, " d"]
) -> tuple[Float[np.ndarray, " d"], Float[np.ndarray, " d"]]:
    """Fit the flight on one side of a touch and carry place and velocity on to its frame; NaN if too little is seen."""
    last = len(moving.time) - 1
    room = [(k - event.frame) * side - 1 for k in others if (k - event.frame) * side >= 0]
    room.append(last - event.frame if side > 0 else event.frame)
    frames = event.frame + side * np.arange(1, min(*room, REACH) + 1)
    place = moving.position[event.clip, frames, body]
    seen = np.isfinite(place).all(-1)
    if seen.sum() < FEWEST:
        return np.full(2, np.nan), np.full(2, np.nan)
    since = (moving.time[frames] - moving.time[event.frame])[seen]
    straight = place[seen] - 0.5 * pull * since[:, None] ** 2
    line = np.polynomial.polynomial.polyfit(since, straight, 1)
    bent = np.abs(straight - line[0] - line[1] * since[:, None]).max()
    return (line[0], line[1]) if bent < BENT else (np.full(2, np.nan), np.full(2, np.nan))
