"""A pinhole camera in closed form: solids in space -> exact shapes of silhouettes and shadows.

With p = axes (X - eye) a point appears at focal (p_1, p_2) / p_3 from the middle of the frame. A sphere of radius r,
whose centre is at p, is bounded by the cone of its tangents, which the frame cuts in an ellipse with
    centre  focal p_3 (p_1, p_2) / (p_3^2 - r^2),   semi-axes  focal r sqrt(|p|^2 - r^2) / (p_3^2 - r^2)  towards p
    and  focal r / sqrt(p_3^2 - r^2)  across (from the tangents of the cone in the two planes of symmetry),
drawn as a polygon of the same area that strays from it by 2e-4 of its size. A box is the convex hull of its corners; a
shadow is what parallel light along LIGHT leaves out on the ground y = 0. Of two solids, the one on the eye's side of a
plane between them hides the other.
"""

import math

import numpy as np
from jaxtyping import Bool, Float, Int

from cavendish.motion import Drawing, Metres, Scenery, Shape, Stage, Trajectory, World
from cavendish.scenes.looks import WHITE, Colour, regular_outline
from cavendish.scenes.scene import Factor, draw_discs, placed, ranged, same_everywhere

GROUND, MARK, SHADE = (238, 238, 238), (70, 70, 70), (190, 190, 190)  # shares of one grey, so one colour to unmix
MARK_HALF: Metres = 0.3
LIGHT = np.array([-0.35, -1.0, -0.25])
ROUND = 128  # corners of an ellipse
NEAR: Metres = 0.5  # depth below which nothing is drawn
FOCAL, DISTANCE, ELEVATION = 15.0, 12.0, 0.3  # metres of the frame, m, rad
TARGET = np.array([0.0, 1.0, 0.0])
LANDMARKS = np.array([(x, 0.0, z) for x in (-3.6, -1.2, 1.2, 3.6) for z in (-4.0, -1.5, 1.0)])
CAMERA = (
    ranged("orbit", "rad/s", "camera", (-0.15, 0.15), (-0.3, -0.2), (0.2, 0.3)),
    same_everywhere("dolly", "m/s", (-0.5, 0.5)),
    same_everywhere("pan", "rad/s", (-0.03, 0.03)),
    placed("azimuth", "rad"),
)
CORNERS = np.array([(x, y, z) for x in (-1, 1) for y in (-1, 1) for z in (-1, 1)], float)


def place_camera(chosen: dict[str, float], rng: np.random.Generator) -> None:
    """Draw the side from which a clip is filmed."""
    chosen["azimuth"] = float(rng.uniform(-0.5, 0.5))


def draw_in_perspective(
    trajectory: Trajectory,
    factors: tuple[Factor, ...],
    sphere: tuple[bool, ...],
    colours: tuple[Colour, ...],
    world: World,
) -> Drawing:
    """Draw spheres and boxes as the camera of their factors sees them; what was read in the frame, as discs there."""
    if trajectory.position.shape[-1] == 2:
        return draw_discs(trajectory, colours, world)
    names = [factor.name for factor in factors]
    return draw_stage(filmed(trajectory, names, np.array(sphere)), colours, world)


def filmed(trajectory: Trajectory, names: list[str], sphere: Bool[np.ndarray, " n"]) -> Stage:
    """Put the camera of a clip's factors before its solids; it orbits, rolls nearer and turns at steady rates."""
    orbit, dolly, pan, azimuth = (trajectory.factors[..., names.index(f.name), None] for f in CAMERA)
    time = trajectory.time
    around, away = azimuth + orbit * time, (DISTANCE - dolly * time)[..., None]
    level, rise = np.cos(ELEVATION), np.full(around.shape, np.sin(ELEVATION))
    eye = TARGET + away * np.stack([level * np.sin(around), rise, level * np.cos(around)], -1)
    axes = look_at(eye, TARGET, pan * (time - time.mean()))
    half = np.repeat(trajectory.radius[..., None], 3, -1)
    return Stage(eye, axes, FOCAL, trajectory.position, half, sphere, LANDMARKS)


def look_at(
    eye: Float[np.ndarray, "*b t 3"], target: Float[np.ndarray, " 3"], pan: Float[np.ndarray, "*b t"]
) -> Float[np.ndarray, "*b t 3 3"]:
    """Return the axes of an upright camera that looks at a target and is then turned to the left by `pan`."""
    forward = target - eye
    x, z = forward[..., 0], forward[..., 2]
    turned = np.stack([x * np.cos(pan) + z * np.sin(pan), forward[..., 1], z * np.cos(pan) - x * np.sin(pan)], -1)
    forward = turned / np.linalg.norm(turned, axis=-1, keepdims=True)
    right = np.cross(forward, (0.0, 1.0, 0.0))
    right /= np.linalg.norm(right, axis=-1, keepdims=True)
    return np.stack([right, np.cross(right, forward), forward], -2)


