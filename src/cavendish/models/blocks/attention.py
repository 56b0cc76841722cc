"""Attention over a packed list of tokens, with positions as rotations in physical units.

softmax(q k^T / sqrt(head)) v inside each clip, never across clips (Vaswani et al. 2017, eq. 1), on
layer-normalised queries and keys (QK-norm, Dehghani et al. 2023, ViT-22B, section 2). A position
p = (time, y, x) turns channel pair i of an axis by the angle 2 pi p / wavelength_i (RoPE, Su et al. 2021,
eq. 34), so that only differences of positions matter; wavelengths are geometric in seconds and metres.
On a CUDA device the same is written in a way that compiles into few kernels.
"""

import math
from itertools import groupby
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

# Shortest and longest wavelength of (time [s], y [m], x [m]).
WAVELENGTHS = ((0.8, 25.6), (5.0, 80.0), (5.0, 80.0))
# Tokens of a clip over which a CPU learns faster by whole products than block by block, at the price of their memory.
WHOLE = range(128, 601)


def rotations(place: Float[Tensor, "s 3"], heads: int, head: int) -> Float[Tensor, "s heads pair 2"]:
    """Return cosine and sine of the angle that turns each channel pair of each head at each token's place.

    Every head gets the same; on a CPU they are written out because a broadcast product is slower there.
    The pairs of a head are shared out over time, y and x as evenly as they go, the remainder to time.
    """
    pairs = head // 2
    share = [pairs - 2 * (pairs // 3), pairs // 3, pairs // 3]
    angles = []
    for axis, (count, (short, long)) in enumerate(zip(share, WAVELENGTHS, strict=True)):
        wavelength = torch.logspace(math.log10(short), math.log10(long), count, device=place.device)
        angles.append(2 * math.pi * place[:, axis, None] / wavelength)
    angle = torch.cat(angles, -1)[:, None]
    turn = torch.view_as_real(torch.polar(torch.ones_like(angle), angle))
    return turn if place.is_cuda else turn.repeat(1, heads, 1, 1)


class Attention(nn.Module):
    """Multi-head self-attention inside each clip of a packed token list."""

    def __init__(self, width: int, heads: int, out_gain: float) -> None:
        super().__init__()
        self.heads = heads
        self.query = nn.Parameter(torch.empty(width, width))
        self.key = nn.Parameter(torch.empty(width, width))
        self.value = nn.Parameter(torch.empty(width, width))
        self.out = nn.Parameter(torch.randn(width, width) * out_gain * width**-0.5)
        self.query_gain = nn.Parameter(torch.ones(width // heads))
        self.key_gain = nn.Parameter(torch.ones(width // heads))
        for weight in (self.query, self.key, self.value):
            nn.init.normal_(weight, std=width**-0.5)

    def forward(
        self, x: Float[Tensor, "s k"], turn: Float[Tensor, "s heads pair 2"], lengths: tuple[int, ...]
    ) -> Float[Tensor, "s k"]:
        """Let every token look at the tokens of its own clip; `lengths` are tokens per clip."""
        q, k, v = (y.view(len(x), self.heads, -1) for y in products(x, self.query, self.key, self.value))
        q = _turn(F.layer_norm(q, q.shape[-1:], self.query_gain * q.shape[-1] ** -0.5), turn)
        k = _turn(F.layer_norm(k, k.shape[-1:], self.key_gain), turn)
        return F.linear(_attend(q, k, v, lengths).flatten(1), self.out)


class _Products(torch.autograd.Function):
    """Multiply tokens by several matrices; back, each product adds to the gradient of the tokens where it stands."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, *weights: Tensor) -> tuple[Tensor, ...]:
        ctx.save_for_backward(x, *weights)
        return tuple(F.linear(x, weight) for weight in weights)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, ...]:
        x, *weights = (saved.to(gradients[0].dtype) for saved in ctx.saved_tensors)  # half numbers, where products are
        back = gradients[0] @ weights[0]
        for gradient, weight in zip(gradients[1:], weights[1:], strict=True):
            back.addmm_(gradient, weight)
        return back, *(gradient.T @ x for gradient in gradients)


def products(x: Float[Tensor, "s k"], *weights: Float[Tensor, "_ k"]) -> tuple[Float[Tensor, "s _"], ...]:
    """Multiply tokens by several matrices: one after the other on a CPU, as one matrix elsewhere."""
    if not x.is_cuda:
        return _Products.apply(x, *weights)  # type: ignore[no-untyped-call, no-any-return]
    return torch.split(F.linear(x, torch.cat(weights)), [len(weight) for weight in weights], -1)


def _turn(x: Float[Tensor, "s head d"], turn: Float[Tensor, "s heads pair 2"]) -> Float[Tensor, "s head d"]:
    pairs = x.view(*x.shape[:-1], -1, 2)
    if x.is_cuda:
        return turned(pairs, turn).flatten(-2)
    return torch.view_as_real(torch.view_as_complex(pairs) * torch.view_as_complex(turn)).flatten(-2)


def turned(pairs: Float[Tensor, "s head pair 2"], turn: Float[Tensor, "s heads pair 2"]) -> Float[Tensor, "..."]:
    """Multiply complex numbers in real arithmetic, the only kind that compiles into one kernel."""
    (a, b), (cosine, sine) = pairs.unbind(-1), turn.unbind(-1)
    return torch.stack([a * cosine - b * sine, a * sine + b * cosine], -1)


def cut_up(whole: Tensor, lengths: list[int]) -> tuple[Tensor, ...]:
    """Split a tensor; one part is the tensor itself, since the gradient of a split copies."""
    return torch.split(whole, lengths) if len(lengths) > 1 else (whole,)


def _attend(
    q: Float[Tensor, "s head d"], k: Float[Tensor, "s head d"], v: Float[Tensor, "s head d"], lengths: tuple[int, ...]
) -> Float[Tensor, "s head d"]:
    """Attend clip by clip with scaled queries; clips of equal length in a row go through one call."""
    groups = [(len(list(same)), length) for length, same in groupby(lengths)]
    sizes, done = [count * length for count, length in groups], []
    for group, parts in zip(groups, zip(*(cut_up(part, sizes) for part in (q, k, v)), strict=True), strict=True):
        query, key, value = (part.unflatten(0, group).transpose(1, 2) for part in parts)
        if group[1] in WHOLE and q.requires_grad and not q.is_cuda:
            seen = (query @ key.mT).softmax(-1) @ value
        else:
            seen = F.scaled_dot_product_attention(query, key, value, scale=1.0)
        done.append(seen.transpose(1, 2).flatten(0, 1))
    return torch.cat(done) if len(done) > 1 else done[0]
