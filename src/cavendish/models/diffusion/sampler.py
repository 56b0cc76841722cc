"""One sampler for every prompt: walk a table of noise levels, steps x frames, from noise to frames.

A step moves every frame along the flow from its level to the next row's, on a straight line
    z' = z + (level' - level) (x_hat - z) / (1 - level),
and a frame whose level does not rise stays: given frames have level 1 from the start. What is given inside a patch
that is not is laid back at the new level after every step (replacement; Lugmayr et al. 2022, RePaint).
Guidance (Ho & Salimans 2022, eq. 6; by history: Song et al. 2025, DFoT, eq. 5) adds what a caption or the past changed:
    x_hat = x + (text - 1) (x - x without words) + (history - 1) (x - x with the given frames as noise).
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import final

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from cavendish.errors import BadInputError
from cavendish.models.diffusion.flow import AnyFlow, Straight
from cavendish.models.diffusion.objective import noised
from cavendish.models.diffusion.tokens import Tokens, rowwise

MOST_STEPS = 10_000  # of a dream
Answer = Callable[[Tokens], Float[Tensor, "m p"]]


@final
@dataclass(frozen=True)
class Sampling:
    """How one dream is made: denoising steps, and the strength of guidance (1: none)."""

    steps: int = 1
    text: float = 1.0
    history: float = 1.0

    def __post_init__(self) -> None:
        """Refuse what leads nowhere."""
        if not (1 <= self.steps <= MOST_STEPS and 0.0 <= self.text <= 100.0 and 0.0 <= self.history <= 100.0):
            raise BadInputError(f"{self}: expected 1 to {MOST_STEPS} steps and guidance between 0 and 100")


@dataclass(frozen=True)
class Path:
    """The way from noise: the clean values where they are known, and the levels before and after every step."""

    clean: Tokens  # with the level that every frame starts from
    levels: tuple[Float[Tensor, "row tubelet"], ...]  # after every step
    kept: Bool[Tensor, "m p"] | None = None  # values to be laid back
    flow: AnyFlow = field(default_factory=Straight)


@torch.no_grad()
def walk(answer: Answer, path: Path, generator: torch.Generator) -> Tokens:
    """Walk a path with what a denoiser answers."""
    z = noised(path.clean, generator, path.flow)
    for following in path.levels:
        z = stepped(z, answer(replace(z, until=following)), following, path.flow)
        if path.kept is not None:
            held = noised(replace(path.clean, level=following), generator, path.flow)
            z = replace(z, patch=torch.where(path.kept, held.patch, z.patch))
    return z


def guided(answer: Answer, sampling: Sampling, generator: torch.Generator) -> Answer:
    """Strengthen what captions and given frames do to an answer; without guidance, the answer itself."""

    def strengthened(z: Tokens) -> Float[Tensor, "m p"]:
        x = told = answer(z)
        if sampling.text != 1.0 and z.words is not None:
            x = x + (sampling.text - 1) * (told - answer(replace(z, words=None)))
        given = z.level == 1.0
        if sampling.history != 1.0 and given.any():
            lost = noised(replace(z, level=1 - given.float()), generator)
            blind = replace(lost, level=torch.where(given, 0.0, z.level))
            x = x + (sampling.history - 1) * (told - answer(blind))
        return x

    return answer if sampling.text == sampling.history == 1.0 else strengthened


def stepped(z: Tokens, x_hat: Float[Tensor, "s p"], following: Float[Tensor, "row tubelet"], flow: AnyFlow) -> Tokens:
    """Move every frame from its level to the following one; what does not rise stays."""
    values, levels = (z.by_frame(z.patch), z.by_frame(x_hat)), (z.level[..., None], following[..., None])
    moved = rowwise(flow.moved, z.runs(0), values, levels)
    return replace(z, patch=moved.flatten(1), level=following)
