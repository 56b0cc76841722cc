"""What every world model promises: it owns its loss, its imagination and its surprise.

One training loop, one imagine call and one measuring instrument serve every kind of model,
because they know nothing but this interface.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

import torch
from jaxtyping import Float
from torch import Tensor, nn

from cavendish.video import Clip, Imagined


@contextmanager
def parameters_from(generator: torch.Generator) -> Iterator[None]:
    """Let fresh parameters be drawn from a generator; the process's own random state stays as it was."""
    with torch.random.fork_rng(devices=[]):
        torch.random.set_rng_state(generator.get_state())
        yield


class Learner(nn.Module, ABC):
    """What the training loop needs of a part that it trains: a loss and its price."""

    @abstractmethod
    def loss(self, clip: Clip, generator: torch.Generator) -> tuple[Float[Tensor, ""], dict[str, float]]:
        """Return the training loss of a batch and the figures worth logging beside it."""

    def loss_together(
        self, clips: Sequence[Clip], generator: torch.Generator
    ) -> tuple[Float[Tensor, ""], dict[str, float]]:
        """Return the loss of batches of several kinds; by default the mean over clips of each kind's own."""
        answers = [self.loss(clip, generator) for clip in clips]
        counts = [len(clip.frames) / sum(len(other.frames) for other in clips) for clip in clips]
        losses = [loss * count for (loss, _), count in zip(answers, counts, strict=True)]
        return torch.stack(losses).sum(), answers[0][1]

    @abstractmethod
    def training_flops(self, clip: Clip) -> float:
        """Count the floating-point operations of one forward and backward pass (a multiply-add is 2)."""

    @property
    def judges_batches(self) -> bool:
        """Tell whether the loss judges a batch as a whole: that of two halves is then no mean of theirs."""
        return False

    def matrices(self) -> list[nn.Parameter]:
        """Return the weight matrices inside blocks, which Muon may make orthogonal; none by default."""
        return []


@dataclass(frozen=True)
class Pace:
    """How a stage differs from the whole training: factors of its steps, its batch and its rate."""

    steps: float = 1.0
    batch: float = 1.0
    rate: float = 1.0


@dataclass(frozen=True)
class Stage:
    """A part of a model that is trained by itself, the name under which its log appears, and its pace."""

    name: str
    module: Learner
    pace: Pace = field(default_factory=Pace)


class WorldModel(Learner):
    """A model that learns from clips and continues them."""

    @abstractmethod
    def imagine(self, context: Clip, horizon: int, generator: torch.Generator) -> Imagined:
        """Continue every clip of a batch by `horizon` frames at the context's own frame rate."""

    @abstractmethod
    def surprise(self, clip: Clip, generator: torch.Generator) -> Float[Tensor, "b t"]:
        """Return how badly each frame fits what the model expects; larger is stranger."""

    @abstractmethod
    def encode(self, clip: Clip) -> Float[Tensor, "b t k"]:
        """Return features of each frame that depend on no later frame."""

    def stages(self) -> Iterator[Stage]:
        """Yield the parts to train in order; by default the model itself, in one go."""
        yield Stage("model", self)
