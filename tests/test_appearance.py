"""A body that changes its colour or its shape, and a camera that moves, are told from those that do not."""

from dataclasses import replace

import numpy as np
import pytest

from cavendish.data import Picture, Split
from cavendish.measure.appearance import appearance_scores, camera_motion, has_fixed_scenery
from cavendish.motion import Shape
from cavendish.readout import Reader
from cavendish.render import render
from cavendish.scenes import Collision, Incline, Occlusion, Scene, UniformMotion

GROUND = np.full(3, 255, np.uint8)


def filmed(scene: Scene, count: int = 8, side: int = 64) -> tuple:
    """Film clips and read them."""
    clip = Split(scene, "interpolation", picture=Picture(side, side)).clips(np.arange(count))
    frames = clip.frames.numpy()
    return frames, Reader.of(scene.draw(clip.trajectory)).read(frames, clip.trajectory.time), clip.trajectory


@pytest.mark.parametrize("scene", [UniformMotion(), Collision(), Occlusion()], ids=lambda s: s.name())
@pytest.mark.parametrize("noise", [0.0, 5.0])
def test_true_films_keep_colours_and_shapes(scene: Scene, noise: float) -> None:
    frames, seen, _ = filmed(scene)
    noisy = frames + np.random.default_rng(0).normal(0, noise, frames.shape)
    colour, shape = appearance_scores(scene, seen, scene.world, noisy.clip(0, 255).astype(np.uint8), GROUND)
    assert colour.n == shape.n >= 6
    assert colour.value < 1 + noise / 2
    assert shape.value < 0.02


def test_a_change_of_colour_grows_with_its_size() -> None:
    scene = UniformMotion()
    frames, seen, _ = filmed(scene)
    drifts = []
    for size in (10, 25, 50, 100, 200):
        tint = np.linspace(0, size, frames.shape[1])[:, None, None]
        dyed = frames.astype(float)
        dyed[..., 2] += tint * (frames[..., 1] < 128)  # red turns to magenta
        drifts.append(appearance_scores(scene, seen, scene.world, dyed.clip(0, 255).astype(np.uint8), GROUND)[0].value)
    assert np.all(np.diff(drifts) > 0)
    assert drifts[-1] > 100  # of the 200 over the whole film


def test_a_disc_that_ends_as_a_square_has_changed_its_shape_by_a_twentieth() -> None:
    scene = UniformMotion()
    frames, seen, truth = filmed(scene)
    drawing = scene.draw(truth)
    corners = np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]]) * np.sqrt(np.pi) / 2
    square = replace(
        drawing, shape=np.array([Shape.POLYGON]), outline=corners[None], angle=np.zeros(truth.radius.shape)
    )
    changed = np.concatenate([frames[:, :8], render(square, 64, 64)[:, 8:]], 1)
    shape = appearance_scores(scene, seen, scene.world, changed, GROUND)[1]
    assert shape.value == pytest.approx(np.pi / 3 - 1, abs=0.01)


def test_the_camera_is_seen_to_move_by_its_scenery_alone() -> None:
    scene = Incline()
    frames, seen, truth = filmed(scene, 4)
    assert has_fixed_scenery(scene.draw(truth))
    assert not has_fixed_scenery(UniformMotion().draw(truth))
    assert camera_motion(frames, seen, scene.world).value == 0.0
    rng, moved = np.random.default_rng(0), frames.copy()
    backdrop = rng.integers(0, 256, (80, 80, 3))
    for k in range(frames.shape[1]):
        step = k * 8 // (frames.shape[1] - 1)
        body = frames[:, k, ..., :1] < 250
        moved[:, k] = np.where(body, frames[:, k], backdrop[step : 64 + step, :64])
    assert camera_motion(moved, seen, scene.world).value == pytest.approx(8 * 10 / 64, abs=0.01)
    plain, tracks, _ = filmed(UniformMotion(), 4)
    assert camera_motion(plain, tracks, UniformMotion().world).n == 0
    noisy = (plain - rng.integers(0, 12, plain.shape)).clip(0, 255).astype(np.uint8)
    assert camera_motion(noisy, tracks, UniformMotion().world).n == 0
