"""Where a step is computed: on the processor, as everything here was tested, or on a CUDA device and how fast.

Products may be in bfloat16 (autocast; parameters, average and optimiser stay float32). `kernels` compiles every block
(Ansel et al. 2024); `graphs` also records its kernels as one CUDA graph, so that launching them, most of a small
step, costs nothing. On a CPU bfloat16 is slower than float32 and compiled blocks gained nothing (docs/log.md), so
both are refused there. What was learnt comes home: a trained model lies on the processor again.
"""

import copy
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Literal, TypeVar, final

import torch
from torch import nn

from cavendish.errors import BadInputError
from cavendish.training.spread import place

Model = TypeVar("Model", bound=nn.Module)
MODES = {"kernels": "default", "graphs": "reduce-overhead"}


@final
@dataclass(frozen=True)
class Engine:
    """What computes, in which numbers, and whether blocks are compiled first."""

    device: Literal["cpu", "cuda"] = "cpu"
    products: Literal["float32", "bfloat16"] = "float32"
    compiled: Literal["no", "kernels", "graphs"] = "no"

    def __post_init__(self) -> None:
        """Refuse what costs more on a CPU than it gains."""
        if self.device == "cpu" and (self.products, self.compiled) != ("float32", "no"):
            raise BadInputError(
                f"engine.products = {self.products}, engine.compiled = {self.compiled}: "
                "slower than float32 as it is on a CPU, expected engine.device = cuda with them"
            )

    def is_here(self) -> bool:
        """Tell whether this machine has the device."""
        return self.device == "cpu" or torch.cuda.is_available()

    def require_here(self, parts: int) -> None:
        """Refuse a device that is not there, or that several processes would share, and graphs for a batch in parts."""
        if self.compiled == "graphs" and parts > 1:  # gradients of one part lie where the next one's graph begins
            raise BadInputError(f"engine.compiled = graphs, spread.parts = {parts}: expected kernels, or 1 part")
        if not self.is_here():
            raise BadInputError("engine.device = cuda: torch finds no CUDA device on this machine, expected cpu")
        if self.device == "cuda" and place()[1] > 1:
            raise BadInputError("engine.device = cuda: one process at a time as yet, expected cpu under torchrun")

    def carried(self, model: Model) -> Model:
        """Return the model, or a copy of it on the device."""
        return model if self.device == "cpu" else copy.deepcopy(model).to(self.device)

    def ready(self, model: Model) -> Model:
        """Compile the blocks, if asked to, the first time that they are called."""
        if self.compiled != "no":
            for part in model.modules():
                for block in part if isinstance(part, nn.ModuleList) else ():
                    block.compile(mode=MODES[self.compiled], dynamic=False)
        return model

    def arithmetic(self) -> AbstractContextManager[object]:
        """Return what a loss is computed under."""
        if self.compiled == "graphs":
            torch.compiler.cudagraph_mark_step_begin()  # type: ignore[no-untyped-call]
        return torch.autocast(self.device, torch.bfloat16) if self.products == "bfloat16" else nullcontext()

    @property
    def numbers(self) -> torch.dtype:
        """Return the kind of number that products are made of."""
        return torch.bfloat16 if self.products == "bfloat16" else torch.float32
