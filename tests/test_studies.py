"""A study is a value; running it again does nothing; its page stands on its own."""

import json
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from cavendish.codec import from_json, to_json
from cavendish.errors import BadInputError, CorruptDataError
from cavendish.measure.results import read_results
from cavendish.measure.verdict import HEADLINE
from cavendish.report import verdict_table, write_report
from cavendish.scenes import UniformMotion
from cavendish.scenes.scene import Scene
from cavendish.studies import STUDIES, Study, load, read_study, run
from cavendish.studies.controls import Coast, Freeze, NearestCase, Oracle
from cavendish.studies.weigh import reader_of
from cavendish.training import seeded

QUIET = Console(quiet=True)


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Run a tiny study once."""
    study = STUDIES["uniform-quick"]
    tiny = replace(
        study,
        data=replace(study.data, picture=replace(study.data.picture, height=16, width=16)),
        training=replace(study.training, steps=2, batch=2),
        weighing=replace(study.weighing, clips=4, cases=50),
    )
    return run(tiny, tmp_path_factory.mktemp("runs"), QUIET)


@pytest.mark.parametrize("name", list(STUDIES))
def test_studies_survive_json(name: str) -> None:
    study = STUDIES[name]
    assert from_json(Study, json.loads(json.dumps(to_json(study)))) == study


def test_every_field_decides_the_hash(tiny_study: Study) -> None:
    others = [
        replace(tiny_study, seed=1),
        replace(tiny_study, training=replace(tiny_study.training, rate=1e-4)),
        replace(tiny_study, data=replace(tiny_study.data, flip=0.0)),
        replace(tiny_study, model=replace(tiny_study.model, registers=0)),
    ]
    assert len({study.hash() for study in [tiny_study, *others]}) == 5
    assert replace(tiny_study).hash() == tiny_study.hash()


@pytest.mark.parametrize(
    ("change", "named"),
    [
        (lambda c: c["training"].update(stpes=3), "unknown field of study.training 'stpes': did you mean 'steps'"),
        (lambda c: c["training"].pop("steps"), "field 'steps' is missing"),
        (lambda c: c["training"].update(steps="many"), r"study.training.steps = 'many', expected int"),
        (lambda c: c["training"].update(optimiser="moun"), "did you mean 'muon'"),
        (lambda c: c["data"]["scene"].update(type="Parabolla"), "did you mean 'Parabola'"),
        (lambda c: c["weighing"].update(regions="all"), "expected a list"),
    ],
)
def test_a_study_file_with_a_mistake_is_refused_by_name(change: object, named: str) -> None:
    content = to_json(STUDIES["uniform-quick"])
    change(content)
    with pytest.raises(BadInputError, match=named):
        from_json(Study, content, "study")


def test_running_again_does_nothing(finished: Path) -> None:
    before = {path: path.stat().st_mtime_ns for path in finished.rglob("*.npz")}
    assert run(read_study(finished), finished.parent, QUIET) == finished
    assert {path: path.stat().st_mtime_ns for path in finished.rglob("*.npz")} == before


def test_the_loaded_model_imagines_what_was_weighed(finished: Path) -> None:
    study, scene = read_study(finished), UniformMotion()
    split = replace(study.data, region="interpolation", size=4, seed=study.weighing.seed)
    dreams = load(finished).imagine(split.clips(np.arange(4)).first(3), 29, seeded(study.weighing.seed, 0))
    with np.load(finished / "results" / "interpolation.npz") as stored:
        assert np.array_equal(stored["model_frames"], dreams.frames)
    assert scene.context == 3


def test_the_page_stands_on_its_own(finished: Path, tmp_path: Path) -> None:
    page = write_report([finished, finished], tmp_path / "report.html").read_text()
    assert not re.search(r"""(src|href)=["'](?!data:|#)""", page)
    assert "url(http" not in page
    for part in (
        "<svg",
        "data:image/webp;base64",
        "interpolation",
        "ood-velocity",
        "@software{cavendish",
        "Beside other",
    ):
        assert part in page
    assert page.count("<figure>") == 8
    assert len(page) < 6e6


def test_the_terminal_shows_every_region(finished: Path) -> None:
    console = Console(record=True, width=160, quiet=False, file=open("/dev/null", "w"))  # noqa: PTH123, SIM115
    with console.file:
        console.print(verdict_table(finished))
    text = console.export_text()
    assert all(region in text for region in ("interpolation", "ood-radius", "ood-velocity", "ood-both"))


def test_altered_results_are_refused_by_name(finished: Path, tmp_path: Path) -> None:
    import shutil

    copy = tmp_path / finished.name
    shutil.copytree(finished, copy)
    scores = copy / "results" / "scores.json"
    scores.write_text(scores.read_text().replace("0", "1", 1))
    with pytest.raises(CorruptDataError, match=r"scores\.json"):
        read_results(copy)
    with pytest.raises(BadInputError, match="no such run folder"):
        write_report([tmp_path / "nowhere"], tmp_path / "page.html")


def test_controls_score_as_what_they_are(finished: Path) -> None:
    inside = read_results(finished).of("interpolation")
    error = {entry.who: entry[HEADLINE].value for entry in inside.entries if entry.who != "model"}
    assert error["oracle"] < 0.05
    assert error["coast"] < 0.1  # coasting is the law of uniform motion
    assert error["freeze"] > 1.0
    assert inside.of("nearest case").copying.value == pytest.approx(1.0, abs=0.1)
    assert inside.of("oracle").copying.value < 0.1


def test_controls_continue_every_scene(scene: Scene, tiny_study: Study) -> None:
    data = replace(tiny_study.data, scene=scene, flip=0.0 if scene.handed else 0.5)
    clip = replace(data, region="interpolation", size=3).clips(np.arange(3))
    assert clip.trajectory is not None
    reader = reader_of(data)
    for control in (Oracle(scene, clip.trajectory, 1.0), Coast(scene, reader), Freeze(), NearestCase(data, 30, reader)):
        dreams = control.imagine(clip.first(scene.context), scene.frames - scene.context, seeded(0))
        assert dreams.frames is not None
        assert dreams.frames.shape == clip.frames.shape
        assert np.array_equal(dreams.frames[:, : scene.context], clip.frames[:, : scene.context])
