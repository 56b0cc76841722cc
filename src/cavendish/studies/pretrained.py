"""Models that come with the package: a study, its averaged weights, and a card that says what they can do.

A folder of `weights/` is a run folder without its past: `load` reads it like any other, once its manifest agrees.
There is no network anywhere, no name that is not listed, and no model whose weights were not read.
"""

import json
from pathlib import Path

from cavendish.artefact import committed_folder, verify_folder
from cavendish.codec import to_json
from cavendish.data import Blend
from cavendish.errors import unknown
from cavendish.studies.study import Study, read_study
from cavendish.training import checkpoint, seeded

SHELF = Path(__file__).parents[1] / "weights"


def names() -> list[str]:
    """List the models that come with the package."""
    return sorted(path.parent.name for path in SHELF.glob("*/study.json"))


def pretrained(name: str) -> Path:
    """Return the folder of a model that comes with the package, whole and unaltered."""
    if name not in names():
        raise unknown("pretrained model", name, names())
    verify_folder(SHELF / name)
    return SHELF / name


def publish(run: Path, folder: Path, scores: str) -> None:
    """Publish the averaged weights of a finished run, with a card of what it was taught and how it scores."""
    study = read_study(run)
    with committed_folder(folder) as private:
        (private / "study.json").write_text(json.dumps(to_json(study), indent=1))
        (private / "card.md").write_text(card(study, folder.name, scores))
        for stage in study.model.build(seeded(study.seed)).stages():
            checkpoint.publish(run, stage.name, private)


def card(study: Study, name: str, scores: str) -> str:
    """Say what a model was taught, for how long, and what it can do."""
    training, data = study.training, study.data
    lessons = [f"* {data.lead.scene.name()}, region {data.lead.region}, {data.frames} frames {data.step:g} s apart"]
    if isinstance(data, Blend):
        lessons = [
            f"* {100 * each.weight / data.turn:.0f} %: {each.split.scene.name()}, region {each.split.region}, "
            f"{each.frames} frames {each.step:g} s apart, {each.size[0]} x {each.size[1]} px, captions: {each.told}"
            for each in data.shares
        ]
    parts = [
        f"# {name}",
        f"{training.steps:,} steps of about {training.batch} clips ({training.steps * training.batch:,} in all, none "
        f"twice), {training.optimiser} at {training.rate:g}, averaged parameters ({training.ema:g}), seed "
        f"{study.seed}; everything else is in study.json. All clips are computed from laws of motion.",
        "Taught, in shares of clips:\n\n" + "\n".join(lessons),
        "Scores on fresh clips (95 % intervals):\n\n" + scores,
        "Limits: it knows these worlds, sizes and words alone; it is a laboratory animal, not a video product.",
    ]
    return "\n\n".join(parts)
