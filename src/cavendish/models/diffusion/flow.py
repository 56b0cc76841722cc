"""The way from noise to picture: how much of each there is at a level, what the network says, what counts.

z = a(level) x + s(level) noise, level 0 noise, level 1 the picture x. Two ways:
    Straight   a = level, s = 1 - level; the network says x (rectified flow, Liu et al. 2022; x-prediction, Li & He
               2025). Levels may be shifted towards noise, level / (level + shift (1 - level)) (Esser et al. 2024,
               eq. 23), as large pictures need.
    Round      a = sin(pi level / 2), s = cos(pi level / 2): the cosine schedule of DDPM (Nichol & Dhariwal 2021,
               eq. 17), which ends in pure noise (zero terminal SNR, Lin et al. 2024). The network says the noise
               (DDPM, Ho et al. 2020; a >= 0.01, since pure noise says nothing of x) or v = a noise - s x (Salimans &
               Ho 2022), so  x = (z - s noise) / a  or  x = a z - s v.  Levels are uniform, steps are DDIM's (Song et
               al. 2021, eq. 12). Kang et al. (2024) trained with v.
What the network says is turned into x_hat at once, and its squared error into  w(level) |x_hat - x|^2:
    x: min(1 / s^2, cap)   noise: (a / s)^2   v: 1 / s^2.
"""

import math
from dataclasses import dataclass
from typing import Literal, final

import torch
from jaxtyping import Float
from torch import Tensor

from cavendish.errors import BadInputError

FAINTEST = 0.01  # least share of the picture where the noise is predicted


@final
@dataclass(frozen=True)
class Straight:
    """A straight line, on which the network says the picture."""

    shift: float = 1.0  # above 1: more noise

    def __post_init__(self) -> None:
        """Refuse a shift that is none."""
        if not 0.0 < self.shift < math.inf:
            raise BadInputError(f"flow.shift = {self.shift}, expected more than 0")

    def drawn(self, normal: Float[Tensor, "b t"], mean: float, spread: float) -> Float[Tensor, "b t"]:
        """Turn normal numbers into levels: logit-normal."""
        return self.shifted(torch.sigmoid(normal * spread + mean))

    def shifted(self, level: Tensor) -> Tensor:
        """Move levels towards noise; 0 and 1 stay."""
        return level if self.shift == 1.0 else level / (level + self.shift * (1 - level))

    def mixed(self, noise: Tensor, clean: Tensor, level: Tensor) -> Tensor:
        """Return z, in the memory of the noise."""
        return noise.lerp_(clean, level)

    def moved(self, z: Tensor, x_hat: Tensor, level: Tensor, following: Tensor) -> Tensor:
        """Return z at the following level; what does not rise stays."""
        return torch.lerp(z, x_hat, ((following - level) / (1 - level).clamp(min=1e-6)).clamp(0.0, 1.0))

    def weight(self, level: Tensor, cap: float) -> Tensor:
        """Return what an error of x_hat counts."""
        weight: Tensor = 1 / (1 - level).clamp(min=1e-3) ** 2
        return weight.clamp(max=cap)


@final
@dataclass(frozen=True)
class Round:
    """A quarter of a circle, on which the network says v or the noise."""

    says: Literal["v", "noise"] = "v"

    def drawn(self, normal: Float[Tensor, "b t"], mean: float, spread: float) -> Float[Tensor, "b t"]:
        """Turn normal numbers into levels: uniform, whatever mean and spread."""
        level: Tensor = torch.special.ndtr(normal)
        return level

    def shifted(self, level: Tensor) -> Tensor:
        """Leave levels as they are."""
        return level

    def parts(self, level: Tensor) -> tuple[Tensor, Tensor]:
        """Return a and s."""
        lowest = 0.0 if self.says == "v" else 2 / math.pi * math.asin(FAINTEST)
        angle = level.clamp(min=lowest) * (math.pi / 2)
        return angle.sin(), torch.where(level < 1, angle.cos(), 0.0)

    def mixed(self, noise: Tensor, clean: Tensor, level: Tensor) -> Tensor:
        """Return z, in the memory of the noise."""
        a, s = self.parts(level)
        return noise.mul_(s).addcmul_(clean, a)

    def clean(self, said: Tensor, z: Tensor, level: Tensor) -> Tensor:
        """Return x_hat."""
        a, s = self.parts(level)
        return a * z - s * said if self.says == "v" else (z - s * said) / a

    def moved(self, z: Tensor, x_hat: Tensor, level: Tensor, following: Tensor) -> Tensor:
        """Return z at the following level; what does not rise stays."""
        (a, s), (a_next, s_next) = self.parts(level), self.parts(torch.maximum(level, following))
        noise = (z - a * x_hat) / s.clamp(min=1e-6)
        return torch.where(following > level, a_next * x_hat + s_next * noise, z)

    def weight(self, level: Tensor, cap: float) -> Tensor:
        """Return what an error of x_hat counts."""
        a, s = self.parts(level)
        scale: Tensor = (torch.ones_like(a) if self.says == "v" else a) / s.clamp(min=1e-3)
        return scale.square()


AnyFlow = Straight | Round
