"""What the denoiser is asked during training: which frames are clean, which are noise, and what counts.

Path:  z = level x + (1 - level) noise,  level 1 clean (rectified flow; Liu et al. 2022, eq. 1).
Loss:  mean over frames of  w(level) |x_hat - x|^2,  w = min(1 / (1 - level)^2, cap), 0 for clean frames:
the velocity loss of flow matching, capped, since in short runs on deterministic clips the uncapped weight
spends the gradient on frames that are almost clean already (docs/log.md).
The mixture of levels per frame buys the abilities (diffusion forcing, Chen et al. 2024):
    leap         a clean prefix, pure noise after it: what the first step of every imagination meets
    prefix       a clean prefix, one shared level after it
    independent  a level of its own for every frame
"""

from dataclasses import dataclass, replace

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F

from cavendish.models.diffusion.tokens import Tokens, spread


@dataclass(frozen=True)
class Mixture:
    """Shares of the questions put in training (the rest is `independent`), and the weight's cap."""

    leap: float = 0.6
    prefix: float = 0.3
    context: int = 3  # frames in a clean prefix
    mean: float = -1.0  # of the logit-normal level
    spread: float = 1.2
    cap: float = 4.0

    def levels(self, clips: int, frames: int, generator: torch.Generator) -> Float[Tensor, "b t"]:
        """Draw the noise level of every frame."""
        device = generator.device
        logit = torch.randn(clips, frames, generator=generator, device=device) * self.spread + self.mean
        independent = torch.sigmoid(logit)
        shared = independent[:, :1].expand(-1, frames).clone()
        question = torch.rand(clips, 1, generator=generator, device=device)
        shared = torch.where(question < self.leap, torch.zeros_like(shared), shared)
        shared[:, : self.context] = 1.0
        return torch.where(question < self.leap + self.prefix, shared, independent)

    def weight(self, level: Float[Tensor, "*row tubelet"]) -> Float[Tensor, "*row tubelet"]:
        """Return the loss weight of every frame; clean frames were given, so they teach nothing."""
        weight = (1 / (1 - level).clamp(min=1e-3) ** 2).clamp(max=self.cap)
        return torch.where(level < 1.0, weight, torch.zeros_like(weight))


def noised(tokens: Tokens, generator: torch.Generator) -> Tokens:
    """Mix every frame of every patch with fresh noise at its level; registers are clean, so they stay."""
    noise = torch.randn(tokens.patch.shape, generator=generator, device=tokens.patch.device)
    level = spread(tokens.level, tokens.row_lengths)[..., None]
    mixed = torch.lerp(tokens.by_frame(noise), tokens.by_frame(tokens.patch), level)
    return replace(tokens, patch=mixed.flatten(1))


def frame_errors(x_hat: Float[Tensor, "s p"], clean: Tokens) -> Float[Tensor, "s tubelet"]:
    """Return the mean squared error of every frame of every patch."""
    return clean.by_frame(F.mse_loss(x_hat, clean.patch, reduction="none")).mean(-1)
