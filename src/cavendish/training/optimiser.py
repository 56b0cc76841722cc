"""Which rule moves which parameter, and the state that a checkpoint must keep.

AdamW (Loshchilov & Hutter 2019) for everything, or Muon for the matrices inside blocks and AdamW for the
rest. Weight decay touches matrices only. The rate of step n of N: linear warm-up, flat, linear to zero,
    rate(n) = peak * min(1, (n + 1) / (warmup N), (N - n) / (decay N)).
"""

from collections.abc import Mapping
from typing import Literal

import torch
from torch import Tensor

from cavendish.errors import CorruptDataError
from cavendish.models.world_model import Learner
from cavendish.training.muon import Muon
from cavendish.training.spread import placed

WEIGHT_DECAY = 0.01
STATE = {Muon: ("momentum",), torch.optim.AdamW: ("step", "exp_avg", "exp_avg_sq")}


def rate_share(step: int, steps: int, warmup: float, decay: float) -> float:
    """Return the learning rate of a step as a share of its peak."""
    rise = (step + 1) / max(warmup * steps, 1.0)
    fall = (steps - step) / max(decay * steps, 1.0)
    return min(1.0, rise, fall)


class Optimiser:
    """One or two optimisers behind one step, with their state by parameter name."""

    def __init__(self, model: Learner, rule: Literal["adamw", "muon"], peak: float) -> None:
        self.peak = peak
        self.parameters = {name: p for name, p in model.named_parameters() if p.requires_grad}
        matrices = {id(p) for p in model.matrices()}
        inside = [p for p in self.parameters.values() if id(p) in matrices]
        outside = [p for p in self.parameters.values() if id(p) not in matrices]
        groups = [{"params": outside, "weight_decay": 0.0}]
        self.parts: list[torch.optim.Optimizer] = []
        if rule == "muon" and inside:
            self.parts.append(Muon(inside, peak, decay=WEIGHT_DECAY))
        else:
            groups.append({"params": inside, "weight_decay": WEIGHT_DECAY})
        self.parts.append(torch.optim.AdamW(groups, peak, betas=(0.9, 0.95), fused=True))

    def step(self, share: float) -> None:
        """Move every parameter at a share of the peak rate, and forget its gradient."""
        for part in self.parts:
            for group in part.param_groups:
                group["lr"] = self.peak * share
            part.step()
            part.zero_grad(set_to_none=True)

    def state(self) -> dict[str, Tensor]:
        """Return every state tensor under '<parameter>/<key>'."""
        return {
            # what has met no gradient yet has no state; zeros are where it begins
            f"{name}/{key}": kept[key] if key in kept else torch.zeros_like(_like(parameter, key))
            for name, parameter, part in self._owners()
            for kept in (part.state[parameter],)
            for key in STATE[type(part)]
        }

    def load(self, state: dict[str, Tensor], source: str) -> None:
        """Take the state back; a missing or a foreign item is refused by name."""
        expected = {
            f"{name}/{key}": _like(parameter, key)
            for name, parameter, part in self._owners()
            for key in STATE[type(part)]
        }
        check_items(source, expected, state)
        for name, parameter, part in self._owners():
            for key in STATE[type(part)]:
                part.state[parameter][key] = placed(state[f"{name}/{key}"].clone(), parameter)

    def _owners(self) -> list[tuple[str, Tensor, torch.optim.Optimizer]]:
        owner = {id(p): part for part in self.parts for group in part.param_groups for p in group["params"]}
        return [(name, parameter, owner[id(parameter)]) for name, parameter in self.parameters.items()]


def _like(parameter: Tensor, key: str) -> Tensor:
    """Return a tensor of the shape of a state item; all but the number of steps look like their parameter."""
    return torch.zeros(()) if key == "step" else parameter


def check_items(source: str, expected: Mapping[str, Tensor], found: Mapping[str, Tensor]) -> None:
    """Refuse stored tensors that are not exactly the expected ones, in name and in shape."""
    check_names(source, set(expected), set(found))
    for name, value in found.items():
        if value.shape != expected[name].shape:
            shapes = tuple(value.shape), tuple(expected[name].shape)
            raise CorruptDataError(
                f"{source}: item '{name}' has shape {shapes[0]}, this configuration expects {shapes[1]}"
            )


def check_names(source: str, expected: set[str], found: set[str]) -> None:
    """Refuse a set of stored items that is not exactly the expected one."""
    for name in sorted(expected - found):
        raise CorruptDataError(f"{source}: item '{name}' is missing")
    for name in sorted(found - expected):
        raise CorruptDataError(f"{source}: item '{name}' does not belong to this configuration")
