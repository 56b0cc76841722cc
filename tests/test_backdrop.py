"""A distracting background hides neither the ball nor the truth, and is a pure function of the clip."""

from dataclasses import replace

import numpy as np
import pytest

from cavendish.codec import from_json, to_json
from cavendish.data import Backdrop, Picture, Split
from cavendish.errors import BadInputError
from cavendish.readout import Reader
from cavendish.render import render
from cavendish.render.colour import LIGHT_OF_BYTE
from cavendish.scenes import Occlusion, UniformMotion
from cavendish.scenes.looks import in_view
from cavendish.scenes.scene import Scene

SIDE = 128
BOTH = Backdrop(noise=0.05, drift=0.1)


def distracted(scene: Scene, backdrop: Backdrop, count: int = 6) -> tuple[float, float]:
    """Return the reader's rms error in pixels and the share of bodies that it lost, over bodies in full view."""
    clip = Split(scene, picture=Picture(SIDE, SIDE, backdrop)).clips(np.arange(count))
    truth = clip.trajectory
    assert truth is not None
    drawing = scene.draw(truth)
    found = Reader.of(backdrop.seen(drawing)).read(clip.frames.numpy(), truth.time)
    seen = in_view(drawing, 10 / SIDE)
    lost = found.lost[seen].mean()
    return float(np.sqrt(np.nanmean((found.position - drawing.centre)[seen] ** 2)) * SIDE / 10), float(lost)


def test_the_reader_finds_every_body_before_a_backdrop(scene: Scene) -> None:
    error, lost = distracted(scene, BOTH)
    print(f"{scene.name()}: {error:.3f} px rms, {100 * lost:.2f} % lost")
    assert error <= 0.15
    assert lost <= 0.01


def test_the_same_clip_has_the_same_backdrop_whoever_asks() -> None:
    split = Split(UniformMotion(), size=50, picture=Picture(32, 32, BOTH))
    batch = split.clips(np.array([7, 3, 7])).frames.numpy()
    assert np.array_equal(batch[0], batch[2])
    assert np.array_equal(batch[1], split[3].frames.numpy())
    for other in (replace(split, seed=1), replace(split, picture=Picture(32, 32, replace(BOTH, seed=1)))):
        assert not np.array_equal(other[3].frames, split[3].frames)


def test_truth_and_bodies_are_untouched() -> None:
    plain = Split(Occlusion(), picture=Picture(48, 48))
    noisy = replace(plain, picture=Picture(48, 48, BOTH))
    one, two = plain[5], noisy[5]
    assert one.trajectory is not None
    assert two.trajectory is not None
    assert np.array_equal(one.trajectory.position, two.trajectory.position)
    clear, disturbed = one.frames.numpy(), two.frames.numpy()
    body = (clear == (255, 0, 0)).all(-1)
    screen = (clear == (128, 128, 128)).all(-1)
    assert body.sum() > 100
    assert np.array_equal(clear[body | screen], disturbed[body | screen])
    assert (clear != disturbed)[~body & ~screen].mean() > 0.9


def test_light_stays_in_the_promised_range() -> None:
    drawing = UniformMotion().draw(Split(UniformMotion()).trajectories(np.arange(1)))
    empty = replace(drawing, centre=np.full_like(drawing.centre, np.nan))
    frames = BOTH.behind(empty, render(empty, 64, 64), UniformMotion.clock(), [(0, 0)])
    light = LIGHT_OF_BYTE[frames]
    assert light.min() > 1 - 0.15 - 0.01
    assert np.ptp(frames, axis=-1).max() == 0  # grey
    assert np.ptp(light) > 0.08


def test_waves_drift_and_texture_flickers() -> None:
    """The waves of a clip can be foretold, the texture cannot: neighbouring frames tell them apart."""
    drawing = UniformMotion().draw(Split(UniformMotion()).trajectories(np.arange(1)))
    empty = replace(drawing, centre=np.full_like(drawing.centre, np.nan))
    white, clock = render(empty, 64, 64), UniformMotion.clock()
    for backdrop, low, high in ((Backdrop(drift=0.3), 0.8, 1.0), (Backdrop(noise=0.3), -0.1, 0.1)):
        film = LIGHT_OF_BYTE[backdrop.behind(empty, white, clock, [(0, 0)])][0, ..., 0]
        film = film - film.mean()
        alike = (film[1:] * film[:-1]).mean() / (film**2).mean()
        assert low < alike <= high


def test_a_backdrop_is_a_frozen_value_that_can_be_stored() -> None:
    split = Split(UniformMotion(), picture=Picture(16, 16, BOTH))
    assert from_json(Split, to_json(split)) == split


@pytest.mark.parametrize(
    ("change", "named"), [({"noise": -0.1}, "noise"), ({"drift": 1.2}, "drift"), ({"seed": -1}, "seed")]
)
def test_impossible_backdrops_are_refused(change: dict[str, float], named: str) -> None:
    with pytest.raises(BadInputError, match=named):
        replace(BOTH, **change)
