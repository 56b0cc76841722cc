"""The lab's one sentence, executed: learn, imagine, read, measure; every part resumes or is skipped when done."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
from jaxtyping import Shaped
from rich.console import Console

from cavendish.artefact import commit_file, committed_folder, sole_writer
from cavendish.codec import to_json
from cavendish.errors import CorruptDataError
from cavendish.measure.results import RESULTS, Results
from cavendish.measure.verdict import INSIDE
from cavendish.models import WorldModel
from cavendish.studies.controls import NearestCase, reader_of
from cavendish.studies.marks import surprise_of, symmetries_of
from cavendish.studies.sighted import sighted
from cavendish.studies.study import Study, read_study
from cavendish.studies.weigh import Weighed, weigh
from cavendish.training import Run, load_trained, seeded, train
from cavendish.training.machine import describe
from cavendish.training.progress import watching
from cavendish.training.signals import StopRequest, stop_requests


@contextmanager
def open_run(study: Study, root: Path) -> Iterator[tuple[Path, StopRequest]]:
    """Hold a study's run folder as its sole writer, with its configuration and machine written down."""
    folder = study.folder(root)
    with sole_writer(folder), stop_requests() as stop:
        if (folder / "study.json").exists():
            if read_study(folder) != study:
                raise CorruptDataError(f"{folder / 'study.json'}: not the study that this folder is named after")
        else:
            commit_file(folder / "study.json", json.dumps(to_json(study), indent=1).encode())
        commit_file(folder / "machine.json", json.dumps(describe(), indent=1).encode())
        yield folder, stop


def learn(study: Study, folder: Path, stop: StopRequest, console: Console) -> WorldModel:
    """Train a study's model, or finish or load what an earlier call has done."""
    model = study.model.build(seeded(study.seed))
    with watching(console) as watch:
        train(model, Run(folder, study.data, study.training, study.seed, stop, watch, study.spread, study.engine))
    return model


def load(folder: Path) -> WorldModel:
    """Load the trained model of a run folder."""
    study = read_study(folder)
    model = study.model.build(seeded(study.seed))
    load_trained(model, folder)
    return model.eval()


def measure(study: Study, folder: Path, model: WorldModel, stop: StopRequest, say: Callable[[str], None]) -> None:
    """Weigh a model on every region and commit the results in one piece."""
    cases = NearestCase(study.data.lead, study.weighing.cases, reader_of(study.data.lead))
    dreamer, weighed = sighted(study.data.lead, model), []
    for region in study.weighing.regions:
        say(f"weigh {region}: {study.weighing.clips} clips, model and controls")
        weighed.append(weigh(study, region, dreamer, cases))
        stop.check(f"after weighing {region}")
    say("ask from elsewhere, and show impossible twins")
    inside, clips = replace(study.data.lead, region=INSIDE, seed=study.weighing.seed, flip=0.0), study.weighing.clips
    turned, strange = symmetries_of(inside, dreamer, cases, clips), surprise_of(inside, dreamer, clips)
    results = Results(tuple(w.result for w in weighed), turned, strange)
    with committed_folder(folder / RESULTS) as private:
        (private / "scores.json").write_text(json.dumps(to_json(results), indent=1))
        for w in weighed:
            np.savez_compressed(private / f"{w.result.region}.npz", allow_pickle=False, **_arrays(w))


def run(study: Study, root: Path, console: Console) -> Path:
    """Run a whole study and return its folder; what is already done is not done again."""
    with open_run(study, root) as (folder, stop):
        if not (folder / RESULTS).exists():
            model = learn(study, folder, stop, console)
            measure(study, folder, model, stop, lambda line: console.print(line, highlight=False))
        return folder


def _arrays(weighed: Weighed) -> dict[str, Shaped[np.ndarray, "..."]]:
    arrays = {"time": weighed.truth.time, "factors": weighed.truth.factors}
    for who, moving in {"truth": weighed.truth, **weighed.readings}.items():
        name = who.replace(" ", "_")
        arrays |= {f"{name}_position": moving.position, f"{name}_radius": moving.radius}
    return arrays | {f"{who}_frames": film for who, film in weighed.films.items()}
