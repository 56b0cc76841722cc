"""How many frames does the reader turn into metres per second of one core? Two balls, 128 px.

Beside it the obvious way: thresholds on colour channels and the centroid of the mask, frame by frame, as the study's
own evaluator does, which finds no radius at the edge, no confidence and no lost ball.
    python benchmarks/reading.py
"""

import json
import time

import numpy as np

from cavendish.data import Picture, Split
from cavendish.readout import Reader
from cavendish.scenes import Collision

SIDE, CLIPS, REPEATS = 128, 32, 5


def obvious(frames: np.ndarray) -> np.ndarray:
    """Find both balls by thresholds."""
    rows, columns = np.mgrid[:SIDE, :SIDE]
    found = np.empty((len(frames), 2, 2))
    for k, frame in enumerate(frames):
        for n, channel in enumerate((0, 2)):
            mask = (frame[..., channel] > 128) & (frame[..., 1] < 128) & (frame[..., 2 - channel] < 128)
            found[k, n] = (columns[mask].mean(), rows[mask].mean()) if mask.any() else np.nan
    return found


def main() -> None:
    """Time both on the same frames, in processor seconds."""
    clip = Split(Collision(), picture=Picture(SIDE, SIDE)).clips(np.arange(CLIPS))
    assert clip.trajectory is not None
    frames, moments = clip.frames.numpy(), clip.trajectory.time
    reader = Reader.of(Collision().draw(clip.trajectory))
    reader.read(frames[:1], moments)  # compiles
    ours, theirs = [], []
    for _ in range(REPEATS):
        begun = time.process_time()
        reader.read(frames, moments)
        ours.append(CLIPS * len(moments) / (time.process_time() - begun))
        begun = time.process_time()
        obvious(frames.reshape(-1, SIDE, SIDE, 3)[:256])
        theirs.append(256 / (time.process_time() - begun))
    rates = {"frames_per_cpu_second": float(np.median(ours)), "obvious_frames_per_cpu_second": float(np.median(theirs))}
    print(json.dumps(rates | {"ratio": float(np.median(ours) / np.median(theirs))}, indent=1))


if __name__ == "__main__":
    main()
