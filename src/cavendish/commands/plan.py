"""`cavendish plan STUDY` or `cavendish plan EXPERIMENT --preset h100`: what it will cost on this machine.

FLOPs are counted, attention included; MFU is their share of what this machine multiplies. Time and memory are those of
a few whole training steps: films, loss, gradient, optimiser and average. A grid of trainings is counted, not timed:
its time is that of its operations at the rate of large matrix products here, of which training reaches about a half.
"""

import resource
import sys
import time
from dataclasses import dataclass

import numpy as np
import torch
import tyro
from rich.console import Console
from rich.table import Table

from cavendish.commands.options import parse_with_study
from cavendish.models.world_model import Stage
from cavendish.studies import Study
from cavendish.studies.experiment import Experiment
from cavendish.studies.experiments import EXPERIMENTS
from cavendish.studies.schools import cost
from cavendish.training import TrainingConfig, seeded
from cavendish.training.loop import CLIP_NORM, follow, paced
from cavendish.training.machine import keep_freed_memory, usual_rate
from cavendish.training.optimiser import Optimiser

TRIALS = 12


@dataclass(frozen=True)
class Options:
    """Price a study."""

    study: tyro.conf.Positional[str]
    """Name of the study, or of an experiment."""
    preset: str = "quick"
    """Of an experiment: which grid."""


def main(arguments: list[str]) -> None:
    """Print the price list."""
    named = {experiment.name: experiment for experiment in EXPERIMENTS}
    known = next((named[word] for word in arguments if word in named), None)
    if known is not None:
        options = tyro.cli(Options, args=arguments, prog="cavendish plan")
        Console().print(price_of_all(known, options.preset))
        return
    _, study = parse_with_study(Options, arguments, "cavendish plan")
    shown = Table("quantity", "value", title=f"plan of {study.name}")
    for name, value in price(study).items():
        shown.add_row(name, value)
    Console().print(shown)


def price(study: Study) -> dict[str, str]:
    """Count what can be counted, and time a few training steps of every stage for the rest."""
    keep_freed_memory()
    model = study.model.build(seeded(study.seed))
    shown: dict[str, str] = {}
    peak, total, clips = usual_rate("cpu"), 0.0, 0
    for stage in model.stages():
        config = paced(study.training, stage.pace)
        clips_of_step = study.data.batches(0, config.batch // study.spread.parts)
        flops = study.spread.parts * sum(map(stage.module.training_flops, clips_of_step))
        seconds = _step_seconds(study, stage, config)
        total, clips = total + config.steps * seconds, clips + config.steps * config.batch
        shown |= {
            f"{stage.name}: parameters": f"{sum(p.numel() for p in stage.module.parameters()) / 1e6:.2f} M",
            f"{stage.name}: training FLOPs": f"{config.steps * flops:.2e} "
            f"({flops / config.batch / 1e9:.2f} G per clip, attention included)",
            f"{stage.name}: one step here": f"{seconds:.3f} s (MFU {100 * flops / seconds / peak:.0f} %)",
            f"{stage.name}: time here": f"{config.steps * seconds / 60:.1f} min for {config.steps:,} steps",
        }
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
    return shown | {
        "training clips": f"{clips:,}",
        "training time here": f"{total / 60:.1f} min",
        "memory here": f"{memory / 2**20:.0f} MiB at most",
        "matmul rate here": f"{peak / 1e9:.0f} GFLOP/s float32, {torch.get_num_threads()} threads",
    }


def price_of_all(experiment: Experiment, preset: str) -> Table:
    """Count what a grid of trainings will take."""
    cells = experiment.cells(preset)
    kinds: dict[str, list[Study]] = {}
    for cell in cells:
        kinds.setdefault(f"{cell.study.name}, {cell.study.data.lead.picture.width} px", []).append(cell.study)
    shown = Table(
        "trainings", "number", "parameters [M]", "TFLOP each", "clips each", title=f"{experiment.name} {preset}"
    )
    total = 0.0
    for name, studies in kinds.items():
        parameters, flops, clips = cost(studies[0], studies[0].model.build(seeded(0)))
        total += len(studies) * flops.value
        seen = f"{1000 * clips.value:,.0f}"
        shown.add_row(name, str(len(studies)), f"{parameters.value:.2f}", f"{flops.value:,.2g}", seen)
    trials = len(experiment.tasks(preset)) - len(cells)
    hours = total * 1e12 / usual_rate("cpu") / 3600
    shown.add_section()
    shown.add_row("all", f"{len(cells)} and {trials} trials", "", f"{total:,.3g}", f"{hours:,.3g} h at the rate here")
    return shown


def _step_seconds(study: Study, stage: Stage, config: TrainingConfig) -> float:
    """Time whole steps on what is trained, films and average included; parameters do not move."""
    model, parts = study.spread.laid_out(stage.module), study.spread.parts
    optimiser = Optimiser(model, config.optimiser, config.rate)
    average = {name: value.detach().clone() for name, value in model.state_dict().items()}
    seconds = []
    for trial in range(TRIALS):
        start = time.perf_counter()
        for part in study.spread.mine(config.batch):
            kinds = study.data.batches(trial * parts + part, config.batch // parts)
            loss, _ = model.loss_together(kinds, seeded(study.seed, trial, part))
            loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(model.parameters(), CLIP_NORM)
        optimiser.step(0.0)
        follow(average, model, config.ema)
        seconds.append(time.perf_counter() - start)
    return float(np.mean(seconds[1:]))  # not the median: some steps ask more than others
