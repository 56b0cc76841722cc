"""How much of an accelerator's bfloat16 rate does a training step reach, as it is, compiled, and as CUDA graphs?

Clips lie on the device already, so this is the step alone: loss, gradients, clipping, optimiser. FLOPs are counted
exactly, attention included; `mfu` is their share of the data sheet's dense rate (H100 SXM: 989e12), `share` of what
8192 x 8192 products reach here. The aim is mfu >= 0.40 at size S, 128 px, 32 frames; on one H100:
    python benchmarks/gpu_training.py S 128 64
and what a whole run reaches, clips drawn and moved as well, is printed line by line by
    cavendish train uniform-s-30k
Written without an accelerator at hand: not run on one yet. `python benchmarks/gpu_training.py pico 32 4 cpu` checks
the script itself.
"""

import json
import sys
import time
from dataclasses import replace

import numpy as np
import torch

from cavendish.data import Picture, Split
from cavendish.models import DiffusionConfig
from cavendish.scenes import UniformMotion
from cavendish.training import seeded
from cavendish.training.engine import Engine
from cavendish.training.loop import CLIP_NORM
from cavendish.training.machine import usual_rate
from cavendish.training.optimiser import Optimiser

SHEET, STEPS, COLD = 989e12, 30, 10
FAST = tuple(Engine("cuda", "bfloat16", compiled) for compiled in ("no", "kernels", "graphs"))


def main() -> None:
    """Time the step under every engine and with long and short rows of tokens."""
    size, side, batch, *device = sys.argv[1:]
    for engine in (Engine(),) if device == ["cpu"] else FAST:
        for tubelet in (1, 4):
            config = DiffusionConfig(size, max(8, int(side) // 8), tubelet)
            print(json.dumps(timed(config, engine, Picture(int(side), int(side)), int(batch))), flush=True)
            torch._dynamo.reset()
            torch.cuda.empty_cache()  # recorded graphs keep their memory


def timed(config: DiffusionConfig, engine: Engine, picture: Picture, batch: int) -> dict[str, object]:
    """Return the median rate of steps that are warm."""
    model = engine.ready(engine.carried(config.build(seeded(0))))
    optimiser = Optimiser(model, "adamw", 1e-4)
    clip = Split(UniformMotion(), picture=picture, flip=0.5).clips(np.arange(batch), engine.device)
    clip = replace(clip, time=clip.time.to(engine.device))
    seconds = []
    for step in range(STEPS if engine.device == "cuda" else 4):
        begun = time.perf_counter()
        with engine.arithmetic():
            loss, _ = model.loss(clip, seeded(0, step, device=engine.device))
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), CLIP_NORM)
        optimiser.step(1.0)
        loss.item()  # waits for the device
        seconds.append(time.perf_counter() - begun)
    rate = model.training_flops(clip) / float(np.median(seconds[COLD:] or seconds[1:]))
    return {
        "size": config.size,
        "side": picture.width,
        "tubelet": config.tubelet,
        "batch": batch,
        "compiled": engine.compiled,
        "clips_per_second": batch * rate / model.training_flops(clip),
        "tflops": rate / 1e12,
        "mfu": rate / SHEET,
        "share": rate / usual_rate(engine.device, engine.numbers),
        "first_step_s": seconds[0],
    }


if __name__ == "__main__":
    main()
