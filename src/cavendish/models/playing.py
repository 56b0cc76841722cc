"""What a world that somebody plays promises, whether a model dreams it or a simulator computes it.

A place is all that the future depends on: the frame that is seen and whatever the world remembers. Pressing a
button makes a new place and leaves the old one as it was,
    place_{k+1} = press(place_k, button),
so that undoing is going back to an earlier value, and any number of players share one world.
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Generic, TypeVar

import torch
from jaxtyping import UInt8
from torch import Tensor

M = TypeVar("M")


@dataclass(frozen=True)
class Place(Generic[M]):
    """Where a player is."""

    frame: UInt8[Tensor, "h w c"]  # sRGB
    memory: M  # of the world's own kind; never changed after it was made


class PlayedWorld(ABC, Generic[M]):
    """A world with buttons."""

    @property
    @abstractmethod
    def buttons(self) -> int:
        """Return how many buttons there are; what they do may be unknown."""

    @property
    @abstractmethod
    def size(self) -> tuple[int, int]:
        """Return the height and width of its frames in pixels."""

    @abstractmethod
    def enter(self, frames: UInt8[Tensor, "t h w c"]) -> Place[M]:
        """Begin where the given frames end; one is enough."""

    @abstractmethod
    def press(self, place: Place[M], button: int, temperature: float, generator: torch.Generator) -> Place[M]:
        """Return the place one frame later; temperature 0 takes the likeliest answer."""
