"""What the denoiser is asked during training: which frames are clean, which are noise, and what counts.

Way:   z = a(level) x + s(level) noise,  level 1 clean (`flow`; a straight line unless a study says otherwise).
Loss:  mean over frames of  w(level) |x_hat - x|^2,  on a straight line w = min(1 / (1 - level)^2, cap), 0 for clean
frames: the velocity loss of flow matching, capped, since in short runs on deterministic clips the uncapped weight
spends the gradient on frames that are almost clean already (docs/log.md).
The mixture of levels per frame buys the abilities (diffusion forcing, Chen et al. 2024):
    leap         a clean prefix, pure noise after it: what the first step of every imagination meets; in a share
                 `ends` of them a clean suffix instead, or both
    prefix       a clean prefix, one shared level after it
    independent  a level of its own for every frame
and, where a study asks for every way of prompting,
    subset       a clean beginning, end, both, single frame or scattered frames; one level or pure noise elsewhere
    whole        one level for all frames, half of the time pure noise
    masked       (whole batches) most patches hidden, the rest clean: a masked autoencoder; in a share `holes` of them
                 a box in space and time is hidden, and what is around it clean
    bare         (of clips with captions) nothing given but the caption: pure noise everywhere
    silent       captions left out, so that guidance has something to compare with
In some `subset` clips what would be given is noise instead: who has met a lost past can be guided by a kept one.
"""

import math
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from cavendish.codec import LATER
from cavendish.errors import BadInputError
from cavendish.models.diffusion.flow import AnyFlow, Straight
from cavendish.models.diffusion.tokens import Tokens, rowwise

SEEN = 0.25  # share of patches that a masked clip shows
FORGOTTEN = 0.15  # share of `subset` clips whose given frames are lost


@dataclass(frozen=True)
class Mixture:
    """Shares of the questions put in training (the rest is `independent`), and the weight's cap."""

    leap: float = 0.6
    prefix: float = 0.3
    context: int = 3  # frames in a clean prefix
    mean: float = -1.0  # of the logit-normal level
    spread: float = 1.2
    cap: float = 4.0
    subset: float = field(default=0.0, metadata=LATER)
    whole: float = field(default=0.0, metadata=LATER)
    masked: float = field(default=0.0, metadata=LATER)
    silent: float = field(default=0.1, metadata=LATER)
    flow: AnyFlow = field(default=Straight(), metadata=LATER)
    jumps: float = field(default=0.0, metadata=LATER)  # a second stage that makes few steps enough: share of the steps
    bare: float = field(default=0.0, metadata=LATER)  # of captioned clips
    ends: float = field(default=0.0, metadata=LATER)  # of leaps
    holes: float = field(default=0.0, metadata=LATER)  # of masked batches

    def __post_init__(self) -> None:
        """Refuse shares that do not add up."""
        if not 0.0 <= self.jumps <= 10.0 or (self.jumps and not isinstance(self.flow, Straight)):
            raise BadInputError(f"mixture.jumps = {self.jumps}, expected 0 to 10, and a straight flow")
        shares = (self.leap, self.prefix, self.subset, self.whole)
        parts = (self.masked, self.silent, self.bare, self.ends, self.holes)
        if self.context < 0 or not (
            math.isfinite(self.mean) and 0 <= self.spread < math.inf and 0 < self.cap < math.inf
        ):
            raise BadInputError(
                f"mixture: context {self.context}, mean {self.mean}, spread {self.spread}, cap {self.cap}: expected "
                "context and spread 0 or more, cap more than 0, all of them finite"
            )
        if not (all(0 <= share <= 1 for share in (*shares, *parts)) and sum(shares) <= 1 + 1e-9):
            raise BadInputError(
                f"mixture: shares leap {self.leap}, prefix {self.prefix}, subset {self.subset}, whole {self.whole}, "
                f"masked {self.masked}, silent {self.silent}, bare {self.bare}, ends {self.ends}, holes {self.holes}: "
                "expected 0 or more, the first four at most 1 together"
            )

    def levels(self, clips: int, frames: int, generator: torch.Generator) -> Float[Tensor, "b t"]:
        """Draw the noise level of every frame."""
        device = generator.device
        normal = torch.randn(clips, frames, generator=generator, device=device)
        independent = self.flow.drawn(normal, self.mean, self.spread)
        shared = independent[:, :1].expand(-1, frames).clone()
        question = torch.rand(clips, 1, generator=generator, device=device)
        shared = torch.where(question < self.leap, torch.zeros_like(shared), shared)
        context = min(self.context, frames - 1)  # of what is given whole nothing is left to learn
        shared[:, :context] = 1.0
        if self.ends:
            way = torch.rand(clips, 1, generator=generator, device=device) / self.ends
            shared = torch.where((way < 1) & (question < self.leap), _ended(clips, frames, context, way), shared)
        levels = torch.where(question < self.leap + self.prefix, shared, independent)
        if self.subset + self.whole == 0.0:
            return levels
        one = independent[:, -1:] * (torch.rand(clips, 1, generator=generator, device=device) < 0.5)
        given = _subsets(clips, frames, generator)
        lost = torch.rand(clips, 1, generator=generator, device=device) < FORGOTTEN
        told = torch.where(given, torch.where(lost, 0.0, 1.0), one)
        levels = torch.where(question >= 1 - self.subset - self.whole, one.expand_as(levels), levels)
        return torch.where(question >= 1 - self.subset, told, levels)

    def weight(self, level: Float[Tensor, "*row tubelet"]) -> Float[Tensor, "*row tubelet"]:
        """Return the loss weight of every frame; clean frames were given, so they teach nothing."""
        weight = self.flow.weight(level, self.cap)
        return torch.where(level < 1.0, weight, torch.zeros_like(weight))


