"""Turning vectors into a few symbols: a grid of levels, or a learnt codebook that is kept alive.

Levels (FSQ, Mentzer et al. 2023): u = (L - 1) sigmoid(z), digit = round(u), value = 2 digit / (L - 1) - 1 for each of
the few dimensions; the gradient passes the rounding unchanged. Nothing is learnt, so nothing can collapse.
Codebook (VQ, van den Oord et al. 2017): the unit vector nearest to z / |z|, with |z / |z| - e|^2 added to the loss.
Its vectors follow what is assigned to them, e <- 0.98 e + 0.02 mean; one that nothing chose for `PATIENCE` steps is put
on a vector of the batch: without that, most of the alphabet dies (docs/log.md). So is one that is chosen less than
`least` times its fair share, where an alphabet is small and every symbol is to mean something.
"""

import math
from contextlib import AbstractContextManager
from typing import final

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional as F

FOLLOW = 0.98
PATIENCE = 15
COMMITMENT = 0.25


@final
class Levels(nn.Module):
    """A fixed grid: every dimension has its own number of levels."""

    values: Tensor
    most: Tensor
    place: Tensor

    def __init__(self, levels: tuple[int, ...]) -> None:
        super().__init__()
        self.count, self.width = math.prod(levels), len(levels)
        most = torch.tensor(levels).float() - 1
        place = torch.tensor([math.prod(levels[:k]) for k in range(len(levels))])
        self.register_buffer("most", most, persistent=False)
        self.register_buffer("place", place, persistent=False)
        digits = torch.arange(self.count)[:, None] // place % torch.tensor(levels)
        self.register_buffer("values", 2 * digits / most - 1, persistent=False)

    def forward(self, z: Float[Tensor, "*b k"]) -> tuple[Float[Tensor, "*b k"], Int[Tensor, "*b"]]:
        """Return the nearest values, through which gradients pass, and the symbols."""
        u = self.most * z.float().sigmoid()
        digit = u.round()
        return 2 * (u + (digit - u).detach()) / self.most - 1, (digit.long() * self.place).sum(-1)

    def learn(
        self, z: Float[Tensor, "n k"], symbols: Int[Tensor, " n"], generator: torch.Generator
    ) -> Float[Tensor, ""]:
        """Return no loss: there is nothing to learn."""
        return z.new_zeros(())


@final
class Codebook(nn.Module):
    """Learnt unit vectors."""

    values: Tensor
    idle: Tensor
    share: Tensor

    def __init__(self, count: int, width: int, least: float = 0.0) -> None:
        super().__init__()
        self.count, self.width, self.least = count, width, least
        self.register_buffer("values", F.normalize(torch.randn(count, width), dim=-1))
        self.register_buffer("idle", torch.zeros(count))
        self.register_buffer("share", torch.full((count,), 1 / count))  # how often each is chosen

    def forward(self, z: Float[Tensor, "*b k"]) -> tuple[Float[Tensor, "*b k"], Int[Tensor, "*b"]]:
        """Return the nearest vectors, through which gradients pass, and the symbols."""
        with exactly(z):
            unit = F.normalize(z.float(), dim=-1)
            symbols = (unit @ self.values.T).argmax(-1)
        return unit + (self.values[symbols] - unit).detach(), symbols

    def learn(
        self, z: Float[Tensor, "n k"], symbols: Int[Tensor, " n"], generator: torch.Generator
    ) -> Float[Tensor, ""]:
        """Let the vectors follow their assignments, revive the dead, and return the commitment loss."""
        unit = F.normalize(z.float(), dim=-1)
        commitment = COMMITMENT * (unit - self.values[symbols]).square().sum(-1).mean()
        with torch.no_grad(), exactly(z):
            chosen = F.one_hot(symbols, self.count).to(unit.dtype)
            counts = chosen.sum(0)
            means = chosen.T @ unit / counts.clamp(min=1)[:, None]
            followed = F.normalize(torch.lerp(means, self.values, FOLLOW), dim=-1)
            self.values.copy_(torch.where(counts[:, None] > 0, followed, self.values))
            self.idle.copy_(torch.where(counts > 0, 0.0, self.idle + 1))
            self.share.lerp_(counts / counts.sum(), 1 - FOLLOW)
            dead = ((self.idle >= PATIENCE) | (self.share < self.least / self.count)).nonzero()[:, 0]
            if len(dead):
                donors = torch.randint(len(unit), (len(dead),), generator=generator, device=z.device)
                self.values[dead] = unit[donors]
                self.idle[dead], self.share[dead] = 0.0, 1 / self.count
        return commitment


def exactly(z: Tensor) -> AbstractContextManager[object]:
    """Multiply in the numbers that are there, whatever the products around are made of: a near tie decides a symbol."""
    return torch.autocast(z.device.type, enabled=False)


def perplexity(symbols: Int[Tensor, "..."], count: int) -> tuple[float, float]:
    """Return how many symbols occur, and exp(entropy): how many would occur if all were equally frequent."""
    share = torch.bincount(symbols.flatten(), minlength=count).double()
    share = share[share > 0] / share.sum()
    return float(len(share)), float(torch.exp(-(share * share.log()).sum()))
