"""One training loop for every model.

Step n sees the clips n B .. n B + B - 1 of the split, or its part of a blend (clips are independent draws: no shuffle),
and a generator seeded by (seed, n): a run is a function of two integers, and a resumed run equals an
uninterrupted one bit by bit on one machine and thread count. How a step is spread over processes does not matter
(`spread`). An exponential moving average follows the parameters,
ema <- d ema + (1 - d) p with d = min(decay, (1 + n) / (10 + n)), but not buffers. Gradients are clipped to norm 1.
A loss or gradient that is not finite stops the run before it touches any parameter.
"""

import hashlib
import math
import signal
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import Literal, final

import torch
from torch import Tensor

from cavendish.data import AnyData
from cavendish.errors import BadInputError, NonFiniteError
from cavendish.models.world_model import Learner, Pace, Stage, WorldModel
from cavendish.training import checkpoint
from cavendish.training.engine import Engine
from cavendish.training.log import Record, append, rewind
from cavendish.training.machine import keep_freed_memory, usual_rate
from cavendish.training.optimiser import Optimiser, check_items, rate_share
from cavendish.training.signals import StopRequest
from cavendish.training.spread import Spread, place, placed, shard, summed, whole
from cavendish.video import Clip

CLIP_NORM = 1.0
LOG_EVERY = 20


@final
@dataclass(frozen=True)
class TrainingConfig:
    """How long, how fast and by which rule a model learns."""

    steps: int = 2000
    batch: int = 32
    rate: float = 2e-3
    optimiser: Literal["adamw", "muon"] = "muon"
    warmup: float = 0.02  # share of the steps
    decay: float = 0.5  # share of the steps
    ema: float = 0.99
    save_every: int = 100  # steps

    def __post_init__(self) -> None:
        """Refuse what cannot train."""
        if min(self.steps, self.batch, self.save_every) < 1:
            raise BadInputError("training steps, batch and save_every must be at least 1")
        if not (self.rate > 0 and 0 <= self.ema < 1 and 0 <= self.warmup <= 1 and 0 <= self.decay <= 1):
            raise BadInputError("training needs rate > 0, 0 <= ema < 1, and warmup and decay between 0 and 1")


def seeded(seed: int, *numbers: int, device: torch.device | str = "cpu") -> torch.Generator:
    """Return a generator that is a function of a seed and some integers."""
    digest = hashlib.sha256(repr((seed, *numbers)).encode()).digest()
    return torch.Generator(device).manual_seed(int.from_bytes(digest[:8], "big") >> 1)


@dataclass(frozen=True)
class Run:
    """Where a model is trained, on what, how, and who is told."""

    folder: Path
    split: AnyData
    config: TrainingConfig
    seed: int
    stop: StopRequest
    watch: Callable[[Record], None]
    spread: Spread = field(default_factory=Spread)
    engine: Engine = field(default_factory=Engine)


def train(model: WorldModel, run: Run) -> None:
    """Train all stages of a model, resuming from the newest checkpoint; leaves the averaged parameters in it."""
    keep_freed_memory()
    run.engine.require_here(run.spread.parts)
    for stage in model.stages():  # before the first of them has taken hours
        run.spread.mine(paced(run.config, stage.pace).batch)
    peak = usual_rate(run.engine.device, run.engine.numbers)
    for number, stage in enumerate(model.stages()):
        _train_stage(stage, number, replace(run, config=paced(run.config, stage.pace)), peak)


def load_trained(model: WorldModel, folder: Path) -> None:
    """Put the newest averaged parameters of every stage into a model, of a run or published; refuse what has none."""
    for stage in model.stages():
        _fill(stage.module, *checkpoint.averaged(folder, stage.name))


def paced(config: TrainingConfig, pace: Pace) -> TrainingConfig:
    """Give a stage its own number of steps, batch and rate."""
    steps, batch = (
        max(1, round(total * factor)) for total, factor in ((config.steps, pace.steps), (config.batch, pace.batch))
    )
    return replace(config, steps=steps, batch=batch, rate=config.rate * pace.rate)


