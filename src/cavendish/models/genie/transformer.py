"""The block that tokenizer and dynamics share: attention in space, attention back in time, one feed-forward.

    x <- x + Space(x)          every token of a frame sees the whole frame
    x <- x + Conv3x3(x)        and, channel by channel, its neighbours
    x <- x + Time(x, past)     a token sees the same place in the W - 1 frames before it, and itself
    x <- x + FFN(x)            hidden width 2 d
(Bruce et al. 2024, arXiv 2402.15391, section 2.1). The past of a frame is a window of keys and values, whether it was
computed a moment ago for a whole clip, belongs to a cleaner copy of the clip, or was kept since the last key press:
one function serves training, clips and play, hence a cached frame equals an uncached one. Keys carry a learnt vector
for their distance in time, so a window may slide for ever. Queries and keys are normalised. Beside it stands the block
that sees everything at once, for comparison.
"""

from dataclasses import dataclass
from typing import final

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn
from torch.nn import functional as F

HIDDEN = 2


@final
@dataclass(frozen=True)
class Shape:
    """How wide and deep, with how many heads, over how many frames."""

    width: int
    depth: int
    heads: int
    window: int  # frames that a token sees, its own among them


@dataclass(frozen=True)
class Past:
    """Keys and values of the frames before each frame, oldest first, and which of them exist."""

    keys: Float[Tensor, "b t w n k"]
    values: Float[Tensor, "b t w n k"]
    exists: Bool[Tensor, "t w"]

    def of(self, frames: slice) -> "Past":
        """Keep the past of some frames."""
        return Past(self.keys[:, frames], self.values[:, frames], self.exists[frames])


class Attention(nn.Module):
    """Query, key, value and output maps, with normalised queries and keys."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.into = nn.Parameter(torch.randn(3 * width, width) * width**-0.5)
        self.out = nn.Parameter(torch.zeros(width, width))
        self.gain = nn.Parameter(torch.ones(2, width // heads))

    def parts(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return queries, keys and values, head by head."""
        q, k, v = F.linear(x, self.into).view(*x.shape[:-1], 3, self.heads, -1).unbind(-3)
        return F.layer_norm(q, q.shape[-1:], self.gain[0]), F.layer_norm(k, k.shape[-1:], self.gain[1]), v


