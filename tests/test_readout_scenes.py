"""In every scene, the reader finds what the renderer drew."""

import numpy as np
import pytest

from cavendish.data import Picture, Split
from cavendish.motion import Drawing, Trajectory
from cavendish.readout import Reader
from cavendish.readout.perspective import lift
from cavendish.scenes.looks import in_view
from cavendish.scenes.scene import Scene

SIDE = 128
PIXEL = 10 / SIDE


def filmed(scene: Scene, region: str = "train") -> tuple[np.ndarray, Trajectory, Drawing]:
    """Film a few clips."""
    split = Split(scene, region, picture=Picture(SIDE, SIDE), flip=0.0 if scene.handed else 0.5)
    clip = split.clips(np.arange(12))
    assert clip.trajectory is not None
    return clip.frames.numpy(), clip.trajectory, scene.draw(clip.trajectory)


@pytest.mark.parametrize(("sigma", "allowed"), [(0, 0.03), (4, 0.06), (10, 0.15)])
def test_reader_finds_what_the_renderer_drew(scene: Scene, sigma: float, allowed: float) -> None:
    frames, truth, drawing = filmed(scene)
    if sigma:
        noise = np.random.default_rng(0).normal(0, sigma, frames.shape)
        frames = np.clip(frames + noise, 0, 255).round().astype(np.uint8)
    found, seen = Reader.of(drawing).read(frames, truth.time), in_view(drawing, PIXEL)
    error = (found.position - drawing.centre)[seen] / PIXEL
    assert seen.sum() > 100
    assert np.sqrt((error**2).mean()) <= allowed
    assert (found.confidence[seen] > 0.8).all()


def test_reader_knows_the_size(scene: Scene) -> None:
    frames, truth, drawing = filmed(scene)
    found = Reader.of(drawing).read(frames, truth.time)
    off = np.abs(found.radius / drawing.extent - 1)[in_view(drawing, PIXEL)]
    assert off.max() < 2e-3


def test_reader_finds_every_body_out_of_distribution(scene: Scene) -> None:
    for region in [region for region in scene.regions() if region.startswith("ood")]:
        frames, truth, drawing = filmed(scene, region)
        seen = in_view(drawing, PIXEL)
        error = (Reader.of(drawing).read(frames, truth.time).position - drawing.centre)[seen] / PIXEL
        assert np.sqrt((error**2).mean()) <= 0.03, region


def test_what_was_read_can_be_drawn_again(scene: Scene) -> None:
    frames, truth, drawing = filmed(scene)
    reading = lift(scene, truth, Reader.of(drawing).read(frames, scene.clock()))
    again = scene.draw(reading)
    assert np.array_equal(again.colour, drawing.colour)
    for mine, theirs in ((again.behind, drawing.behind), (again.front, drawing.front)):
        assert mine.corners.shape == theirs.corners.shape
        near = np.abs(mine.corners - theirs.corners)
        whole = in_view(drawing).all(-1)
        near = np.broadcast_to(near, (*whole.shape, *near.shape[-3:]))[whole]
        assert np.nanmax(near, initial=0.0) < 0.1
