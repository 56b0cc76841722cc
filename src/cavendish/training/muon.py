"""Muon: momentum whose every matrix update is made orthogonal (Jordan et al. 2024).

M <- mu M + G;  U = NewtonSchulz(G + mu M);  W <- (1 - lr wd) W - lr 0.2 sqrt(max(rows, cols)) U.
NewtonSchulz iterates X <- a X + (b A + c A^2) X, A = X X^T, from X = M / |M|, which drives every singular
value towards 1. The factor 0.2 sqrt(max) gives the update the root mean square of an AdamW step, so both
share one learning rate (Liu et al. 2025, Moonlight, eq. 4). In float32 on a CPU: this optimiser's usual bfloat16
is emulated, hence slower, on most (torch.optim.Muon cost 1.3 to 1.6 times a whole training step here).
"""

from collections import defaultdict
from collections.abc import Iterable
from typing import final

import torch
from jaxtyping import Float
from torch import Tensor

from cavendish.training.spread import placed, shard, whole

COEFFICIENTS = (3.4445, -4.7750, 2.0315)


@torch.no_grad()
def orthogonalise(matrices: Float[Tensor, "n r c"], iterations: int = 5) -> Float[Tensor, "n r c"]:
    """Replace every matrix by (nearly) the nearest one with all singular values 1."""
    a, b, c = COEFFICIENTS
    tall = matrices.shape[1] > matrices.shape[2]
    x = matrices.mT if tall else matrices
    x = x / (x.norm(dim=(1, 2), keepdim=True) + 1e-7)
    x = x.bfloat16() if x.is_cuda else x
    for _ in range(iterations):
        gram = x @ x.mT
        x = torch.baddbmm(x, torch.baddbmm(gram, gram, gram, beta=b, alpha=c), x, beta=a)
    return (x.mT if tall else x).to(matrices.dtype)


@final
class Muon(torch.optim.Optimizer):
    """Orthogonalised momentum for the matrices inside blocks; matrices of one shape go through together."""

    def __init__(self, parameters: Iterable[Tensor], lr: float, momentum: float = 0.95, decay: float = 0.01) -> None:
        super().__init__(parameters, {"lr": lr, "momentum": momentum, "decay": decay})

    @torch.no_grad()
    def step(self, closure: None = None) -> None:  # type: ignore[override]
        """Update every parameter that has a gradient."""
        for group in self.param_groups:
            by_shape: dict[torch.Size, list[Tensor]] = defaultdict(list)
            for parameter in group["params"]:
                if parameter.grad is not None:
                    by_shape[parameter.shape].append(parameter)
            for shape, parameters in by_shape.items():
                updates = orthogonalise(torch.stack([whole(self._momentum(p, group["momentum"])) for p in parameters]))
                rate = group["lr"] * 0.2 * max(shape) ** 0.5
                here = [shard(p) for p in parameters]
                pairs = zip(updates.unbind(), parameters, strict=True)
                torch._foreach_mul_(here, 1 - group["lr"] * group["decay"])
                torch._foreach_add_(here, [shard(placed(update, p)) for update, p in pairs], alpha=-rate)

    def _momentum(self, parameter: Tensor, mu: float) -> Tensor:
        assert parameter.grad is not None
        state = self.state[parameter]
        if "momentum" not in state:
            state["momentum"] = torch.zeros_like(parameter)
        state["momentum"].mul_(mu).add_(parameter.grad)
        return parameter.grad.add(state["momentum"], alpha=mu)
