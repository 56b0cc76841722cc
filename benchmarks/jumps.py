"""What does the second stage, which learns whole jumps, gain? Velocity error against denoising steps, with and without.

Eight frames of uniform motion (0.2 s apart, four given), size pico, 32 px; trained here with few leaps in the mixture,
so that one step is not what was practised most, then with the stage `jumps` as well (0.4 of the steps); and with as
many plain steps more as the stage costs, for a fair comparison. `against_20` is the mean difference to 20 steps of
the same model on the same clips, as a share of the error with 20, with a bootstrap interval.
    python benchmarks/jumps.py FOLDER [steps]
"""

import json
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
from rich.console import Console

from cavendish.data import Blend, Picture, Share, Split
from cavendish.measure.score import interval
from cavendish.models import DiffusionConfig
from cavendish.models.diffusion import Diffusion, Mixture, Sampling, prompts
from cavendish.scenes import UniformMotion
from cavendish.studies import Study, Weighing
from cavendish.studies.exam import film, look, motion, velocity
from cavendish.studies.run import learn, open_run
from cavendish.training import TrainingConfig, seeded

SCENE, GIVEN, FRAMES, CLIPS = UniformMotion(), 4, 8, 256
PLAIN = Mixture(leap=0.3, prefix=0.6, context=GIVEN)


def main() -> None:
    """Train the three models, or load what is there, and print a line for each number of steps."""
    steps = int(sys.argv[2]) if len(sys.argv) > 2 else 1000
    pupils = {
        "plain": (PLAIN, steps),
        "jumps": (replace(PLAIN, jumps=0.4), steps),
        "longer": (PLAIN, round(5 / 3 * steps)),
    }
    for name, (mixture, count) in pupils.items():
        data = Blend((Share(Split(SCENE, size=3_000_000, picture=Picture(32, 32), flip=0.5), 1, FRAMES, 2),))
        training = TrainingConfig(count, 16, 2e-3, "adamw", ema=0.99, save_every=count)
        study = Study("jumps", data, DiffusionConfig("pico", 8, 4, mixture=mixture), training, Weighing(("train",)))
        with open_run(study, Path(sys.argv[1])) as (folder, stop):
            model = learn(study, folder, stop, Console(quiet=True))
        assert isinstance(model, Diffusion)
        for line in curve(model):
            print(json.dumps({"pupil": name} | line), flush=True)


def curve(model: Diffusion) -> list[dict[str, object]]:
    """Return the velocity error for every number of steps."""
    time = 0.2 * np.arange(FRAMES)
    true = film(SCENE, motion(SCENE, ("interpolation",), CLIPS, time, 1), 32)
    counted, lines, best = true.visible & (np.arange(FRAMES) >= GIVEN), [], np.zeros(CLIPS)
    right = velocity(time, true.seen.position, counted)
    for steps in (20, 4, 2, 1):
        asked = prompts.extend(true.part(0, GIVEN), 0, FRAMES - GIVEN)
        frames = model.dream(asked, seeded(1), Sampling(steps)).frames
        assert frames is not None
        error = np.linalg.norm(velocity(time, look(true, frames).position, counted) - right, axis=-1)
        best = error if steps == 20 else best
        gap = (error - best)[np.isfinite(error - best)] / np.nanmean(best)
        lines.append(
            {
                "steps": steps,
                "velocity_error": float(np.nanmean(error)),
                "interval": interval(error[np.isfinite(error)]),
            }
            | {
                "against_20": float(gap.mean()),
                "against_20_interval": interval(gap),
                "scored": int(np.isfinite(error).sum()),
            }
        )
    return lines


if __name__ == "__main__":
    main()