def _train_stage(stage: Stage, number: int, run: Run, peak: float) -> None:
    model, config = run.engine.ready(run.spread.laid_out(run.engine.carried(stage.module))), run.config
    parts, first = run.spread.mine(config.batch), place()[0] == 0
    folder, log = run.folder / "checkpoints" / stage.name, run.folder / "log.jsonl"
    optimiser = Optimiser(model, config.optimiser, config.rate)
    average = {name: p.detach().clone() for name, p in model.state_dict().items()}
    start = _resume(model, optimiser, average, folder, run)
    if first:
        rewind(log, stage.name, start)
    model.train()
    clock, last, flops = time.perf_counter(), start, 0.0
    feed = _feed(run, start, _device(model))
    clips = next(feed, ())  # a stage that is done sees none
    for step in range(start, config.steps):
        losses: float = 0.0
        figures: list[dict[str, float]] = []
        for part in parts:
            numbers = (number, step, part) if run.spread.parts > 1 else (number, step)
            with run.engine.arithmetic():
                loss, figure = model.loss_together(clips, seeded(run.seed, *numbers, device=_device(model)))
            (loss / len(parts)).backward()  # type: ignore[no-untyped-call]
            figures.append(figure)
            flops += sum(map(model.training_flops, clips))
            clips = next(feed, ())  # drawn while an accelerator still computes
            losses += loss.item()
        norm_value = whole(torch.nn.utils.clip_grad_norm_(model.parameters(), CLIP_NORM)).item()
        loss_value, asked = summed(losses / run.spread.parts, float(run.stop.signal is not None))
        _require_finite(loss_value, norm_value, stage.name, step, config.batch)
        optimiser.step(rate_share(step, config.steps, config.warmup, config.decay))
        follow(average, model, min(config.ema, (1 + step) / (10 + step)))
        done = step + 1
        if first and (done % LOG_EVERY == 0 or done == config.steps):
            elapsed = time.perf_counter() - clock
            speed = {
                "clips_per_second": (done - last) * config.batch / elapsed,
                "seconds_left": elapsed / (done - last) * (config.steps - done),
                "flops_per_second": flops / elapsed,
                "flop_share": flops / elapsed / peak,
            }
            record = {"stage": stage.name, "step": done, "steps": config.steps, "loss": loss_value}
            record |= {"gradient_norm": norm_value, **_finite(figures[0]), **speed}
            append(log, record)
            run.watch(record)
            clock, last, flops = time.perf_counter(), done, 0.0
        stopping = asked > 0  # asked once, of all processes: a later signal waits for the next step
        if done % config.save_every == 0 or done == config.steps or stopping:
            _save(model, optimiser, average, folder, done, run)
        if stopping and done < config.steps:
            run.stop.signal = run.stop.signal or signal.SIGTERM  # it may have reached another process alone
            run.stop.check(f"after step {done} of stage '{stage.name}', checkpoint saved")
    _fill(stage.module, {name: whole(value) for name, value in average.items()}, str(folder))
    stage.module.eval()


def _feed(run: Run, start: int, device: torch.device) -> Iterator[tuple[Clip, ...]]:
    """Make what every part of every step sees, one after the other."""
    batch = run.config.batch
    for step in range(start, run.config.steps):
        for part in run.spread.mine(batch):
            drawn = run.split.batches(step * run.spread.parts + part, batch // run.spread.parts, device.type)
            yield tuple(carried(clip, device) for clip in drawn)


def carried(clip: Clip, device: torch.device | str) -> Clip:
    """Bring what belongs to frames to where they were drawn, without what a model must not see."""
    pressed = None if clip.actions is None else clip.actions.to(device)
    told = None if clip.told is None else cache(clip.told)  # asked for twice: to be learnt, and to count the work
    return replace(clip, time=clip.time.to(device), trajectory=None, actions=pressed, told=told)


def _device(model: Learner) -> torch.device:
    return next(model.parameters()).device


def _require_finite(loss: float, norm: float, stage: str, step: int, batch: int) -> None:
    if not (math.isfinite(loss) and math.isfinite(norm)):
        raise NonFiniteError(
            f"stage '{stage}', step {step}: loss {loss}, gradient norm {norm}; "
            f"clips {step * batch} to {(step + 1) * batch - 1}; parameters untouched"
        )


def _finite(figures: dict[str, float]) -> dict[str, float]:
    return {name: value for name, value in figures.items() if math.isfinite(value)}


@torch.no_grad()
def follow(average: dict[str, Tensor], model: Learner, decay: float) -> None:
    """Move the average towards the parameters; buffers are taken as they are, for they follow something already."""
    state, buffers = model.state_dict(), dict(model.named_buffers())
    learnt = [name for name in state if name not in buffers]
    torch._foreach_lerp_([shard(average[name]) for name in learnt], [shard(state[name]) for name in learnt], 1 - decay)
    for name in state.keys() & buffers.keys():
        shard(average[name]).copy_(shard(state[name]))


def _save(model: Learner, optimiser: Optimiser, average: dict[str, Tensor], folder: Path, done: int, run: Run) -> None:
    state = {
        "step": done,
        "seed": run.seed,
        "data_position": done * run.config.batch % run.split.size,
        "clips_seen": done * run.config.batch,
        "threads": torch.get_num_threads(),
    }
    parts = {"model": dict(model.state_dict()), "ema": average, "optimiser": optimiser.state()}
    tensors = {kind: {name: whole(value) for name, value in part.items()} for kind, part in parts.items()}
    if place()[0] == 0:
        checkpoint.save(folder, done, tensors, state)


def _resume(model: Learner, optimiser: Optimiser, average: dict[str, Tensor], folder: Path, run: Run) -> int:
    """Load the newest checkpoint, if there is one, and return the number of steps done."""
    found = checkpoint.steps(folder)
    if not found:
        return 0
    tensors, state = checkpoint.load(found[-1])
    if state["seed"] != run.seed:
        raise BadInputError(f"{found[-1]}: made with seed {state['seed']}, this run has seed {run.seed}")
    torch.set_num_threads(state["threads"])  # sums depend on it, and a resumed run must equal an uninterrupted one
    _fill(model, tensors["model"], str(found[-1] / "model.safetensors"))
    check_items(str(found[-1] / "ema.safetensors"), average, tensors["ema"])
    average.update({name: placed(value, average[name]) for name, value in tensors["ema"].items()})
    optimiser.load(tensors["optimiser"], str(found[-1] / "optimiser.safetensors"))
    return int(state["step"])


def _fill(model: Learner, tensors: dict[str, Tensor], source: str) -> None:
    state = model.state_dict()
    check_items(source, state, tensors)
    model.load_state_dict({name: placed(value, state[name]) for name, value in tensors.items()})
