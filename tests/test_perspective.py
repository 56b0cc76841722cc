"""Three dimensions: what the camera shows, what is read from it, and what an independent engine says."""

from dataclasses import replace

import mujoco
import numpy as np
import pytest

from cavendish.data import Picture, Split
from cavendish.errors import BadInputError
from cavendish.measure import scorecard
from cavendish.measure.consistency import reprojection_error
from cavendish.motion import Drawing, Stage, World
from cavendish.readout import Reader
from cavendish.readout.perspective import lift, read_landmarks
from cavendish.render import render
from cavendish.render.depth import depth_map
from cavendish.scenes import Parabola, RollingSpheres, ThrowAndSlide
from cavendish.scenes.looks import BLUE, RED, in_view
from cavendish.scenes.perspective import TARGET, draw_stage, in_clear_view, look_at, project
from cavendish.scenes.scene import Scene

SIDE, FOCAL = 128, 15.0
PIXEL = 10 / SIDE
STAGED = [ThrowAndSlide(), RollingSpheres()]


@pytest.fixture(params=STAGED, ids=lambda scene: scene.name())
def staged(request: pytest.FixtureRequest) -> Scene:
    """Every scene in perspective."""
    return request.param


def staging(count: int = 200, seed: int = 0) -> tuple[Stage, Drawing]:
    """Put a sphere and a box at random places before random cameras."""
    rng = np.random.default_rng(seed)
    eye = np.stack([rng.uniform(-6, 6, count), rng.uniform(2, 7, count), rng.uniform(8, 12, count)], -1)
    axes = look_at(eye, TARGET, rng.uniform(-0.05, 0.05, count))
    half = np.stack([np.repeat(rng.uniform(0.3, 1.2, (count, 1)), 3, -1), rng.uniform(0.3, 0.9, (count, 3))], 1)
    lanes = np.stack([rng.uniform(-2.5, -1.3, count), rng.uniform(1.0, 2.0, count)], -1)
    centre = np.stack([rng.uniform(-2, 2, (count, 2)), half[..., 1] + rng.uniform(0, 1, (count, 2)), lanes], -1)
    stage = Stage(eye, axes, FOCAL, centre, half, np.array([True, False]), np.array([[0.0, 0.0, 0.0]]))
    return stage, draw_stage(stage, (RED, BLUE), World())


def test_a_point_on_the_optical_axis_is_in_the_middle_of_the_frame() -> None:
    eye = np.array([[1.0, 5.0, 12.0]])
    stage = replace(staging(1)[0], eye=eye, axes=look_at(eye, TARGET, np.zeros(1)))
    place, depth = project(stage, World(), TARGET[None])
    assert np.allclose(place, 5.0, atol=1e-12)
    assert depth[0, 0] == pytest.approx(np.linalg.norm(eye - TARGET))
    assert np.isnan(project(stage, World(), 2 * eye - TARGET)[0]).all()  # behind the camera


def test_axes_are_square_and_upright() -> None:
    stage, _ = staging()
    assert np.abs(stage.axes @ np.swapaxes(stage.axes, -1, -2) - np.eye(3)).max() < 1e-12
    assert np.abs(stage.axes[:, 0, 1]).max() < 1e-12  # right is level
    assert (stage.axes[:, 1, 1] > 0).all()


def test_silhouettes_cover_exactly_what_rays_meet() -> None:
    stage, _ = staging(12)
    for n in (0, 1):
        alone = replace(
            stage, centre=stage.centre[:, n : n + 1], half=stage.half[:, n : n + 1], sphere=stage.sphere[[n]]
        )
        silhouette = replace(
            draw_stage(alone, (RED,), World()), behind=Drawing.__dataclass_fields__["behind"].default_factory()
        )
        without = depth_map(replace(silhouette, stage=replace(alone, half=0 * alone.half - 1e-9)), 400, 400)
        met = (depth_map(silhouette, 400, 400) < without - 1e-9).mean((1, 2)) * 100
        assert np.abs(np.sqrt(met / np.pi) / silhouette.extent[:, 0] - 1).max() < 4e-3