def project(
    stage: Stage, world: World, points: Float[np.ndarray, "... k 3"]
) -> tuple[Float[np.ndarray, "*b t k 2"], Float[np.ndarray, "*b t k"]]:
    """Return where points appear in the frame, and their depth; NaN for what is behind the camera."""
    seen = (points - stage.eye[..., None, :]) @ np.swapaxes(stage.axes, -1, -2)
    depth = np.where(seen[..., 2] > NEAR, seen[..., 2], np.nan)
    return middle(world) + stage.focal * seen[..., :2] / depth[..., None], depth


def middle(world: World) -> Float[np.ndarray, " d"]:
    """Return the middle of the frame, where the optical axis meets it."""
    return np.array([world.width / 2, world.height / 2])


def draw_stage(stage: Stage, colours: tuple[Colour, ...], world: World) -> Drawing:
    """Draw the ground with its landmarks and shadows, and the silhouettes of the solids before it."""
    silhouette = _silhouettes(stage, world)
    area, centre = area_and_centroid(silhouette)
    return Drawing(
        np.full(len(colours), Shape.SOLID),
        centre,
        np.sqrt(area / np.pi),
        np.array(colours, np.uint8),
        np.array(WHITE, np.uint8),
        world,
        behind=_ground(stage, world),
        silhouette=silhouette,
        order=_order(stage),
        stage=stage,
    )


def _silhouettes(stage: Stage, world: World) -> Float[np.ndarray, "*b t n v d"]:
    lead = stage.centre.shape[:-2]
    drawn = np.empty((*lead, len(stage.sphere), ROUND, 2))
    p = (stage.centre - stage.eye[..., None, :]) @ np.swapaxes(stage.axes, -1, -2)
    for n, sphere in enumerate(stage.sphere):
        if sphere:
            drawn[..., n, :, :] = middle(world) + stage.focal * _ellipse(p[..., n, :], stage.half[..., n, 0])
        else:
            corners = stage.centre[..., n, None, :] + stage.half[..., n, None, :] * CORNERS
            drawn[..., n, :, :] = _hulls(project(stage, world, corners)[0])
    return drawn


def _ellipse(p: Float[np.ndarray, "*b t 3"], r: Float[np.ndarray, "*b t"]) -> Float[np.ndarray, "*b t v d"]:
    depth = np.where(p[..., 2] > r + NEAR, p[..., 2], np.nan)
    off = np.hypot(p[..., 0], p[..., 1])
    with np.errstate(invalid="ignore"):
        radial = np.where(off[..., None] > 1e-12, p[..., :2] / np.maximum(off, 1e-12)[..., None], (1.0, 0.0))
    across = np.stack([-radial[..., 1], radial[..., 0]], -1)
    squared = depth**2 - r**2
    long, short = r * np.sqrt(squared + off**2) / squared, r / np.sqrt(squared)
    unit = regular_outline(ROUND)
    spread = long[..., None, None] * radial[..., None, :] * unit[:, :1] + (
        short[..., None, None] * across[..., None, :] * unit[:, 1:]
    )
    return np.asarray((p[..., :2] * (depth / squared)[..., None])[..., None, :] + spread)


def _hulls(points: Float[np.ndarray, "*b t k d"]) -> Float[np.ndarray, "*b t v d"]:
    """Return the convex hulls of small sets of points, the last corner repeated; NaN where a point is."""
    from scipy.spatial import ConvexHull  # a third of the time in which scenes are listed

    flat = points.reshape(-1, *points.shape[-2:])
    hulls = np.full((len(flat), ROUND, 2), np.nan)
    for hull, cloud in zip(hulls, flat, strict=True):
        if np.isfinite(cloud).all():
            corners = cloud[ConvexHull(cloud).vertices]
            hull[: len(corners)], hull[len(corners) :] = corners, corners[-1]
    return hulls.reshape(*points.shape[:-2], ROUND, 2)


def area_and_centroid(
    polygon: Float[np.ndarray, "*b v d"],
) -> tuple[Float[np.ndarray, "*b"], Float[np.ndarray, "*b d"]]:
    """Return the area and the centroid of polygons (Green's theorem about the first corner)."""
    first = polygon[..., :1, :]
    a, b = polygon - first, np.roll(polygon, -1, axis=-2) - first
    cross = a[..., 0] * b[..., 1] - b[..., 0] * a[..., 1]
    double = cross.sum(-1)
    return np.abs(double) / 2, first[..., 0, :] + ((a + b) * cross[..., None]).sum(-2) / (3 * double)[..., None]


