"""One step of training spread over processes and over time; what is learnt does not depend on how.

A step's batch is cut into P parts, each with noise of its own, seeded by (seed, step, part). R processes that divide P
do P / R parts each, one after another, and the gradient is the mean over all of them: gradient accumulation and data
parallelism are one sum in two orders. Parameters, gradients, average and optimiser state lie in R shards, gathered
block by block when needed (FSDP, Zhao et al. 2023; ZeRO-3, Rajbhandari et al. 2020). Checkpoints are whole, written by
the first process, and go on under any R. `torchrun` starts the processes:
    torchrun --nproc-per-node 2 -m cavendish.cli train STUDY --spread.parts 4
With `recompute`, a block keeps only its input and is evaluated again on the way back (Chen et al. 2016).
"""

import copy
import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, TypeVar, final

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from cavendish.errors import BadInputError
from cavendish.models.world_model import Learner

if TYPE_CHECKING:
    from torch.distributed.tensor import DTensor

Model = TypeVar("Model", bound=nn.Module)


@final
@dataclass(frozen=True)
class Spread:
    """How a step is cut, and what is kept of it."""

    parts: int = 1  # of a batch, a multiple of the number of processes
    recompute: bool = False  # blocks on the way back instead of keeping what is inside them

    def __post_init__(self) -> None:
        """Refuse what cannot be cut."""
        if self.parts < 1:
            raise BadInputError(f"spread.parts = {self.parts}, expected at least 1")

    def mine(self, batch: int) -> range:
        """Return the parts that this process does."""
        index, count = place()
        if batch % self.parts or self.parts % count:
            raise BadInputError(
                f"spread.parts = {self.parts}, expected a divisor of the batch of {batch} and a multiple of the "
                f"{count} processes"
            )
        return range(index * self.parts // count, (index + 1) * self.parts // count)

    def laid_out(self, model: Model) -> Model:
        """Return what is trained: the model itself or, with several processes, a copy of which each holds a shard."""
        count = place()[1]
        if self.parts > count and isinstance(model, Learner) and model.judges_batches:
            raise BadInputError(
                f"spread.parts = {self.parts} on {count} processes: the guard of this model judges a batch as a whole, "
                f"which parts one after another never show it, expected spread.parts = {count}"
            )
        if count == 1 and not self.recompute:
            return model
        work = copy.deepcopy(model)
        blocks = [block for part in work.modules() if isinstance(part, nn.ModuleList) for block in part]
        if self.recompute:
            for block in blocks:
                block.forward = partial(checkpoint, block.forward, use_reentrant=False)
        if count > 1:
            from torch.distributed.fsdp import fully_shard, register_fsdp_forward_method

            units: list[nn.Module] = [*blocks, work]
            for unit in units:
                fully_shard(unit)
            register_fsdp_forward_method(work, "loss_together")
        return work


def place() -> tuple[int, int]:
    """Return the number of this process and how many there are."""
    return (dist.get_rank(), dist.get_world_size()) if dist.is_initialized() else (0, 1)


@contextmanager
def joined() -> Iterator[bool]:
    """Join the processes that `torchrun` has started, if it has; tell whether this is the first of them."""
    if "TORCHELASTIC_RUN_ID" not in os.environ:
        yield True
        return
    dist.init_process_group("gloo")
    try:
        with warnings.catch_warnings():  # nobody writes into the views that blocks return
            warnings.filterwarnings("ignore", "FSDP2-wrapped module")
            yield dist.get_rank() == 0
    finally:
        dist.destroy_process_group()


def summed(*numbers: float) -> list[float]:
    """Add numbers over all processes."""
    if place()[1] == 1:
        return list(numbers)
    total = torch.tensor(numbers, dtype=torch.float64)
    dist.all_reduce(total)
    return total.tolist()


def whole(tensor: Tensor) -> Tensor:
    """Gather a tensor of which every process holds a shard; all must ask together."""
    return tensor.full_tensor() if place()[1] > 1 and isinstance(tensor, _sharded()) else tensor


def shard(tensor: Tensor) -> Tensor:
    """Return the part of a tensor that lies here, sharing its memory."""
    return tensor.to_local() if place()[1] > 1 and isinstance(tensor, _sharded()) else tensor


def placed(tensor: Tensor, like: Tensor) -> Tensor:
    """Cut a whole tensor as another one is cut, where that one lies; a single number stays whole."""
    if place()[1] == 1 or tensor.ndim == 0 or not isinstance(like, _sharded()):
        return tensor.to(like.device)
    from torch.distributed.tensor import distribute_tensor

    return distribute_tensor(tensor, like.device_mesh, like.placements, src_data_rank=None)


def _sharded() -> "type[DTensor]":
    """Import the class of sharded tensors, which takes a second."""
    from torch.distributed.tensor import DTensor

    return DTensor
