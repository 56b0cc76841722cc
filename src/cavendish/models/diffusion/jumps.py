"""Few steps that lose nothing: the network learns how far a whole jump along the flow goes (a flow map).

On a straight line the mean velocity from level t to level u, as a picture, is  x_hat = z + (1 - t) mean(z, t, u),
so a sampler steps with it as with any x_hat, and u = t is the plain question again. The mean velocity obeys (MeanFlow,
Geng et al. 2025, eq. 6; here every frame goes from its own t to its own u together, t(k) = t + k (u - t))
    mean = velocity + d mean / dk  at k = 0,     so the network is asked for  x + (1 - t) d mean / dk,
whose derivative is taken along the line by central differences (k = -EPS, EPS) of two more answers without gradient:
forward-mode derivatives do not pass through fused attention. A clip with frames of pure noise has no k < 0: one side.
"""

from dataclasses import replace
from typing import TYPE_CHECKING, final

import torch
from jaxtyping import Float
from torch import Tensor, nn

from cavendish.models.diffusion.flow import FLOOR
from cavendish.models.diffusion.sampler import Answer
from cavendish.models.diffusion.tokens import Tokens, rowwise
from cavendish.models.world_model import Learner
from cavendish.video import Clip

if TYPE_CHECKING:
    from cavendish.models.diffusion.model import Diffusion

EPS = 0.01


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
    """Return what a network that answers the other jumps as it does should answer to this one."""
    assert asked.until is not None
    pure = torch.stack([(level == 0).any() for level in torch.split(asked.level, list(asked.clip_rows))])
    back = _by_row(torch.where(pure, 0.0, EPS), asked)
    after, before = (_mean(answer, clean, asked, k) for k in (torch.full_like(back, EPS), -back))
    share = (1 - asked.level) / (EPS + back)
    parts = (clean.patch, after, before)
    return rowwise(
        lambda x, a, b, share: x + share * (a - b),
        asked.runs(0),
        tuple(map(asked.by_frame, parts)),
        (share[..., None],),
    ).flatten(1)


def _mean(answer: Answer, clean: Tokens, asked: Tokens, k: Float[Tensor, "row one"]) -> Float[Tensor, "m p"]:
    """Return the mean velocity that the network sees at a place further along the line."""
    assert asked.until is not None
    level = (asked.level + k * (asked.until - asked.level)).clamp(0, 1)
    moved = (level - asked.level) / (1 - asked.level).clamp(min=FLOOR)
    parts = (asked.by_frame(asked.patch), asked.by_frame(clean.patch))
    there = replace(asked, patch=rowwise(torch.lerp, asked.runs(0), parts, (moved[..., None],)).flatten(1), level=level)
    parts = (asked.by_frame(answer(there)), asked.by_frame(there.patch))
    return rowwise(
        lambda x_hat, z, left: (x_hat - z) / left, asked.runs(0), parts, ((1 - level).clamp(min=FLOOR)[..., None],)
    ).flatten(1)


def _by_row(value: Float[Tensor, " clip"], tokens: Tokens) -> Float[Tensor, "row 1"]:
    return value.repeat_interleave(torch.tensor(tokens.clip_rows, device=value.device))[:, None]