@final
class Block(nn.Module):
    """One layer; `cells` are the rows and columns of the last tokens of a frame, before them stands the action."""

    def __init__(self, shape: Shape, cells: tuple[int, int]) -> None:
        super().__init__()
        width = shape.width
        self.cells, self.window = cells, shape.window
        self.space, self.time = Attention(width, shape.heads), Attention(width, shape.heads)
        self.near = nn.Conv2d(width, width, 3, padding=1, groups=width)
        self.ago = nn.Parameter(torch.randn(shape.window, shape.heads, width // shape.heads) * 0.5)
        self.up = nn.Parameter(torch.randn(HIDDEN * width, width) * width**-0.5)
        self.down = nn.Parameter(torch.zeros(width, HIDDEN * width))
        nn.init.normal_(self.near.weight, std=0.1)

    def forward(self, x: Float[Tensor, "b t n k"], past: Past | None) -> tuple[Float[Tensor, "b t n k"], Past]:
        """Transform frames whose past is given or, without one, are each other's past; also return the next past."""
        b, t, n, width = x.shape
        q, k, v = self.space.parts(_normed(x))
        query, key, value = (part.flatten(0, 1).transpose(1, 2) for part in (q, k, v))
        seen = F.scaled_dot_product_attention(query, key, value)
        x = x + F.linear(seen.transpose(1, 2).reshape(b, t, n, width), self.space.out)
        first = n - self.cells[0] * self.cells[1]
        grid = _normed(x[:, :, first:]).flatten(0, 1).mT.view(b * t, width, *self.cells)
        near = self.near(grid).flatten(2).mT.view(b, t, -1, width)
        x = x + F.pad(near, (0, 0, first, 0))
        x, following = self._look_back(x, past)
        return x + F.linear(F.gelu(F.linear(_normed(x), self.up)), self.down), following

    def _look_back(self, x: Float[Tensor, "b t n k"], past: Past | None) -> tuple[Float[Tensor, "b t n k"], Past]:
        q, own_key, own_value = self.time.parts(_normed(x))
        following = windows(own_key.flatten(-2), own_value.flatten(-2), self.window, past)
        before = following.of(slice(0, -1)) if past is None else past
        heads = (self.time.heads, q.shape[-1])
        keys, values = (
            torch.cat([old.view(*old.shape[:-1], *heads), own[:, :, None]], 2)
            for old, own in ((before.keys, own_key), (before.values, own_value))
        )
        keys = keys + self.ago[:, None]
        fit = (q[:, :, None] * keys).sum(-1) * heads[1] ** -0.5
        there = F.pad(before.exists, (0, 1), value=True)
        share = fit.masked_fill(~there[:, :, None, None], -torch.inf).softmax(2)
        return x + F.linear((share[..., None] * values).sum(2).flatten(-2), self.time.out), following


@final
class FullBlock(nn.Module):
    """One layer in which a token sees all of its frame and of the W - 1 frames before it, in one attention."""

    def __init__(self, shape: Shape, cells: tuple[int, int]) -> None:
        super().__init__()
        width = shape.width
        self.cells, self.window = cells, shape.window
        self.attention = Attention(width, shape.heads)
        self.near = nn.Conv2d(width, width, 3, padding=1, groups=width)
        self.ago = nn.Parameter(torch.zeros(shape.heads, shape.window))  # added to a fit, the oldest frame first
        self.up = nn.Parameter(torch.randn(HIDDEN * width, width) * width**-0.5)
        self.down = nn.Parameter(torch.zeros(width, HIDDEN * width))
        nn.init.normal_(self.near.weight, std=0.1)

    def forward(self, x: Float[Tensor, "b t n k"], past: None) -> tuple[Float[Tensor, "b t n k"], None]:
        """Transform frames that are each other's past."""
        b, t, n, width = x.shape
        q, *own = self.attention.parts(_normed(x))
        before = windows(own[0].flatten(-2), own[1].flatten(-2), self.window, past).of(slice(0, -1))
        keys, values = (
            torch.cat([old.view(b, t, -1, n, *q.shape[-2:]), new[:, :, None]], 2).flatten(2, 3).flatten(0, 1)
            for old, new in zip((before.keys, before.values), own, strict=True)
        )
        there = F.pad(before.exists, (0, 1), value=True)
        fit = self.ago.expand(t, -1, -1).masked_fill(~there[:, None], -torch.inf).repeat_interleave(n, 2)
        seen = F.scaled_dot_product_attention(
            q.flatten(0, 1).transpose(1, 2),
            keys.transpose(1, 2),
            values.transpose(1, 2),
            fit.repeat(b, 1, 1)[:, :, None].expand(-1, -1, n, -1),
        )
        x = x + F.linear(seen.transpose(1, 2).reshape(b, t, n, width), self.attention.out)
        grid = _normed(x).flatten(0, 1).mT.view(b * t, width, *self.cells)
        x = x + self.near(grid).flatten(2).mT.view(b, t, n, width)
        return x + F.linear(F.gelu(F.linear(_normed(x), self.up)), self.down), None


def windows(keys: Float[Tensor, "b t n k"], values: Float[Tensor, "b t n k"], window: int, past: Past | None) -> Past:
    """Return the past of frames 0 to t of a clip, or of the frame after one that has a past already."""
    b, t, n, width = keys.shape
    if past is not None:
        slid = [
            torch.cat([old, new[:, :, None]], 2)[:, :, 1:] for old, new in ((past.keys, keys), (past.values, values))
        ]
        return Past(slid[0], slid[1], F.pad(past.exists, (0, 1), value=True)[:, 1:])
    w = window - 1
    rows = torch.arange(t + 1, device=keys.device)[:, None] + torch.arange(w, device=keys.device)
    before = [F.pad(part, (0, 0, 0, 0, w, 0))[:, rows.flatten()].view(b, t + 1, w, n, width) for part in (keys, values)]
    return Past(before[0], before[1], rows >= w)


def _normed(x: Tensor) -> Tensor:
    return F.layer_norm(x, x.shape[-1:])


def block_flops(shape: Shape, tokens: int) -> float:
    """Count the operations of one block on one frame (a multiply-add is 2)."""
    width = shape.width
    maps = (8 + 2 * HIDDEN) * width**2 + 9 * width
    return 2.0 * tokens * (maps + 2 * (tokens + shape.window) * width)


def full_block_flops(shape: Shape, tokens: int, frames: int) -> float:
    """Count those of a full block on one of some frames."""
    width, seen = shape.width, tokens * min(frames, shape.window)
    return 2.0 * tokens * ((4 + 2 * HIDDEN) * width**2 + 9 * width + 2 * seen * width)
