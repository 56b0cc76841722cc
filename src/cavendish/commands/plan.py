"""`cavendish plan STUDY` or `cavendish plan EXPERIMENT --preset h100`: what it will cost on this machine.

FLOPs are counted, attention included, in the mean over all kinds of clips; MFU is their share of what this machine
multiplies. Time and memory are those of a few whole training steps: films, loss, gradient, optimiser and average. Of a
grid every kind of training is timed in this way, seeds apart. What is meant for an accelerator is timed where there is
one, and counted elsewhere.
"""

import math
import resource
import sys
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace

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
from cavendish.studies.schools import operations
from cavendish.training import TrainingConfig, seeded
from cavendish.training.loop import CLIP_NORM, carried, follow, paced
from cavendish.training.machine import keep_freed_memory, usual_rate
from cavendish.training.optimiser import Optimiser

WARM, TRIALS = 3, 14  # steps that compile and warm up, and all steps
FEW = 6  # of these, for every kind of training in a grid


@dataclass(frozen=True)
class Options:
    """Price a study."""

    study: tyro.conf.Positional[str]
    """Name of the study, or of an experiment."""
    preset: str = "quick"
    """Of an experiment: which grid."""


@dataclass(frozen=True)
class Price:
    """What a stage of a training costs."""

    stage: str
    parameters: int
    steps: int
    clips: int  # of all steps
    flops: float  # of all steps, of training
    step: float  # s; not a number where the device is not here

    @property
    def seconds(self) -> float:
        """Return the time of all steps."""
        return self.steps * self.step


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
    """Say what every stage of a study costs, and all of them."""
    stages, on_device = tuple(_priced(study, TRIALS)), study.engine.device == "cuda"
    shown: dict[str, str] = {}
    for one in stages:
        shown |= {
            f"{one.stage}: parameters": f"{one.parameters / 1e6:.2f} M",
            f"{one.stage}: training FLOPs": f"{one.flops:.2e} "
            f"({one.flops / one.clips / 1e9:.2f} G per clip, attention included)",
        }
    shown["training clips"] = f"{sum(one.clips for one in stages):,}"
    if not study.engine.is_here():
        return shown | {"time and memory": "not known here: torch finds no CUDA device"}
    peak = usual_rate(study.engine.device, study.engine.numbers)
    for one in stages:
        share = 100 * one.flops / one.seconds / peak
        shown |= {
            f"{one.stage}: one step here": f"{one.step:.3f} s (MFU {share:.0f} %)",
            f"{one.stage}: time here": f"{one.seconds / 60:.1f} min for {one.steps:,} steps",
        }
    resident = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
    memory = torch.cuda.max_memory_allocated() if on_device else resident
    threads = "" if on_device else f", {torch.get_num_threads()} threads"
    return shown | {
        "training time here": f"{sum(one.seconds for one in stages) / 60:.1f} min",
        "memory here": f"{memory / 2**20:.0f} MiB at most",
        "matmul rate here": f"{peak / 1e9:.0f} GFLOP/s {study.engine.products}{threads}",
    }


def price_of_all(experiment: Experiment, preset: str) -> Table:
    """Say what every kind of training in a grid costs, and the grid."""
    cells = experiment.cells(preset)
    shown = Table(
        "trainings",
        "number",
        "parameters [M]",
        "TFLOP each",
        "clips each",
        "minutes each here",
        title=f"{experiment.name} {preset}",
    )
    flops = seconds = 0.0
    for study, number in Counter(replace(cell.study, seed=0) for cell in cells).items():
        stages = tuple(_priced(study, FEW))
        parameters, clips = sum(one.parameters for one in stages), sum(one.clips for one in stages)
        work, lasting = sum(one.flops for one in stages), sum(one.seconds for one in stages)
        kind = f"{study.name}, {study.data.lead.picture.width} px"
        shown.add_row(
            kind, str(number), f"{parameters / 1e6:.2f}", f"{work / 1e12:,.2g}", f"{clips:,}", _minutes(lasting)
        )
        flops, seconds = flops + number * work, seconds + number * lasting
    trials = len(experiment.tasks(preset)) - len(cells)
    shown.add_section()
    shown.add_row("all", f"{len(cells)} and {trials} trials", "", f"{flops / 1e12:,.3g}", "", _minutes(seconds))
    return shown


def _minutes(seconds: float) -> str:
    return "not known: no CUDA device" if math.isnan(seconds) else f"{seconds / 60:,.1f}"


def _priced(study: Study, trials: int) -> Iterator[Price]:
    """Count what can be counted, and time a few training steps of every stage for the rest, where its device is."""
    keep_freed_memory()
    for stage in study.model.build(seeded(study.seed)).stages():
        config = paced(study.training, stage.pace)
        clips = config.steps * config.batch
        step = _step_seconds(study, stage, config, trials) if study.engine.is_here() else float("nan")
        parameters = sum(p.numel() for p in stage.module.parameters())
        yield Price(stage.name, parameters, config.steps, clips, clips * operations(study, stage), step)


def _step_seconds(study: Study, stage: Stage, config: TrainingConfig, trials: int) -> float:
    """Time whole steps on what is trained, films and average included; parameters do not move."""
    engine, parts = study.engine, study.spread.parts
    model = engine.ready(study.spread.laid_out(engine.carried(stage.module)))
    optimiser = Optimiser(model, config.optimiser, config.rate)
    average = {name: value.detach().clone() for name, value in model.state_dict().items()}
    seconds = []
    for trial in range(trials):
        start = time.perf_counter()
        for part in study.spread.mine(config.batch):
            drawn = study.data.batches(trial * parts + part, config.batch // parts, engine.device)
            kinds = tuple(carried(clip, engine.device) for clip in drawn)
            with engine.arithmetic():
                loss, _ = model.loss_together(kinds, seeded(study.seed, trial, part, device=engine.device))
            loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(model.parameters(), CLIP_NORM).item()  # waits for a device
        optimiser.step(0.0)
        follow(average, model, config.ema)
        seconds.append(time.perf_counter() - start)
    return float(np.mean(seconds[WARM:]))  # not the median: some steps ask more than others