def test_the_nearer_solid_hides_the_farther() -> None:
    stage, drawing = staging()
    depth, both = depth_map(drawing, 64, 64), render(drawing, 64, 64)
    checked = 0
    for n, colour in ((0, RED), (1, BLUE)):
        alone = replace(stage, centre=stage.centre[:, [n]], half=stage.half[:, [n]], sphere=stage.sphere[[n]])
        mine = depth_map(draw_stage(alone, (colour,), World()), 64, 64)
        other = replace(
            stage, centre=stage.centre[:, [1 - n]], half=stage.half[:, [1 - n]], sphere=stage.sphere[[1 - n]]
        )
        hidden = (render(draw_stage(other, (colour,), World()), 64, 64) == colour).all(-1)
        theirs = depth_map(draw_stage(other, (colour,), World()), 64, 64)
        full = (render(draw_stage(alone, (colour,), World()), 64, 64) == colour).all(-1)
        first = full & hidden & (mine < theirs) & (mine == depth)
        assert (both[first] == colour).all()
        checked += int(first.sum())
    assert checked > 300


def test_depth_of_the_ground_is_where_a_level_ray_meets_it() -> None:
    stage, drawing = staging(5)
    depth = depth_map(drawing, 64, 64)
    u = ((np.arange(64) + 0.5) / 64 - 0.5) * 10 / FOCAL
    rays = np.stack(np.broadcast_arrays(u, -u[:, None], 1.0), -1) @ stage.axes[:, None]
    there = stage.eye[:, None, None] + depth[..., None] * rays
    ground = np.isfinite(depth) & (np.abs(there[..., 1]) < 1e-9)
    assert ground.mean() > 0.5
    assert np.isinf(depth_map(replace(drawing, stage=replace(stage, axes=stage.axes * [[1], [-1], [-1]])), 8, 8)).all()
    with pytest.raises(BadInputError, match="flat"):
        depth_map(Parabola().draw(Split(Parabola())[0].trajectory), 8, 8)


def test_what_is_read_and_lifted_is_the_truth(staged: Scene) -> None:
    split = Split(staged, picture=Picture(SIDE, SIDE))
    clip = split.clips(np.arange(12))
    truth = clip.trajectory
    drawing = staged.draw(truth)
    found = lift(staged, truth, Reader.of(drawing).read(clip.frames.numpy(), truth.time))
    seen = in_view(drawing, PIXEL)
    assert np.abs(found.position - truth.position)[seen].max() < 0.02
    assert np.abs(found.radius / truth.radius - 1)[seen].max() < 2e-3
    card = scorecard(staged, truth, found)
    assert card["position error"].value < 2e-3
    assert card["velocity error x, time mean"].value < 5e-3


def filmed_landmarks(scene: Scene, count: int = 6) -> tuple[Split, Drawing, np.ndarray, np.ndarray]:
    """Film clips and read their landmarks."""
    split = Split(scene, picture=Picture(SIDE, SIDE))
    clip = split.clips(np.arange(count))
    drawing = scene.draw(clip.trajectory)
    return split, drawing, clip.frames.numpy(), read_landmarks(clip.frames.numpy(), drawing)


def test_landmarks_of_a_true_film_stand_still(staged: Scene) -> None:
    split, drawing, frames, seen = filmed_landmarks(staged)
    truth = split.trajectories(np.arange(len(frames)))
    assert np.isfinite(seen).all(-1).mean() > 0.15
    assert np.isfinite(seen).all(-1)[in_clear_view(drawing, 9 * PIXEL)].all()
    found = reprojection_error(staged, truth, seen)
    assert found.n == len(frames)
    assert found.value < 0.05 * PIXEL / FOCAL
    noise = np.random.default_rng(0).normal(0, 10, frames.shape)
    noisy = read_landmarks(np.clip(frames + noise, 0, 255).round().astype(np.uint8), drawing)
    assert reprojection_error(staged, truth, noisy).value < 0.3 * PIXEL / FOCAL


