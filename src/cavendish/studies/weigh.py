"""Imagine -> read -> measure, for a model and for every control, on the regions of a study."""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import UInt8

from cavendish.data import Split
from cavendish.measure.copying import Taught
from cavendish.measure.results import MODEL, RegionResult
from cavendish.motion import Trajectory
from cavendish.readout.perspective import lift
from cavendish.render import render
from cavendish.scenes import Scene
from cavendish.scenes.looks import in_view
from cavendish.studies.controls import Coast, Dreamer, Freeze, NearestCase, Oracle, reader_of
from cavendish.studies.marks import Exam, marked
from cavendish.studies.sighted import Retold, Sighted
from cavendish.studies.study import Study
from cavendish.training import seeded
from cavendish.video import Clip, Imagined

BATCH = 64  # clips imagined at a time
SHOWN = 4  # clips per region whose frames are kept for the report


@dataclass(frozen=True)
class Weighed:
    """What one region said about one model: the scores, and what they were computed from."""

    result: RegionResult
    truth: Trajectory
    readings: dict[str, Trajectory]  # the model and the controls, as read from their pictures
    films: dict[str, UInt8[np.ndarray, "b t h w c"]]  # the first few clips of truth and model


def weigh(study: Study, region: str, model: Dreamer, cases: NearestCase) -> Weighed:
    """Weigh a model and the controls on fresh clips of one region."""
    data, weighing = study.data.lead, study.weighing
    scene, reader = data.scene, reader_of(data)
    split = Split(scene, region, weighing.clips, weighing.seed, data.picture, data.flip)
    clip = split.clips(np.arange(split.size))
    truth = clip.truth
    context, horizon = clip.first(scene.context), scene.frames - scene.context
    dreamt = _dream_in_parts(model, context, horizon, weighing.seed).film.numpy()
    pictures = {MODEL: dreamt}
    readings = {MODEL: lift(scene, truth, reader.read(dreamt, truth.time))}
    noise = picture_noise(scene, truth, readings[MODEL], dreamt)
    oracle = Oracle(scene, truth, noise)
    controls: dict[str, Dreamer] = {
        "oracle": Retold(model, oracle) if isinstance(model, Sighted) else oracle,
        "coast": Coast(scene, reader),
        "freeze": Freeze(),
        "nearest case": cases,
    }
    for name, control in controls.items():
        pictures[name] = control.imagine(context, horizon, seeded(weighing.seed)).film.numpy()
        readings[name] = lift(scene, truth, reader.read(pictures[name], truth.time))
    taught = Taught(cases.recall(context), len(cases.cases.position), data.region)
    actions = None if clip.actions is None else clip.actions.double().numpy()
    exam = Exam(split, truth, taught, actions, model.reader if isinstance(model, Sighted) else None)
    entries = tuple(marked(exam, who, reading, pictures[who]) for who, reading in readings.items())
    films = {"truth": clip.frames[:SHOWN].numpy(), MODEL: dreamt[:SHOWN]}
    return Weighed(RegionResult(region, noise, entries), truth, readings, films)


def picture_noise(
    scene: Scene, truth: Trajectory, reading: Trajectory, frames: UInt8[np.ndarray, "b t h w c"]
) -> float:
    """Return the rms difference (sRGB bytes) between imagined frames and a clean drawing of what was read there."""
    seen = in_view(scene.draw(truth))
    found = seen.any(-1) & np.logical_not((reading.lost & seen).any(-1))
    found[:, : scene.context] = False
    if not found.any():
        return 0.0
    drawn = render(scene.draw(reading), *frames.shape[-3:-1])
    difference = frames[found].astype(np.float32) - drawn[found]
    return float(np.sqrt((difference**2).mean()))


def _dream_in_parts(model: Dreamer, context: Clip, horizon: int, seed: int) -> Imagined:
    """Imagine a large batch in parts, each with a generator of its own, so that memory stays bounded."""
    parts = [
        model.imagine(
            Clip(context.frames[start : start + BATCH], context.time, context.world), horizon, seeded(seed, start)
        )
        for start in range(0, len(context.frames), BATCH)
    ]
    return Imagined(torch.cat([part.film for part in parts]), None, parts[0].time, context.world, parts[0].context)
