"""`cavendish plan STUDY`: what a study will cost on this machine, before it starts."""

import time
from dataclasses import dataclass

import numpy as np
import torch
import tyro
from rich.console import Console
from rich.table import Table

from cavendish.commands.options import parse_with_study
from cavendish.models import WorldModel
from cavendish.studies import Study
from cavendish.training import seeded
from cavendish.training.machine import matmul_rate
from cavendish.training.optimiser import Optimiser
from cavendish.video import Clip

TRIALS = 4
COPIES = 5  # parameters, average, gradient, and up to two moments


@dataclass(frozen=True)
class Options:
    """Price a study."""

    study: tyro.conf.Positional[str]
    """Name of the study."""


def main(arguments: list[str]) -> None:
    """Print the price list."""
    _, study = parse_with_study(Options, arguments, "cavendish plan")
    shown = Table("quantity", "value", title=f"plan of {study.name}")
    for name, value in price(study).items():
        shown.add_row(name, value)
    Console().print(shown)


def price(study: Study) -> dict[str, str]:
    """Count what can be counted, and time a few training steps for the rest."""
    model = study.model.build(seeded(study.seed))
    clips = study.data.batches(0, study.training.batch)
    parameters = sum(p.numel() for p in model.parameters())
    flops = sum(map(model.training_flops, clips))
    peak = matmul_rate()
    seconds = _step_seconds(study, model, clips)
    steps = study.training.steps
    return {
        "parameters": f"{parameters / 1e6:.2f} M",
        "training clips": f"{steps * study.training.batch:,}",
        "training FLOPs": f"{steps * flops:.2e} ({flops / study.training.batch / 1e9:.2f} G per clip)",
        "state in memory": f"{COPIES * 4 * parameters / 2**20:.0f} MiB",
        "matmul rate here": f"{peak / 1e9:.0f} GFLOP/s float32, {torch.get_num_threads()} threads",
        "one step here": f"{seconds:.3f} s ({100 * flops / seconds / peak:.0f} % of the matmul rate)",
        "training time here": f"{steps * seconds / 60:.1f} min",
    }


def _step_seconds(study: Study, model: WorldModel, clips: tuple[Clip, ...]) -> float:
    optimiser = Optimiser(model, study.training.optimiser, study.training.rate)
    seconds = []
    for trial in range(TRIALS):
        start = time.perf_counter()
        loss, _ = model.loss_together(clips, seeded(study.seed, trial))
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step(0.0)
        seconds.append(time.perf_counter() - start)
    return float(np.median(seconds[1:]))
