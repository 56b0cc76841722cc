"""The reader finds what the renderer drew, says how sure it is, and never invents."""

import numpy as np
import pytest

from cavendish.data import Picture, Split
from cavendish.errors import BadInputError
from cavendish.motion import Trajectory, World
from cavendish.readout import Reader
from cavendish.scenes import Collision, UniformMotion
from cavendish.scenes.scene import Scene

WHITE = np.array([255, 255, 255], np.uint8)
RED_BLUE = np.array([[255, 0, 0], [0, 0, 255]], np.uint8)


def filmed(scene: Scene, side: int, count: int = 12) -> tuple[np.ndarray, Trajectory, Reader]:
    """Film a few training clips."""
    clip = Split(scene, picture=Picture(side, side), flip=0.5).clips(np.arange(count))
    assert clip.trajectory is not None
    return clip.frames.numpy(), clip.trajectory, Reader.of(scene.draw(clip.trajectory))


def visible(truth: Trajectory, share: float = 1.0) -> np.ndarray:
    """Mark bodies of which at least about `share` of the radius lies inside, with all others inside too."""
    x, r = truth.position[..., 0], truth.radius * share
    y = truth.position[..., 1]
    inside = (x - r > 0) & (x + r < 10) & (y - r > 0) & (y + r < 10)
    return inside & inside.all(-1, keepdims=True)


def test_reader_finds_a_ball_that_the_frame_cuts_off() -> None:
    frames, truth, reader = filmed(UniformMotion(), 64, 40)
    found = reader.read(frames, truth.time)
    cut = visible(truth, -0.3) & ~visible(truth)
    assert cut.sum() > 50
    assert np.abs(found.position - truth.position)[cut].max() < 0.02


@pytest.mark.parametrize(("side", "allowed"), [(256, 0.0005), (128, 0.002)])
def test_ruler_floor_of_velocity(side: int, allowed: float) -> None:
    frames, truth, reader = filmed(UniformMotion(), side, 30)
    found = reader.read(frames, truth.time)
    speed = np.diff(found.position[..., 0], axis=1) / 0.1
    inside = visible(truth)
    both = inside[:, 1:] & inside[:, :-1]
    assert np.abs(speed - truth.velocity[:, 1:, :, 0])[both].mean() <= allowed


def test_faint_haze_does_not_move_the_ball() -> None:
    frames, truth, reader = filmed(UniformMotion(), 64)
    haze = frames.astype(float)
    haze[..., 1:] -= np.linspace(0, 20, 64)[:, None]  # reddish, stronger to the right
    found = reader.read(haze.clip(0, 255).astype(np.uint8), truth.time)
    assert np.abs(found.position - truth.position)[visible(truth)].max() < 0.05


def test_a_second_red_speck_does_not_move_the_ball() -> None:
    frames, truth, reader = filmed(UniformMotion(), 64)
    frames[:, :, :3, :3] = (255, 0, 0)
    found = reader.read(frames, truth.time)
    far = visible(truth) & (np.linalg.norm(truth.position - [0, 10], axis=-1) > 4)
    assert np.abs(found.position - truth.position)[far].max() < 0.02
    assert found.confidence[far].max() < 1.0


@pytest.mark.parametrize("value", [255, 128, 64])
def test_a_frame_without_the_colours_is_lost(value: int) -> None:
    grey = np.full((5, 32, 32, 3), value, np.uint8)
    for colours in (RED_BLUE, RED_BLUE[:1]):
        found = Reader(colours, WHITE, World()).read(grey, np.arange(5) * 0.1)
        assert found.lost.all()
        assert (found.confidence == 0).all()


def test_a_grey_ball_is_not_a_red_one() -> None:
    frames, truth, reader = filmed(UniformMotion(), 64)
    frames[:] = frames.mean(-1, keepdims=True).astype(np.uint8)
    assert reader.read(frames, truth.time).lost.all()


def test_each_colour_is_its_own_body() -> None:
    frames, truth, reader = filmed(Collision(), 64)
    swapped = reader.read(frames[..., ::-1].copy(), truth.time)  # red <-> blue
    error = np.abs(swapped.position[:, :, ::-1] - truth.position)[visible(truth)]
    assert error.max() < 0.02


@pytest.mark.parametrize(
    ("frames", "named"),
    [
        (np.zeros((3, 8, 8, 3), np.float32), "uint8"),
        (np.zeros((3, 8, 8), np.uint8), "uint8"),
        (np.zeros((4, 8, 8, 3), np.uint8), "instants"),
    ],
)
def test_frames_of_the_wrong_kind_are_refused(frames: np.ndarray, named: str) -> None:
    with pytest.raises(BadInputError, match=named):
        Reader(RED_BLUE, WHITE, World()).read(frames, np.arange(3) * 0.1)


def test_colours_that_cannot_be_told_apart_are_refused() -> None:
    same = np.array([[255, 0, 0], [255, 0, 0]], np.uint8)
    with pytest.raises(BadInputError, match="told apart"):
        Reader(same, WHITE, World()).read(np.zeros((1, 8, 8, 3), np.uint8), np.zeros(1))
