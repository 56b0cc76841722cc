"""A split is a function: the same clip whoever asks, in whatever order, however many ask."""

import hashlib
import math
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import pytest

from cavendish.data import Picture, Split
from cavendish.data.media import clips_in, read_clip, write_clip
from cavendish.data.split import mirror
from cavendish.data.states import read_states, write_states
from cavendish.data.study_grid import (
    COLLISION_INSIDE,
    COLLISION_LARGE,
    COLLISION_MIXED,
    COLLISION_SMALL,
    INSIDE,
    OUTSIDE,
    study_grid,
    study_level,
)
from cavendish.errors import BadInputError, CorruptDataError
from cavendish.scenes import Collision, Parabola, UniformMotion
from cavendish.scenes.scene import Scene

SPLIT = Split(Collision(), size=3_000_000, picture=Picture(24, 24), flip=0.5)


def digest(index: int) -> str:
    """Hash everything about one clip."""
    clip = SPLIT[index]
    assert clip.trajectory is not None
    return hashlib.sha256(clip.frames.numpy().tobytes() + clip.trajectory.position.tobytes()).hexdigest()


def test_identical_bytes_for_any_order_and_number_of_workers() -> None:
    indices = [0, 17, 5, 2_999_999, 17, 123_456]
    alone = [digest(i) for i in indices]
    assert [digest(i) for i in reversed(indices)] == alone[::-1]
    for workers in (2, 4):
        with ThreadPoolExecutor(workers) as pool:
            assert list(pool.map(digest, indices)) == alone
    with get_context("spawn").Pool(2) as processes:
        assert processes.map(digest, indices[:3]) == alone[:3]


def test_a_batch_holds_the_same_clips_as_single_requests() -> None:
    batch = SPLIT.clips(np.array([3, 1]))
    assert np.array_equal(batch.frames[1], SPLIT[1].frames)


def test_shapes_and_units_are_as_promised(scene: Scene) -> None:
    clip = Split(scene, picture=Picture(16, 24))[17]
    assert clip.trajectory is not None
    assert clip.frames.shape == (scene.frames, 16, 24, 3)
    assert clip.trajectory.position.shape == (scene.frames, scene.bodies, scene.space)
    assert np.allclose(np.diff(clip.time), scene.step)


def test_regions_and_seeds_share_no_position(scene: Scene) -> None:
    drawn = [
        Split(scene, region, seed=seed).trajectories(np.arange(16)).position[:, 0].reshape(16, -1)
        for region, seed in (("train", 0), ("interpolation", 0), ("train", 1))
    ]
    assert len(np.unique(np.concatenate(drawn), axis=0)) == 48


def test_flips_mirror_about_the_middle_of_the_world() -> None:
    plain = Split(UniformMotion(), flip=0.0).trajectories(np.arange(50))
    flipped = Split(UniformMotion(), flip=1.0).trajectories(np.arange(50))
    assert np.allclose(flipped.position[..., 0], 10 - plain.position[..., 0])
    assert np.allclose(flipped.velocity[..., 0], -plain.velocity[..., 0])
    share = (Split(UniformMotion(), flip=0.5).trajectories(np.arange(400)).velocity[:, 0, 0, 0] < 0).mean()
    assert 0.4 < share < 0.6


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"size": 0}, "size"),
        ({"grid": (3, 4)}, "grid"),
        ({"grid": (1, 1, 1, 5)}, "grid"),
        ({"flip": 1.5}, "flip"),
        ({"seed": -1}, "seed"),
        ({"region": "trian"}, "trian"),
    ],
)
def test_a_split_that_cannot_be_is_refused(change: dict[str, object], named: str) -> None:
    with pytest.raises(BadInputError, match=named):
        replace(SPLIT, **change)


def test_the_study_grids_have_the_study_s_counts() -> None:
    for scene in (UniformMotion(), Parabola()):
        rng = np.random.default_rng(0)
        assert len(study_grid(scene, INSIDE, rng)) == 160
        outside = study_grid(scene, OUTSIDE, rng)
        assert len(outside) == 992
        assert (outside[:, 0] >= 0.6 - 1e-9).sum() == 712  # what its evaluator keeps
    with pytest.raises(BadInputError, match="2 axes, expected 4"):
        study_grid(Collision(), INSIDE, np.random.default_rng(0))


def test_the_study_s_collision_grids_have_its_counts() -> None:
    groups = {"inside": COLLISION_INSIDE, "small": COLLISION_SMALL, "large": COLLISION_LARGE, "mixed": COLLISION_MIXED}
    asked = {name: sum(math.prod(axis[2] for axis in group) for group in grid) for name, grid in groups.items()}
    assert asked == {"inside": 256, "small": 666, "large": 904, "mixed": 636}
    placed = {name: len(study_grid(Collision(), grid, np.random.default_rng(0))) for name, grid in groups.items()}
    assert all(0.5 * asked[name] < placed[name] <= asked[name] for name in groups), placed


