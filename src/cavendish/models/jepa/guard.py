"""What keeps embeddings z (n vectors of k numbers) from collapsing to one point, which is the easiest to predict.

Sigreg (Balestriero & LeCun 2025, arXiv 2511.08544): every shadow of z should be a standard Gaussian. Along random unit
directions a, with x = z a and the empirical characteristic function phi(t) = mean_n exp(i t x_n),
    n integral |phi(t) - exp(-t^2 / 2)|^2 exp(-t^2 / 2) dt      (the test of Epps & Pulley 1983), mean over a.
A world of few degrees of freedom cannot fill a Gaussian of many dimensions: the subspace variant draws a inside some
of the mutually orthogonal subspaces of a fixed basis only. On several machines n and phi are those of all of them.
Vicreg (Bardes et al. 2022, eqs. 1-4): hinge on every standard deviation, square of every covariance; and slowness,
|z_t+1 - z_t|^2. Teacher (Grill et al. 2020): targets come from a slow average of the encoder and carry no gradient.
Effective rank (Roy & Vetterli 2007): exp(entropy of p), p_i = s_i / sum s, of the singular values of centred z.
"""

from dataclasses import dataclass
from typing import final

import torch
from jaxtyping import Float
from torch import Tensor, distributed
from torch.distributed.nn.functional import all_reduce
from torch.nn import functional as F

from cavendish.errors import BadInputError

REACH, KNOTS = 4.0, 17  # the integrand is even, and e^-8 of its size beyond 4


@final
@dataclass(frozen=True)
class Sigreg:
    """Gaussian shadows; with subspaces, only inside that many subspaces of that many dimensions."""

    weight: float = 0.1
    directions: int = 64  # drawn afresh at every step
    subspaces: int = 0  # 0: the whole space
    dimensions: int = 4

    def __post_init__(self) -> None:
        """Refuse a guard that guards nothing."""
        if not (self.weight > 0 and self.directions > 0 and self.subspaces >= 0 and self.dimensions > 0):
            raise BadInputError("sigreg needs weight, directions and dimensions > 0, and subspaces >= 0")

    def loss(
        self, z: Float[Tensor, "b t k"], basis: Float[Tensor, "k k"], generator: torch.Generator
    ) -> Float[Tensor, ""]:
        """Return the statistic along fresh directions."""
        if self.subspaces * self.dimensions > len(basis):
            raise BadInputError(
                f"{self.subspaces} subspaces of {self.dimensions} dimensions in a latent space of {len(basis)}"
            )
        groups, size = (self.subspaces, self.dimensions) if self.subspaces else (1, len(basis))
        inside = torch.randn(groups, size, self.directions, generator=generator, device=z.device)
        spans = basis[:, : groups * size].reshape(-1, groups, size).transpose(0, 1)
        return self.weight * shadows(z.flatten(0, 1) @ (spans @ _shared(F.normalize(inside, dim=1))))


@final
@dataclass(frozen=True)
class Vicreg:
    """Variance, covariance and slowness."""

    variance: float = 1.0
    covariance: float = 0.1
    slowness: float = 0.0

    def loss(
        self, z: Float[Tensor, "b t k"], basis: Float[Tensor, "k k"], generator: torch.Generator
    ) -> Float[Tensor, ""]:
        """Return the three terms, weighted."""
        x = z.flatten(0, 1)
        x = x - x.mean(0)
        covariance = x.T @ x / (len(x) - 1)
        spread = torch.sqrt(covariance.diagonal() + 1e-4)
        apart = covariance - torch.diag(covariance.diagonal())
        slow = z.diff(dim=1).square().mean() * self.slowness
        return self.variance * F.relu(1 - spread).mean() + self.covariance * apart.square().sum() / len(apart) + slow


@final
@dataclass(frozen=True)
class Teacher:
    """A slow average of the encoder makes the targets."""

    decay: float = 0.99

    def __post_init__(self) -> None:
        """Refuse an average that forgets everything or never learns."""
        if not 0 < self.decay < 1:
            raise BadInputError(f"decay = {self.decay:g}, expected between 0 and 1")

    def loss(
        self, z: Float[Tensor, "b t k"], basis: Float[Tensor, "k k"], generator: torch.Generator
    ) -> Float[Tensor, ""]:
        """Return nothing: the targets do the work."""
        return z.new_zeros(())


Guard = Sigreg | Vicreg | Teacher


def shadows(x: Float[Tensor, "g n m"]) -> Float[Tensor, ""]:
    """Return n times the weighted distance of every column's characteristic function from a Gaussian's, averaged."""
    knots = torch.linspace(0, REACH, KNOTS, device=x.device)
    gauss = torch.exp(-knots.square() / 2)
    turned = x[..., None] * knots
    wave = torch.stack([turned.cos(), turned.sin()]).sum(2)
    count = torch.tensor(float(x.shape[1]), device=x.device)
    if _many():
        wave = all_reduce(wave)  # type: ignore[no-untyped-call]
        distributed.all_reduce(count)
    real, imaginary = wave / count
    gap = (real - gauss).square() + imaginary.square()
    return count * 2 * torch.trapezoid(gap * gauss, knots, dim=-1).mean()


@torch.no_grad()
def effective_rank(z: Float[Tensor, "*b k"]) -> float:
    """Return in how many directions the embeddings really vary."""
    x = z.flatten(0, -2).double()
    strength = torch.linalg.eigvalsh(torch.cov(x.T)).clamp(min=0).sqrt()
    share = strength / strength.sum().clamp(min=1e-30)
    return float(torch.exp(torch.special.entr(share).sum()))


def _shared(inside: Float[Tensor, "g s m"]) -> Float[Tensor, "g s m"]:
    """Make every machine look along the directions of the first."""
    if _many():
        distributed.broadcast(inside, 0)
    return inside


def _many() -> bool:
    return distributed.is_available() and distributed.is_initialized() and distributed.get_world_size() > 1
