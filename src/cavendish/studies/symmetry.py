"""Ask a model the same question from another place, in a mirror, on its side, from a moving train."""

import numpy as np
import torch

from cavendish.data import Split
from cavendish.measure.score import Score
from cavendish.measure.symmetry import equivariance, symmetries
from cavendish.motion import Trajectory
from cavendish.render import render
from cavendish.scenes import Scene
from cavendish.scenes.looks import in_view
from cavendish.studies.controls import Dreamer, reader_of
from cavendish.training import seeded
from cavendish.video import Clip


def weigh_symmetries(split: Split, model: Dreamer, clips: int) -> tuple[Score, ...]:
    """Return the equivariance error of a model for every symmetry of the scene's law."""
    scene = split.scene
    truth = split.trajectories(np.arange(clips))
    scores = []
    for symmetry in symmetries(scene):
        moved = symmetry.move(scene, truth)
        asked = _in_view(scene, truth) & _in_view(scene, moved)
        if asked.any():
            answers = [_imagine(split, model, moving[np.flatnonzero(asked)]) for moving in (truth, moved)]
            scores.append(equivariance(scene, symmetry, *answers))
    return tuple(scores)


def _in_view(scene: Scene, truth: Trajectory) -> "np.ndarray[tuple[int], np.dtype[np.bool_]]":
    """Tell which contexts are wholly in view, so that a moved one hides nothing that the other shows."""
    return np.asarray(in_view(scene.draw(truth))[:, : scene.context].all((1, 2)))


def _imagine(split: Split, model: Dreamer, truth: Trajectory) -> Trajectory:
    scene = split.scene
    frames = torch.from_numpy(render(scene.draw(truth), split.picture.height, split.picture.width))
    clip = Clip(frames, torch.from_numpy(truth.time).float(), scene.world)
    imagined = model.imagine(clip.first(scene.context), scene.frames - scene.context, seeded(split.seed))
    return reader_of(split).read(imagined.film.numpy(), truth.time)
