"""How many two-disc clips per second does a GPU draw, and which share of its memory bandwidth is that?

32 frames of 128 x 128, from the drawing list, which lies in the CPU's memory, to bytes in the device's; bandwidth is
measured by a copy.
    python benchmarks/gpu.py [device] [clips]
"""

import json
import sys
import time
from collections.abc import Callable

import numpy as np
import torch

from cavendish.data import Split
from cavendish.motion import Trajectory
from cavendish.render import render
from cavendish.render.tensors import Canvas, render_tensors
from cavendish.scenes import Collision

SIDE, REPEATS = 128, 20


def seconds(work: Callable[[], object], device: str) -> float:
    """Return the median time of one call."""
    wait = torch.cuda.synchronize if device.startswith("cuda") else (lambda: None)
    taken = []
    for _ in range(REPEATS + 3):
        wait()
        begun = time.perf_counter()
        work()
        wait()
        taken.append(time.perf_counter() - begun)
    return float(np.median(taken[3:]))


def repeated(truth: Trajectory, times: int) -> Trajectory:
    """Repeat clips; drawing does not care that they are equal."""
    return truth[np.tile(np.arange(len(truth.position)), times)]


def main() -> None:
    """Check the picture, then time the drawing and a copy."""
    device = sys.argv[1] if len(sys.argv) > 1 else ("cuda" if torch.cuda.is_available() else "cpu")
    clips = int(sys.argv[2]) if len(sys.argv) > 2 else (4096 if device.startswith("cuda") else 8)
    scene = Collision()
    truth = Split(scene).trajectories(np.arange(min(clips, 64)))
    canvas = Canvas(SIDE, SIDE, device)
    few = scene.draw(truth[:4])
    worst = np.abs(render_tensors(few, canvas).cpu().numpy().astype(int) - render(few, SIDE, SIDE)).max()
    drawing = scene.draw(repeated(truth, clips // len(truth.position)))
    clips = len(drawing.centre)
    drawn = seconds(lambda: render_tensors(drawing, canvas), device)
    content = torch.empty(clips * 32 * SIDE * SIDE * 3, dtype=torch.uint8, device=device)
    target = torch.empty_like(content)
    copied = seconds(lambda: target.copy_(content), device)
    bandwidth = 2 * content.numel() / copied
    result = {
        "device": torch.cuda.get_device_name() if device.startswith("cuda") else device,
        "clips_per_second": round(clips / drawn, 1),
        "largest_difference_from_the_CPU_in_bytes": int(worst),
        "bytes_per_second": content.numel() / drawn,
        "copy_bandwidth": bandwidth,
        "share_of_bandwidth": content.numel() / drawn / bandwidth,
    }
    print(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()
