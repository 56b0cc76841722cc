"""A model without pixels among models that have them: what a probe reads out of its dream is drawn.

    dream -> features -> probe, taught on true films of the training region alone -> metres -> the scene's own drawing.
So every measurement, control and page takes it as it takes any other; its oracle is the true film seen through the
same eyes, features and probe, whose error is the ruler's. What the probe calls lost is not drawn.
"""

from dataclasses import replace
from typing import Protocol, final, runtime_checkable

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from cavendish.data import Split
from cavendish.measure.featured import FeatureReader, learn_to_read
from cavendish.measure.surprise import Surprised
from cavendish.readout import choose_curved_probe
from cavendish.render import render
from cavendish.scenes import Scene
from cavendish.studies.controls import Dreamer
from cavendish.video import Clip, Imagined

LESSONS = 400  # true clips that teach the probe


@runtime_checkable
class Judged(Dreamer, Surprised, Protocol):
    """Anything that dreams, is surprised and has features; every world model is one."""

    def encode(self, clip: Clip) -> Float[Tensor, "b t k"]:
        """Return features of each frame that depend on no later frame."""


@final
class Sighted:
    """A model without pixels, and the reader that tells what it dreams."""

    def __init__(self, scene: Scene, model: Judged, reader: FeatureReader) -> None:
        self.scene, self.model, self.reader = scene, model, reader

    def imagine(self, context: Clip, horizon: int, generator: torch.Generator) -> Imagined:
        """Dream, read the dream, and draw what was read."""
        return self.drawn(self.model.imagine(context, horizon, generator), context)

    def surprise(self, clip: Clip, generator: torch.Generator) -> Float[Tensor, "b t"]:
        """Be surprised as the model is."""
        return self.model.surprise(clip, generator)

    def encode(self, clip: Clip) -> Float[Tensor, "b t k"]:
        """See as the model does."""
        return self.model.encode(clip)

    def drawn(self, imagined: Imagined, context: Clip) -> Imagined:
        """Draw what the reader finds in features, behind the given frames."""
        assert imagined.features is not None
        found = self.reader.read(imagined.features.double().cpu().numpy(), imagined.time.double().cpu().numpy())
        frames = torch.from_numpy(render(self.scene.draw(found), *context.frames.shape[-3:-1]))
        frames[:, : imagined.context] = context.frames.cpu()
        return replace(imagined, frames=frames, features=None)


@final
class Retold:
    """Another dreamer's film, seen through a model's eyes and read by its reader."""

    def __init__(self, eyes: Sighted, dreamer: Dreamer) -> None:
        self.eyes, self.dreamer = eyes, dreamer

    def imagine(self, context: Clip, horizon: int, generator: torch.Generator) -> Imagined:
        """Dream as the other does, and tell it as the model would."""
        film = self.dreamer.imagine(context, horizon, generator)
        features = self.eyes.encode(Clip(film.film, film.time, film.world))
        return self.eyes.drawn(replace(film, frames=None, features=features), context)


def sighted(split: Split, model: Judged) -> Judged:
    """Return a model that dreams frames: itself, or one without pixels made visible."""
    probing = split.clips(np.array([0])).first(split.scene.context)
    if model.imagine(probing, 1, torch.Generator().manual_seed(0)).frames is not None:
        return model
    return Sighted(split.scene, model, learn_to_read(split, model, LESSONS, choose_curved_probe))
