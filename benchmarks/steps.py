"""What do few steps cost? The velocity error of a trained run's imagination against its number of denoising steps.

    python benchmarks/steps.py RUN [region] [clips]
The same clips, context and noise for every number of steps; errors are those of the report, with 95 % intervals, and
`against_20` is the mean difference to 20 steps on the same clips, with its own interval.
"""

import json
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np

from cavendish.measure import scorecard
from cavendish.measure.score import interval
from cavendish.models.diffusion import Diffusion, Sampling, prompts
from cavendish.readout.perspective import lift
from cavendish.studies import load, read_study
from cavendish.studies.weigh import reader_of
from cavendish.training import seeded

STEPS = (20, 4, 2, 1)
BATCH = 64


def main() -> None:
    """Imagine with every number of steps, read, and print a line for each."""
    run, region = Path(sys.argv[1]), (sys.argv[2] if len(sys.argv) > 2 else "interpolation")
    count = int(sys.argv[3]) if len(sys.argv) > 3 else 256
    study, model = read_study(run), load(run)
    assert isinstance(model, Diffusion)
    scene = study.data.scene
    clip = replace(study.data, region=region, size=count, seed=1).clips(np.arange(count))
    truth = clip.trajectory
    assert truth is not None
    reader, best = reader_of(study.data), np.zeros(count)
    for steps in STEPS:
        begun, films = time.perf_counter(), []
        for number, part in enumerate(clip.frames.split(BATCH)):
            given = replace(clip, frames=part, trajectory=None, told=None).first(scene.context)
            asked = prompts.extend(given, 0, scene.frames - scene.context)
            dreamt = model.dream(asked, seeded(1, number), Sampling(steps)).frames
            assert dreamt is not None
            films.append(dreamt.numpy())
        seconds = time.perf_counter() - begun
        reading = lift(scene, truth, reader.read(np.concatenate(films), truth.time))
        error = next(s for s in scorecard(scene, truth, reading).scores if s.name.startswith("velocity error"))
        values = np.array(error.values)
        best = values if steps == STEPS[0] else best
        gap = (values - best)[np.isfinite(values - best)]
        print(
            json.dumps(
                {"steps": steps, error.name: error.value, "interval": (error.low, error.high), "scored": error.n}
                | {"against_20": float(gap.mean()), "against_20_interval": interval(gap), "seconds": seconds}
            ),
            flush=True,
        )


if __name__ == "__main__":
    main()
