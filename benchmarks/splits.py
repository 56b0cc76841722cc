"""How soon does a split of three million clips give its first batch, and any clip? And what does its length cost?

    python benchmarks/splits.py
The first batch is timed in a fresh process, with everything imported and compiled code taken from its cache (a first
run ever compiles, which takes longer). A clip's time is given by the clock on the wall, which other work on the machine
delays, and as the processor's own. Memory is what a split of three million holds beyond one of three hundred.
"""

import json
import time
import tracemalloc

import numpy as np

from cavendish.data import Picture, Split
from cavendish.data.study_grid import study_level
from cavendish.scenes import Collision

SIZE, BATCH, CLIPS = 3_000_000, 64, 200


def held(size: int) -> int:
    """Return the bytes that a split holds after a clip was taken from it."""
    tracemalloc.start()
    split = Split(Collision(), size=size, picture=Picture(8, 8))
    split.trajectories(np.array([size - 1]))
    held, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return held


def main() -> None:
    """Time a random split and the study's own grid at its largest level."""
    figures = {}
    for name, split in (("random", Split(Collision(), size=SIZE)), ("grid", study_level(Collision(), "3M"))):
        begun = time.perf_counter()
        split.clips(np.arange(BATCH))
        figures[f"{name}_first_batch_s"] = time.perf_counter() - begun
        wall, own = [], []
        for index in np.random.default_rng(0).integers(0, len(split), CLIPS).tolist():
            begun, spent = time.perf_counter(), time.thread_time()
            split[index]
            wall.append(1e3 * (time.perf_counter() - begun))
            own.append(1e3 * (time.thread_time() - spent))
        for which, times in (("wall", wall), ("processor", own)):
            figures[f"{name}_clip_median_ms_{which}"] = float(np.median(times))
            figures[f"{name}_clip_p95_ms_{which}"] = float(np.quantile(times, 0.95))
    held(300)  # what is loaded once
    figures["bytes_more_than_for_300_clips"] = held(SIZE) - held(300)
    print(json.dumps(figures, indent=1))


if __name__ == "__main__":
    main()