@pytest.mark.parametrize(
    ("level", "one", "two"), [("30K", 3e4, 28_224), ("300K", 3e5, 329_476), ("3M", 3e6, 3_407_716)]
)
def test_the_study_s_levels_are_grids(level: str, one: int, two: int) -> None:
    for scene, size in ((UniformMotion(), one), (Parabola(), one), (Collision(), two)):
        split = study_level(scene, level)
        assert len(split) == size
        first, last = split.trajectories(np.array([0, len(split) - 1])).factors
        ranged = [factor for factor in scene.factors if factor.ranges]
        assert np.array_equal(first[: len(ranged)], [factor.intervals("train")[0][0] for factor in ranged])
        if scene.bodies == 1:
            assert np.array_equal(last[: len(ranged)], [factor.intervals("train")[0][1] for factor in ranged])


def test_a_grid_holds_every_point_once_and_no_position_twice() -> None:
    split = Split(UniformMotion(), size=60, grid=(6, 10))
    factors = split.trajectories(np.arange(60)).factors
    assert len(np.unique(factors[:, :2], axis=0)) == 60
    assert np.array_equal(np.unique(factors[:, 0]), np.linspace(0.7, 1.4, 6))
    assert len(np.unique(factors[:, 2:])) == 120
    asked = Split(UniformMotion(), "interpolation", 60, grid=(6, 10)).trajectories(np.arange(60)).factors
    assert not np.isin(asked[:, 2:], factors[:, 2:]).any()


def test_a_point_without_a_place_becomes_a_free_draw() -> None:
    split = Split(Collision(), "train", 1, grid=(1, 1, 1, 1))
    assert split.trajectories(np.array([0])).factors.shape == (1, 7)
    crowded = study_level(Collision(), "30K")
    rows = crowded.trajectories(np.arange(28_000, 28_200)).factors
    grid = np.isin(rows[:, 0], np.linspace(0.5, 1.5, 8)) & np.isin(rows[:, 2], np.linspace(1, 4, 21))
    assert 0 < (~grid).sum() < 200


@pytest.mark.parametrize("kind", ["mp4", "gif", "png"])
def test_films_come_back_as_they_were(kind: str, tmp_path: Path) -> None:
    frames = Split(UniformMotion(), picture=Picture(32, 32))[4].frames.numpy()
    path = write_clip(frames, tmp_path / "clip_0001", kind, 10.0)
    assert clips_in(tmp_path) == [path]
    assert np.array_equal(read_clip(path), frames)


@pytest.mark.parametrize("kind", ["mp4", "gif", "png"])
def test_a_still_moment_is_not_lost(kind: str, tmp_path: Path) -> None:
    frames = Split(UniformMotion(), picture=Picture(32, 32))[4].frames.numpy()[[0, 1, 1, 1, 2, 3, 3]]
    assert np.array_equal(read_clip(write_clip(frames, tmp_path / "clip", kind, 10.0)), frames)


def test_clips_are_listed_in_natural_order(tmp_path: Path) -> None:
    for number in (10, 2, 1):
        (tmp_path / f"clip{number}.mp4").touch()
    assert [path.stem for path in clips_in(tmp_path)] == ["clip1", "clip2", "clip10"]


def test_damaged_films_and_states_are_refused_by_name(tmp_path: Path) -> None:
    (tmp_path / "bad.mp4").write_bytes(b"not a film")
    with pytest.raises(CorruptDataError, match=r"bad\.mp4"):
        read_clip(tmp_path / "bad.mp4")
    (tmp_path / "empty").mkdir()
    with pytest.raises(BadInputError, match="no clips"):
        clips_in(tmp_path / "empty")
    truth = Split(UniformMotion()).trajectories(np.arange(3))
    write_states(tmp_path / "states.npz", truth, UniformMotion())
    assert np.array_equal(read_states(tmp_path / "states.npz").position, truth.position)
    whole = (tmp_path / "states.npz").read_bytes()
    (tmp_path / "states.npz").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(CorruptDataError, match=r"states\.npz"):
        read_states(tmp_path / "states.npz")


def test_angles_are_stored_and_mirrored_where_bodies_turn(tmp_path: Path) -> None:
    truth = Split(UniformMotion()).trajectories(np.arange(3))
    turning = replace(truth, angle=np.random.default_rng(0).uniform(-3, 3, truth.radius.shape))
    write_states(tmp_path / "states.npz", turning, UniformMotion())
    assert np.array_equal(read_states(tmp_path / "states.npz").angle, turning.angle)
    assert read_states(tmp_path / "states.npz")[1:].angle.shape[0] == 2
    mirrored = mirror(turning, 10.0, np.array([True, False, True]))
    assert np.array_equal(mirrored.angle[::2], -turning.angle[::2])
    assert np.array_equal(mirrored.angle[1], turning.angle[1])
    write_states(tmp_path / "still.npz", truth, UniformMotion())
    assert read_states(tmp_path / "still.npz").angle is None
