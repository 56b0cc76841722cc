"""All that is asked of one dreamer: on every region its scores and its law, once per study its symmetry and surprise.

A model and every control are asked alike. The law is read off the first clips of a region by `measure.discovery`; of
a model without pixels with its probe's error as the ruler's, and only where the probe explains enough. The same
question is put from another place, in a mirror, on its side and from a moving train by `studies.symmetry`; and films
are shown with impossible twins by `measure.surprise`, beside detectors of change, of smoothness and of straight lines,
which a model that knows a law must beat.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, UInt8

from cavendish.data import Split
from cavendish.errors import BadInputError
from cavendish.measure import scorecard
from cavendish.measure.appearance import appearance_scores, camera_motion, has_fixed_scenery
from cavendish.measure.copying import Taught, case_index, copying_scores
from cavendish.measure.discovery import Discovery, discover
from cavendish.measure.featured import FeatureReader, discover_through
from cavendish.measure.lag import action_lag
from cavendish.measure.results import MODEL, Answers, Entry
from cavendish.measure.score import figure, score
from cavendish.measure.study_ruler import study_velocity_error
from cavendish.measure.surprise import BASELINES, Surprised, kinds_of, preference, twins
from cavendish.motion import Trajectory
from cavendish.scenes import Playable, Scene
from cavendish.studies.controls import Coast, Dreamer, Freeze, NearestCase
from cavendish.studies.symmetry import weigh_symmetries
from cavendish.training import seeded

LAW_CLIPS, TURNED, PAIRS = 24, 16, 48
READ_ALOUD = (MODEL, "oracle")  # whose law is printed
PROBED = "probe R2 of places"


@dataclass(frozen=True)
class Exam:
    """Questions with their true answers, and what could be copied."""

    split: Split
    truth: Trajectory
    taught: Taught
    actions: Float[np.ndarray, "b t a"] | None
    probe: FeatureReader | None = None  # what tells the places, where the model has no pixels


def marked(exam: Exam, who: str, reading: Trajectory, frames: UInt8[np.ndarray, "b t h w c"]) -> Entry:
    """Ask one dreamer everything about one region."""
    scene, truth = exam.split.scene, exam.truth
    scores = [*scorecard(scene, truth, reading).scores, study_velocity_error(scene, truth, frames)]
    if exam.split.picture.backdrop is None and scene.space == 2:
        drawing = scene.draw(truth)
        scores += appearance_scores(scene, reading, scene.world, frames, drawing.background)
        unseen = score("camera motion", "m", np.full(len(frames), np.nan))
        scores.append(camera_motion(frames, reading, scene.world) if has_fixed_scenery(drawing) else unseen)
    scores += copying_scores(scene, truth, reading, exam.taught)
    if exam.actions is not None and isinstance(scene, Playable):
        scores.append(action_lag(scene, truth, exam.actions, reading))
    law = law_of(scene, reading, exam.probe) if who in READ_ALOUD else None
    if exam.probe is not None and who in READ_ALOUD:
        scores += [figure(PROBED, "", exam.probe.explained), figure("probe error", "m", exam.probe.error)]
    return Entry(who, tuple(scores), case_index(scene, truth, exam.taught.case, reading), law)


def law_of(scene: Scene, reading: Trajectory, probe: FeatureReader | None = None) -> Discovery | None:
    """Read the law off the first clips; none where motion is not of a kind from which laws are read."""
    if isinstance(scene, Playable) or scene.space != 2:
        return None
    try:
        first = reading[:LAW_CLIPS]
        return discover(scene, first) if probe is None else discover_through(probe, scene, first)
    except BadInputError:
        return None


def symmetries_of(split: Split, model: Dreamer, cases: NearestCase, clips: int) -> tuple[Answers, ...]:
    """Ask the model and the controls the same question from elsewhere."""
    if split.scene.space != 2 or isinstance(split.scene, Playable) or split.picture.backdrop is not None:
        return ()
    dreamers: dict[str, Dreamer] = {MODEL: model, "coast": Coast(split.scene, cases.reader), "freeze": Freeze()}
    dreamers["nearest case"] = cases
    few = min(clips, TURNED)
    return tuple(Answers(who, weigh_symmetries(split, dreamer, few)) for who, dreamer in dreamers.items())


def surprise_of(split: Split, model: Surprised, clips: int) -> tuple[Answers, ...]:
    """Ask the model and the baselines which of two films is impossible, for every violation the scene allows."""
    made = {kind: twins(split, spoil, min(clips, PAIRS)) for kind, spoil in kinds_of(split.scene).items()}
    asked = {kind: pairs for kind, pairs in made.items() if len(pairs.parting) > 1}
    answers = []
    for who, judge in ({MODEL: model} | dict(BASELINES)).items():
        found = {kind: preference(judge, pairs, seeded(split.seed)) for kind, pairs in asked.items()}
        scores = [(kind, part) for kind, told in found.items() for part in (told.accuracy, told.auroc)]
        answers.append(Answers(who, tuple(part.named(f"{kind}, {part.name}") for kind, part in scores)))
    return tuple(answers) if asked else ()