def _ground(stage: Stage, world: World) -> Scenery:
    """Return the ground up to the horizon, the shadows, and the landmarks."""
    lead = stage.centre.shape[:-2]
    rise = stage.axes[..., 2, 1]
    horizon = np.clip(world.height / 2 - stage.focal * rise / np.sqrt(1 - rise**2), 0.0, world.height)
    plain = np.zeros((*lead, 1, 4, 2))
    plain[..., 1:3, 0] = world.width
    plain[..., 2:, 1] = horizon[..., None, None]
    square = MARK_HALF * np.array([(-1, 0, -1), (1, 0, -1), (1, 0, 1), (-1, 0, 1)], float)
    marks = project(stage, world, (stage.marks[:, None] + square).reshape(-1, 3))[0].reshape(*lead, -1, 4, 2)
    shadows = np.stack([_shadow(stage, world, n) for n in range(len(stage.sphere))], -3)
    parts = [
        np.pad(part, [(0, 0)] * (part.ndim - 2) + [(0, ROUND - 4), (0, 0)], mode="edge") for part in (plain, marks)
    ]
    tints = [GROUND] + [SHADE] * shadows.shape[-3] + [MARK] * len(stage.marks)
    return Scenery(np.concatenate([parts[0], shadows, parts[1]], -3), np.array(tints, np.uint8))


def _shadow(stage: Stage, world: World, n: int) -> Float[np.ndarray, "*b t v d"]:
    """Return the shadow of a solid: the points that bound it in the light, moved along the light to the ground."""
    centre, half = stage.centre[..., n, None, :], stage.half[..., n, None, :]
    if stage.sphere[n]:
        u = np.cross(LIGHT, (0.0, 0.0, 1.0))
        u /= np.linalg.norm(u)
        w = np.cross(LIGHT / np.linalg.norm(LIGHT), u)
        turn = np.arange(ROUND) * 2 * math.pi / ROUND
        rim = centre + half * (np.cos(turn)[:, None] * u + np.sin(turn)[:, None] * w)
    else:
        rim = centre + half * CORNERS
    seen = project(stage, world, rim - LIGHT * (rim[..., 1:2] / LIGHT[1]))[0]
    return seen if stage.sphere[n] else _hulls(seen)


def _order(stage: Stage) -> Int[np.ndarray, "*b t n"]:
    """Return the solids from far to near: one hides another if the eye is on its side of a plane between them."""
    core = np.where(stage.sphere[:, None], 0.0, stage.half)  # a sphere is a point, blown up by its radius
    blown = np.where(stage.sphere, stage.half[..., 0], 0.0)
    low, high, hides = stage.centre - core, stage.centre + core, np.zeros(blown.shape, int)
    for a in range(len(stage.sphere)):
        apart = np.maximum(low - high[..., a : a + 1, :], 0) - np.maximum(low[..., a : a + 1, :] - high, 0)
        length = np.linalg.norm(apart, axis=-1)
        from_a = stage.eye[..., None, :] - np.where(apart > 0, high[..., a : a + 1, :], low[..., a : a + 1, :])
        with np.errstate(invalid="ignore", divide="ignore"):
            reached = (from_a * apart).sum(-1) / length
        hides += reached > 0.5 * (length + blown[..., a : a + 1] - blown)
    return np.asarray(np.argsort(hides, axis=-1, kind="stable"))


def in_clear_view(drawing: Drawing, margin: Metres) -> Bool[np.ndarray, "*b t k"]:
    """Tell which landmarks are in the frame with nothing but bare ground within a margin."""
    marks = landmarks(drawing)
    low, high = marks.min(-2) - margin, marks.max(-2) + margin
    assert drawing.silhouette is not None
    others = np.concatenate([drawing.silhouette, drawing.behind.corners[..., 1 : -marks.shape[-3], :, :]], -3)
    horizon = drawing.behind.corners[..., :1, 2, 1]
    seen = (low >= 0).all(-1) & (high[..., 0] <= drawing.world.width) & (high[..., 1] <= horizon)
    for other in np.moveaxis(others, -3, 0):
        beside = (high <= other.min(-2)[..., None, :]) | (low >= other.max(-2)[..., None, :])
        seen &= beside.any(-1)
    return np.asarray(seen)


def landmarks(drawing: Drawing) -> Float[np.ndarray, "*b t k 4 d"]:
    """Return the corners of the landmarks in the frame."""
    assert drawing.stage is not None
    return drawing.behind.corners[..., -len(drawing.stage.marks) :, :4, :]