def _ended(clips: int, frames: int, context: int, way: Float[Tensor, "b 1"]) -> Float[Tensor, "b t"]:
    """Give the last frames, and in half of the clips the first ones too if some are left between."""
    at = torch.arange(frames, device=way.device).expand(clips, -1)
    both = (way < 0.5) & (frames > 2 * context)
    return ((at >= frames - context) | (both & (at < context))).float()


def _subsets(clips: int, frames: int, generator: torch.Generator) -> Bool[Tensor, "b t"]:
    """Draw which frames are given; at least one never is."""
    device = generator.device
    cut = torch.rand(clips, 2, generator=generator, device=device).sort(1).values.mul(frames).long()
    kind = torch.randint(5, (clips, 1), generator=generator, device=device)
    scattered = torch.rand(clips, frames, generator=generator, device=device)
    share = torch.rand(clips, 1, generator=generator, device=device)
    at, first, last = torch.arange(frames, device=device), cut[:, :1], cut[:, 1:]
    before, after = at < first, at > last
    given = torch.stack(
        [before, after, before | after, (at == first) & (frames > 1), (scattered < share) & (at != last)]
    )
    return given.gather(0, kind[None].expand(1, clips, frames))[0]


def shown(tokens: Tokens, mixture: Mixture, generator: torch.Generator) -> Bool[Tensor, " m"]:
    """Draw which patches of a masked batch are given: a few scattered ones, or all around a box in every clip."""
    device, place = generator.device, tokens.without_registers(tokens.place)
    if not mixture.holes or bool(torch.rand((), generator=generator, device=device) >= mixture.holes):
        return torch.rand(len(place), generator=generator, device=device) < SEEN
    rows = iter(tokens.row_patches)
    count = torch.tensor([sum(next(rows) for _ in range(clip)) for clip in tokens.clip_rows], device=device)
    two = (torch.rand(len(count), 2, generator=generator, device=device) * count[:, None]).long()
    corners = place[two + (count.cumsum(0) - count)[:, None]]
    through = torch.rand(len(count), 3, generator=generator, device=device) < 0.5  # sides that know no end
    low, high = (
        torch.where(through, end, found) for end, found in ((-torch.inf, corners.amin(1)), (torch.inf, corners.amax(1)))
    )
    low, high = (side.repeat_interleave(count, 0) for side in (low, high))
    return ~((place >= low) & (place <= high)).all(1)


def noised(tokens: Tokens, generator: torch.Generator, flow: AnyFlow | None = None) -> Tokens:
    """Mix every frame of every patch with fresh noise at its level; by default on a straight line."""
    noise = _gaussian(tokens.patch.shape, generator)
    parts = (tokens.by_frame(noise), tokens.by_frame(tokens.patch))
    rowwise((flow or Straight()).mixed, tokens.runs(0), parts, (tokens.level[..., None],))
    return replace(tokens, patch=noise)


def _gaussian(shape: torch.Size, generator: torch.Generator) -> Tensor:
    """Draw normal noise, on CPU in four streams at once: one stream keeps one core busy and the others waiting."""
    if generator.device.type != "cpu":
        return torch.randn(shape, generator=generator, device=generator.device)
    noise = torch.empty(shape)
    seeds = torch.randint(2**63 - 1, (4,), generator=generator).tolist()
    with ThreadPoolExecutor(min(4, torch.get_num_threads())) as pool:
        for _ in pool.map(_fill, noise.view(-1).chunk(4), seeds):
            pass
    return noise


def _fill(part: Tensor, seed: int) -> None:
    part.normal_(generator=torch.Generator().manual_seed(seed))


class _FrameErrors(torch.autograd.Function):
    """Mean squared error of every frame, in one pass over all pixels each way where autograd makes several."""

    @staticmethod
    def forward(ctx: Any, x_hat: Tensor, clean: Tensor) -> Tensor:
        gap = x_hat - clean
        ctx.save_for_backward(gap)
        error: Tensor = torch.linalg.vector_norm(gap, dim=-1).square() / gap.shape[-1]
        return error

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        (gap,) = ctx.saved_tensors
        return gap * (gradients[0] * (2 / gap.shape[-1]))[..., None], None


def frame_errors(x_hat: Float[Tensor, "m p"], clean: Tokens) -> Float[Tensor, "m tubelet"]:
    """Return the mean squared error of every frame of every patch."""
    return _FrameErrors.apply(clean.by_frame(x_hat), clean.by_frame(clean.patch))  # type: ignore[no-untyped-call, no-any-return]
