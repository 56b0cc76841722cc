"""The true simulator as a played world: the control beside a model, and a world that anyone can play itself.

A place remembers the factors of a clip that begins there, and a press plays that clip for one frame,
    place_{k+1} = resume(simulate(place_k, (0, step), button)),
so chance and temperature change nothing. A beginning from a split carries its true state; of any other picture the
reader says where the bodies are and how large, and they are taken to rest. That is only possible where bodies are all
of the state (`Playable.seen_whole`).
"""

from dataclasses import dataclass, replace
from typing import final

import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from cavendish.data import Picture, Split
from cavendish.errors import BadInputError
from cavendish.models.playing import Place, PlayedWorld
from cavendish.readout import Reader
from cavendish.render import render
from cavendish.scenes import Playable

State = Float[np.ndarray, "1 f"]


@final
@dataclass(frozen=True)
class Beginning:
    """A picture, or a short film, from which somebody plays on."""

    frames: UInt8[Tensor, "t h w c"]  # sRGB
    state: State | None = None  # the true state at its end, where it is known


def beginning(split: Split, index: int) -> Beginning:
    """Take the context of a clip of a playable scene, with the state in which it ends."""
    scene = split.scene
    if not isinstance(scene, Playable):
        raise BadInputError(f"{scene.name()} has no buttons, expected a playable scene")
    clip, given = split[index % split.size], slice(scene.context)
    assert clip.actions is not None
    actions = clip.actions.double().numpy()[None, given]
    moving = scene.simulate(clip.truth.factors[None], scene.clock()[given], actions)
    return Beginning(clip.frames[given], scene.resume(moving))


@final
class Simulated(PlayedWorld[State]):
    """A playable scene, filmed at one size."""

    def __init__(self, scene: Playable, picture: Picture) -> None:
        self.scene, self.picture = scene, picture
        factors = scene.sample("train", np.random.default_rng(0))[None]
        self.reader = Reader.of(scene.draw(scene.simulate(factors, scene.clock()[:1])))

    @property
    def buttons(self) -> int:
        """Return how many buttons there are."""
        return len(self.scene.controls)

    @property
    def size(self) -> tuple[int, int]:
        """Return the height and width of its frames in pixels."""
        return self.picture.height, self.picture.width

    def enter(self, frames: UInt8[Tensor, "t h w c"]) -> Place[State]:
        """Begin with the bodies that are seen in the last frame, at rest."""
        scene = self.scene
        if not scene.seen_whole:
            raise BadInputError(f"{scene.name()}: a picture does not show all of the state, expected a true beginning")
        seen = self.reader.read(frames[None, -1:].numpy(), scene.clock()[:1])
        if seen.lost.any():
            raise BadInputError(f"{int(seen.lost.sum())} of {seen.lost.size} bodies are not found in the picture")
        edge = np.array([scene.world.width, scene.world.height]) - seen.radius[..., None]
        inside = np.clip(seen.position, seen.radius[..., None], edge)
        return self.stand(scene.resume(replace(seen, position=inside, velocity=np.zeros_like(inside))))

    def stand(self, state: State) -> Place[State]:
        """Film a state; raise BadInputError if the scene cannot be in it."""
        moving = self.scene.simulate(state, self.scene.clock()[:1])
        return Place(torch.from_numpy(render(self.scene.draw(moving), *self.size)[0, -1]), state)

    def press(self, place: Place[State], button: int, temperature: float, generator: torch.Generator) -> Place[State]:
        """Hold a button until the next frame."""
        actions = np.array([[[float(button)], [0.0]]])
        return self.stand(self.scene.resume(self.scene.simulate(place.memory, self.scene.clock()[:2], actions)))
