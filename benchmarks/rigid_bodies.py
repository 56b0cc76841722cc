"""Which share of the time of a combinatorial clip does the engine itself take? One run, one core, one ratio.

The share is the time inside the engine's step over the time of a whole clip without its film: factors, layout,
furnishing, steps, states.
    python benchmarks/rigid_bodies.py
"""

import json
import time

import numpy as np
import pymunk

from cavendish.data import Split
from cavendish.scenes import Combinatorial

CLIPS = 60


def main() -> None:
    """Count the time inside `pymunk.Space.step`, and print the rates and their ratio."""
    split = Split(Combinatorial(), seed=7)
    split.trajectories(np.arange(2))
    inside, plain = 0.0, pymunk.Space.step

    def timed(space: pymunk.Space, dt: float) -> None:
        nonlocal inside
        begun = time.perf_counter()
        plain(space, dt)
        inside += time.perf_counter() - begun

    pymunk.Space.step = timed
    begun = time.perf_counter()
    split.trajectories(np.arange(2, 2 + CLIPS))
    whole = time.perf_counter() - begun
    pymunk.Space.step = plain
    print(json.dumps({"clips_per_second": CLIPS / whole, "share_inside_engine": inside / whole}, indent=1))


if __name__ == "__main__":
    main()
