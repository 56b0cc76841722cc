"""Which share of this machine's float32 matrix-product rate does a training step reach? One run, paired.

Size micro at 64 px, the whole step: clips, loss, gradients, optimiser. FLOPs are counted exactly (attention
included, rendering and the optimiser's own products not), the matrix-product rate is taken between the steps.
    python benchmarks/training.py
"""

import json
import time

import numpy as np
import torch

from cavendish.data import Picture, Split
from cavendish.models import DiffusionConfig
from cavendish.scenes import UniformMotion
from cavendish.training import seeded
from cavendish.training.machine import keep_freed_memory, matmul_rate
from cavendish.training.optimiser import Optimiser

STEPS, WARM = 24, 4  # memory settles in the first ones


def main() -> None:
    """Alternate training steps and plain products, and print the medians of their rates and of the share."""
    keep_freed_memory()
    split = Split(UniformMotion(), picture=Picture(64, 64), flip=0.5)
    for batch, tubelet in ((32, 4), (8, 1)):
        model = DiffusionConfig(size="micro", patch=16, tubelet=tubelet).build(seeded(0))
        for rule in ("adamw", "muon"):
            optimiser = Optimiser(model, rule, 1e-4)
            rates, peaks = [], []
            for step in range(STEPS):
                peaks.append(matmul_rate(repeats=3))
                begun = time.perf_counter()
                clip = split.clips(np.arange(batch) + step * batch)
                loss, _ = model.loss(clip, seeded(0, step))
                loss.backward()
                optimiser.step(1.0)
                rates.append(model.training_flops(clip) / (time.perf_counter() - begun))
            low, share, high = np.quantile(np.array(rates[WARM:]) / np.array(peaks[WARM:]), (0.25, 0.5, 0.75)).tolist()
            result = {"batch": batch, "tubelet": tubelet, "optimiser": rule, "threads": torch.get_num_threads()}
            result |= {"gflops": np.median(rates[WARM:]) / 1e9, "matmul_gflops": np.median(peaks[WARM:]) / 1e9}
            print(json.dumps(result | {"share": share, "quartiles": [low, high]}))


if __name__ == "__main__":
    main()