def test_a_swimming_floor_is_found_and_grows_with_its_size(staged: Scene) -> None:
    split, _, frames, seen = filmed_landmarks(staged)
    truth = split.trajectories(np.arange(len(frames)))
    wave = np.sin(2 * np.pi * truth.time / 0.8)[:, None, None] * np.array([1.0, 0.0])
    errors = [reprojection_error(staged, truth, seen + size * PIXEL * wave).value for size in (0.0, 0.2, 0.5, 1.0, 2.0)]
    assert np.all(np.diff(errors) > 0)
    assert errors[-1] == pytest.approx(2 * PIXEL / FOCAL / np.sqrt(2), rel=0.15)
    with pytest.raises(BadInputError, match="no camera"):
        reprojection_error(Parabola(), Split(Parabola()).trajectories(np.arange(2)), np.zeros((2, 32, 1, 2)))


def engine(body: str, gravity: float, step: float) -> tuple[mujoco.MjModel, mujoco.MjData]:
    """Build a world of another engine: the ground and one free body."""
    model = mujoco.MjModel.from_xml_string(
        f"""<mujoco><option gravity="0 {-gravity} 0" timestep="{step}" cone="elliptic" impratio="50"/>
        <worldbody><geom type="plane" size="50 50 1" euler="-90 0 0" friction="1 0 0"/>
        <body name="it"><freejoint/>{body}</body></worldbody></mujoco>"""
    )
    return model, mujoco.MjData(model)


@pytest.mark.parametrize("spin", [0.0, 3.0, 7.0])
def test_a_sphere_slides_and_rolls_as_in_another_engine(spin: float) -> None:
    scene, radius, speed = RollingSpheres(), 0.8, 1.6
    model, data = engine(
        f'<geom type="sphere" size="{radius}" friction="{scene.friction} 0 0" priority="1"/>', 9.8, 1e-3
    )
    data.qpos[:3] = (-1.0, radius, 0.0)
    data.qvel[0], data.qvel[5] = speed, spin / radius  # turns against its way
    mujoco.mj_step(model, data, 3000)
    row = np.array([[radius, radius, 1.0, speed, spin, 0, 0, 0, 0, -1.0, -1.0, -2.0, 0.0]])
    truth = scene.simulate(row, np.array([0.0, 3.0]))
    # The other engine's contacts are soft and its steps are 1 ms: it strays by 0.4 to 1.2 mm and 0.1 mm/s in 3 s.
    assert abs(data.qpos[0] - truth.position[0, 1, 1, 0]) < 3e-3
    assert abs(data.qvel[0] - truth.velocity[0, 1, 1, 0]) < 5e-4


def test_a_box_slides_to_rest_as_in_another_engine() -> None:
    scene, edge, push = ThrowAndSlide(), 1.4, 2.5
    size = " ".join([str(edge / 2)] * 3)
    model, data = engine(f'<geom type="box" size="{size}" friction="{scene.friction} 0 0" priority="1"/>', 9.8, 1e-3)
    data.qpos[:3], data.qvel[0] = (1.5, edge / 2, 0.0), -push
    mujoco.mj_step(model, data, 2000)
    row = np.array([[0.8, 1.0, edge, push, 0, 0, 0, 0, 1.0, -1.0, 1.5, 0.0, -3.0]])
    truth = scene.simulate(row, np.array([0.0, 2.0]))
    assert abs(data.qpos[0] - truth.position[0, 1, 1, 0]) < 0.03
    assert abs(data.qvel[0]) < 0.01


def test_a_sphere_falls_as_in_another_engine() -> None:
    model, data = engine('<geom type="sphere" size="0.8"/>', 9.8, 1e-4)
    data.qpos[:3], data.qvel[0] = (-1.0, 2.8, 0.0), 1.2
    mujoco.mj_step(model, data, 6000)
    row = np.array([[0.8, 1.2, 1.4, 1.0, 0, 0, 0, 0, 2.0, -1.0, 1.5, 0.0, -3.0]])
    truth = ThrowAndSlide().simulate(row, np.array([0.6])).position[0, 0, 0]
    lag = 9.8 * 1e-4 * 0.6 / 2  # a step's new speed is used for the whole step
    assert np.abs(data.qpos[:2] - truth[:2]).max() < 2 * lag


@pytest.mark.parametrize("constant", ["gravity", "friction"])
def test_a_ground_without_hold_is_refused(staged: Scene, constant: str) -> None:
    with pytest.raises(BadInputError, match=constant):
        replace(staged, **{constant: 0.0})
