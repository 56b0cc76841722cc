"""Does a model that reads captions through a sentence encoder understand wordings that it was never taught?

Eight frames of a ball in uniform motion (0.2 s apart), size pico, 32 px, asked for by nothing but a caption. Taught are
the grammar's paraphrases; asked are fresh paraphrases, and the sentences below, most of whose words no lesson held.
What is asked for is compared with what the reader sees: slopes of 1, the right direction and place.
    pip install 'cavendish[wording]';  python benchmarks/wording.py FOLDER [steps]
"""

import json
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
from rich.console import Console

from cavendish.data import Blend, Picture, Share, Split
from cavendish.data.captions import describe
from cavendish.measure.score import Score
from cavendish.models import DiffusionConfig
from cavendish.models.diffusion import Diffusion, Mixture, Wording, prompts
from cavendish.scenes import UniformMotion
from cavendish.studies import Study, Weighing
from cavendish.studies.exam import Film, film, look, motion, regression, velocity
from cavendish.studies.run import learn, open_run
from cavendish.studies.sora_checks import lost, placed, share
from cavendish.training import TrainingConfig, seeded

SCENE, FRAMES, CLIPS, SIDE = UniformMotion(), 8, 128, 32
TIME = 0.2 * np.arange(FRAMES)
UNSEEN = (
    "Show me a crimson sphere, {r:.2f} metres in radius, drifting {way}wards by {v:.2f} metres every second. "
    "It begins {x:.2f} metres from the {from_} edge, {y:.2f} metres above the floor.",
    "Clip of a round thing gliding to the {way}: {v:.2f} m each second, {y:.2f} m up, {r:.2f} m from centre to rim, "
    "starting {x:.2f} m off the {from_} border.",
    "Starting {x:.2f} m from the {from_} side at height {y:.2f} m, a globe with a radius of {r:.2f} m travels {way} "
    "and covers {v:.2f} m in a second.",
)


def main() -> None:
    """Train the model, or load what is there, and print a line for each kind of wording."""
    steps = int(sys.argv[2]) if len(sys.argv) > 2 else 2000
    split = Split(SCENE, size=3_000_000, picture=Picture(SIDE, SIDE), flip=0.5)
    data = Blend((Share(split, 1, FRAMES, 2, told="paraphrase"),))
    mixture = Mixture(leap=0.6, prefix=0.0, whole=0.2, cap=2.0, silent=0.0, bare=0.6)
    model = DiffusionConfig("pico", 8, 4, mixture=mixture, text=Wording())
    training = TrainingConfig(steps, 16, 1.5e-3, ema=0.995, save_every=250)
    study = Study("wording", data, model, training, Weighing(("interpolation",)))
    with open_run(study, Path(sys.argv[1])) as (folder, stop):
        learnt = learn(study, folder, stop, Console(quiet=True))
    assert isinstance(learnt, Diffusion)
    true = film(SCENE, motion(SCENE, ("interpolation",), CLIPS, TIME, 1), SIDE)
    taught = tuple(describe(SCENE, true.truth, "paraphrase", np.random.default_rng(0)))
    for name, captions in (("taught phrases", taught), ("unseen wording", worded(true))):
        scores = {s.name: [round(v, 3) for v in (s.value, s.low, s.high)] for s in asked(learnt, true, captions)}
        print(json.dumps({"asked in": name, "example": captions[0]} | scores), flush=True)


def worded(true: Film) -> tuple[str, ...]:
    """Ask for every clip in words that no lesson held; places are told from the edge that the ball comes from."""
    said = []
    for number, (radius, speed, x, y) in enumerate(true.truth.factors[:, :4]):
        way, from_ = ("right", "left") if true.truth.velocity[number, 0, 0, 0] > 0 else ("left", "right")
        said.append(UNSEEN[number % len(UNSEEN)].format(r=radius, v=speed, x=x, y=y, way=way, from_=from_))
    return tuple(said)


def asked(model: Diffusion, true: Film, captions: tuple[str, ...]) -> tuple[Score, ...]:
    """Ask by captions alone, and compare."""
    blank = prompts.nothing(FRAMES, (SIDE, SIDE), TIME[1], true.clip.world, CLIPS)
    frames = model.dream(replace(blank, captions=captions), seeded(1)).frames
    assert frames is not None
    seen = look(true, frames)
    right, got = (velocity(TIME, which.position, true.visible)[:, 0] for which in (true.seen, seen))
    return (
        regression("slope of speed", np.abs(right), np.abs(got)),
        share("right direction", right * got > 0),
        regression("slope of size", true.seen.radius.mean(1), np.nanmean(seen.radius, 1)),
        placed("place error", true, seen, true.visible),
        lost("all", seen, true.visible),
    )


if __name__ == "__main__":
    main()
