"""Do films survive compression as physics? True clips and what the codec of a run returns of them, read by one reader.

    cavendish train uniform-latent        (its first stage is the codec)
    python benchmarks/codec.py RUN [region]
Centroid and radius errors are per frame, velocities are slopes of a straight fit over the whole clip; a bias is a mean
with its sign. The gate of the design: centroid within 0.06 px, velocity within 0.2 % at the median, 0.7 % at the 90th.
"""

import json
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from cavendish.models.diffusion import Diffusion
from cavendish.studies import read_study
from cavendish.studies.weigh import reader_of
from cavendish.training import checkpoint, seeded

CLIPS = 128


def main() -> None:
    """Compress, expand, read and compare."""
    run, region = Path(sys.argv[1]), (sys.argv[2] if len(sys.argv) > 2 else "interpolation")
    study = read_study(run)
    model = study.model.build(seeded(0))
    assert isinstance(model, Diffusion)
    path = checkpoint.steps(run / "checkpoints" / "codec")[-1]
    codec = next(model.stages()).module
    codec.load_state_dict(checkpoint.load(path)[0]["ema"])
    clip = replace(study.data, region=region, size=CLIPS, seed=1).clips(np.arange(CLIPS))
    with torch.no_grad():
        parts = [model.there_and_back(part) for part in clip.frames.split(32)]
    back = torch.cat(parts)
    error = (back.float() - clip.frames.float()).square().mean((1, 2, 3, 4))
    result = {"checkpoint": path.name, "region": region, "clips": CLIPS}
    result["psnr_db"] = float((10 * torch.log10(255**2 / error)).median())
    reader, time = reader_of(study.data), clip.time.double().numpy()
    truth, read = (reader.read(frames.numpy(), time) for frames in (clip.frames, back))
    pixel = clip.world.width / clip.frames.shape[-2]
    seen = np.isfinite(truth.position).all(-1)
    found = seen & np.isfinite(read.position).all(-1)
    gap = (read.position - truth.position)[found] / pixel
    result |= {"lost_percent": 100 * float(1 - found.sum() / seen.sum())}
    result |= {"centroid_rms_px": float(np.sqrt((gap**2).mean())), "centroid_bias_px": gap.mean(0).tolist()}
    result |= {"radius_bias_percent": 100 * float(np.nanmean((read.radius / truth.radius - 1)[found]))}
    along = [slopes(moving.position[:, :, 0, 0], time, found[:, :, 0]) for moving in (truth, read)]
    error = along[1] - along[0]
    share = 100 * np.abs(error / along[0])
    result |= {"velocity_bias_m_per_s": float((error * np.sign(along[0])).mean())}
    result |= {"velocity_error_percent_median": float(np.median(share)), "at_90": float(np.quantile(share, 0.9))}
    print(json.dumps(result, indent=1))


def slopes(x: np.ndarray, time: np.ndarray, found: np.ndarray) -> np.ndarray:
    """Fit a straight line to the found places of every clip; clips with fewer than four are left out."""
    kept = found.sum(1) >= 4
    weight, x = found[kept].astype(float), np.where(found[kept], x[kept], 0.0)
    count = weight.sum(1, keepdims=True)
    t = time - (weight * time).sum(1, keepdims=True) / count
    return (weight * t * x).sum(1) / (weight * t**2).sum(1)


if __name__ == "__main__":
    main()
