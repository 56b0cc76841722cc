"""How many times faster is drawing by exact shares than the obvious way? One run, one core, one ratio.

The obvious way is the study's: NumPy distances over the full grid for every ball, all frames at once, then H.264.
    python benchmarks/pictures.py
"""

import json
import time
from fractions import Fraction

import av
import numpy as np

from cavendish.data import Picture, Split
from cavendish.motion import Trajectory
from cavendish.scenes import Collision

SIDE, CLIPS, BATCH, OBVIOUS_CLIPS = 256, 64, 4, 4


def obvious(truth: Trajectory, clip: int) -> bytes:
    """Draw one clip with array operations over the full grid of all frames, with a soft rim, and encode it."""
    x, y = np.meshgrid(np.linspace(0, 1, SIDE), np.linspace(0, 1, SIDE))
    frames = np.ones((truth.position.shape[1], SIDE, SIDE, 3))
    for body, colour in ((0, (1.0, 0.0, 0.0)), (1, (0.0, 0.0, 1.0))):
        centre, r = truth.position[clip, :, body] / 10, truth.radius[clip, 0, body] / 10
        distance = (x - centre[:, 0, None, None]) ** 2 + (y - centre[:, 1, None, None]) ** 2
        share = np.clip((r**2 - distance) / (0.03 * r**2), 0, 1)[..., None]
        frames = share * np.array(colour) + (1 - share) * frames
    codec = av.CodecContext.create("libx264", "w")
    codec.width = codec.height = SIDE
    codec.pix_fmt, codec.framerate, codec.time_base = "yuv420p", 5, Fraction(1, 5)
    packets = []
    for frame in (255 * frames).astype(np.uint8):
        packets += codec.encode(av.VideoFrame.from_ndarray(frame, format="rgb24").reformat(format="yuv420p"))
    packets += codec.encode()
    return b"".join(bytes(packet) for packet in packets)


def main() -> None:
    """Time both on the same clips and print the rates and their ratio."""
    split = Split(Collision(), picture=Picture(SIDE, SIDE))
    split.clips(np.arange(2))  # compiles
    ours = []
    for start in range(0, CLIPS, BATCH):
        begun = time.process_time()
        split.clips(np.arange(start, start + BATCH))
        ours.append((time.process_time() - begun) / BATCH)
    truth = split.trajectories(np.arange(OBVIOUS_CLIPS))
    theirs = []
    for clip in range(OBVIOUS_CLIPS):
        begun = time.process_time()
        obvious(truth, clip)
        theirs.append(time.process_time() - begun)
    rates = {"clips_per_cpu_second": 1 / np.median(ours), "obvious_clips_per_cpu_second": 1 / np.median(theirs)}
    print(json.dumps(rates | {"ratio": float(np.median(theirs) / np.median(ours))}, indent=1))


if __name__ == "__main__":
    main()
