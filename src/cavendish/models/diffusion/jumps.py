"""Few steps that lose nothing: the network learns how far a whole jump along the flow goes (a flow map).

On a straight line the mean velocity from level t to level u, as a picture, is  x_hat = z + (1 - t) mean(z, t, u),
so a sampler steps with it as with any x_hat, and u = t is the plain question again. A jump is two jumps of half the way
(shortcut models, Frans et al. 2024, eq. 4; here every frame goes from its own t to its own u, all together), with
m = (t + u) / 2 and z' where the first of them leads:
    mean(z, t, u) = (mean(z, t, m) + mean(z', m, u)) / 2,     in pictures, with r = (u - t) / (1 - t),
    x_hat = (z + x_hat(z, t, m)) / 2 + (x_hat(z', m, u) - z') / (2 - r),     z' = z + r / 2 (x_hat(z, t, m) - z),
and both halves are what the network answers now, without gradient. The identity of Geng et al. (2025, MeanFlow), which
asks for the derivative along the line instead, destroyed small models by its noise (docs/log.md).
"""

from dataclasses import replace
from typing import TYPE_CHECKING, final

import torch
from jaxtyping import Float
from torch import Tensor, nn

from cavendish.models.diffusion.sampler import Answer
from cavendish.models.diffusion.tokens import Tokens, rowwise
from cavendish.models.world_model import Learner
from cavendish.video import Clip

if TYPE_CHECKING:
    from cavendish.models.diffusion.model import Diffusion


@final
class Jumps(Learner):
    """The second stage of a model that is to need few steps: the same network, asked for jumps as well."""

    def __init__(self, model: "Diffusion") -> None:
        super().__init__()
        self.model = model

    def loss(self, clip: Clip, generator: torch.Generator) -> tuple[Float[Tensor, ""], dict[str, float]]:
        """Return the error of jumps and of plain answers."""
        return self.model.loss_of((clip,), generator, jumping)

    def training_flops(self, clip: Clip) -> float:
        """Count two more forward passes than the model's own three."""
        return self.model.training_flops(clip) * 5 / 3

    def matrices(self) -> list[nn.Parameter]:
        """Return those of the model."""
        return self.model.matrices()


def jumping(answer: Answer, clean: Tokens, z: Tokens, generator: torch.Generator) -> tuple[Tokens, Tokens]:
    """Return a question and its answer: half of the clips plain, a quarter to the end, a quarter part of the way."""
    dice = torch.rand(2, len(z.clip_rows), generator=generator, device=generator.device)
    reach = torch.where(dice[0] < 0.5, 0.0, torch.where(dice[0] < 0.75, 1.0, dice[1]))
    asked = replace(z, until=z.level + _by_row(reach, z) * (1 - z.level))
    return asked, replace(clean, patch=aimed(answer, clean, asked))


@torch.no_grad()
def aimed(answer: Answer, clean: Tokens, asked: Tokens) -> Float[Tensor, "m p"]:
    """Return what a network that answers half jumps as it does should answer to this one; the picture if it is none."""
    assert asked.until is not None
    reach = (asked.until - asked.level) / (1 - asked.level).clamp(min=1e-6)  # of what is left
    numbers = asked.patch.dtype  # an answer may be in fewer digits
    first = asked.by_frame(answer(replace(asked, until=(asked.level + asked.until) / 2)).to(numbers))
    z, row = asked.by_frame(asked.patch), (reach[..., None],)
    there = rowwise(lambda z, first, reach: torch.lerp(z, first, reach / 2), asked.runs(0), (z, first), row)
    halfway = replace(asked, patch=there.flatten(1), level=(asked.level + asked.until) / 2)
    second = asked.by_frame(answer(halfway).to(numbers))

    def whole(x: Tensor, before: Tensor, there: Tensor, second: Tensor, reach: Tensor) -> Tensor:
        return torch.where(reach > 0, before + (second - there) / (2 - reach), x)

    parts = (asked.by_frame(clean.patch), (z + first) / 2, there, second)
    return rowwise(whole, asked.runs(0), parts, row).flatten(1)


def _by_row(value: Float[Tensor, " clip"], tokens: Tokens) -> Float[Tensor, "row 1"]:
    return value.repeat_interleave(torch.tensor(tokens.clip_rows, device=value.device))[:, None]
