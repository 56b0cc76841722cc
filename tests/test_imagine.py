"""`cavendish imagine` answers prompts from the command line, and refuses what no prompt can be."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from cavendish.cli import call
from cavendish.data.media import read_clip

SMALL = ["--data.picture.height", "16", "--data.picture.width", "16", "--training.steps", "2", "--training.batch", "2"]


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Train a model with captions and one without, for two steps each, and film something to prompt with."""
    root = tmp_path_factory.mktemp("runs")
    for study in ("uniform-prompts", "uniform-quick"):
        assert call(["train", study, "--out", str(root), *SMALL]) == 0
        next(root.glob(f"{study}-*")).rename(root / study)
    size = ["--size", "16", "--format", "png"]
    assert call(["render", "uniform-motion", "--count", "2", "--out", str(root / "films"), *size]) == 0
    return root


def asked(runs: Path, out: Path, *words: str, run: str = "uniform-prompts") -> int:
    """Prompt a run; the words FILM and THEN stand for films, IMAGE for one of their frames."""
    film, then = sorted(p for p in (runs / "films").iterdir() if p.is_dir())
    known = {"FILM": str(film), "THEN": str(then), "IMAGE": str(film / "0003.png")}
    return call(
        ["imagine", str(runs / run), "--out", str(out), "--format", "png", "--count", "2"]
        + [known.get(word, word) for word in words]
    )


ANSWERS: dict[str, tuple[int, int, int]] = {
    "--duration 0.8": (8, 16, 16),
    "--size 24 8 --duration 0.4": (4, 24, 8),
    "--duration 0.1": (1, 16, 16),
    "--caption uniform-motion:_velocity_2_m/s --text-guidance 1.5": (32, 16, 16),
    "--image IMAGE --duration 1": (10, 16, 16),
    "--clip FILM --duration 4 --steps 1": (40, 16, 16),
    "--clip FILM --how backward --duration 4 --history-guidance 1.2": (40, 16, 16),
    "--clip FILM --how join --then THEN --duration 7.2": (72, 16, 16),
    "--how loop --duration 0.8": (8, 16, 16),
    "--clip FILM --how edit --strength 0.3": (32, 16, 16),
    "--clip FILM --how loop --strength 0.5": (32, 16, 16),
    "--clip FILM --how inpaint --hole 0.5 1 2 5 2 5": (32, 16, 16),
}


@pytest.mark.parametrize("words", list(ANSWERS))
def test_every_way_of_prompting_is_answered(runs: Path, tmp_path: Path, words: str) -> None:
    split = [word.replace("_", " ") for word in words.split()]
    assert asked(runs, tmp_path / "out", *split) == 0
    first, second = (read_clip(tmp_path / "out" / f"clip_000{k}") for k in (0, 1))
    assert first.shape == second.shape == (*ANSWERS[words], 3)
    if "FILM" in words and "edit" not in words and "loop" not in words:
        given = read_clip(next(iter(sorted(p for p in (runs / "films").iterdir() if p.is_dir()))))
        where = slice(8, 40) if "backward" in words else slice(0, 32)
        same = (first[where] == given).all((1, 2, 3))
        assert same.sum() >= (26 if "inpaint" in words else 32)
    if "--image" in words:
        assert np.array_equal(first[0], np.asarray(Image.open(sorted((runs / "films").glob("*/0003.png"))[0])))


MISTAKES = {
    "--size 20 16": "height = 20, expected a multiple of 8",
    "--size 0 16": "expected more than 0",
    "--caption radius_1,_velocty_2": "did you mean 'velocity'",
    f"--caption {'radius_' * 70}": "expected at most 64",
    "--clip FILM --image IMAGE": "expected one of --image and --clip",
    "--clip FILM --size 16 16": "no --size",
    "--clip FILM --duration 1": "extend 32 frames by 0 and -22",
    "--clip FILM --how join --then THEN": "-32 between",
    "--how edit": "needs --clip",
    "--how loop --duration 0.5": "a loop of 5 frames",
    "--clip FILM --how join": "--then is missing",
    "--clip FILM --how inpaint": "--hole is missing",
    "--clip FILM --how inpaint --hole 9 10 0 1 0 1": "hole",
    "--clip FILM --how edit --strength 2": "strength = 2",
    "--clip nowhere": "nowhere: no such file",
    "--duration -1": "duration = -1",
    "--duration 1 --steps 0": "at least 1 step",
    "--duration 1 --text-guidance -1": "guidance between 0",
}


@pytest.mark.parametrize("words", list(MISTAKES), ids=lambda words: words[:40])
def test_a_prompt_that_cannot_be_is_one_line(
    runs: Path, tmp_path: Path, words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    split = [word.replace("_", " ") for word in words.split()]
    assert asked(runs, tmp_path / "out", *split) == 2
    complaint = capsys.readouterr().err
    assert complaint.count("\n") == 1
    assert MISTAKES[words] in complaint
    assert not (tmp_path / "out").exists()


def test_a_model_without_captions_says_so(runs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert asked(runs, tmp_path / "out", "--caption", "radius 1", run="uniform-quick") == 2
    assert "trained without captions" in capsys.readouterr().err


def test_nothing_is_dreamt_from_weights_that_were_never_loaded(
    runs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bare = runs / "bare"
    bare.mkdir(exist_ok=True)
    (bare / "study.json").write_bytes((runs / "uniform-prompts" / "study.json").read_bytes())
    assert asked(runs, tmp_path / "out", "--duration", "1", run="bare") == 2
    assert "no checkpoint of stage 'model'; train it first" in capsys.readouterr().err
    (checkpoint,) = (runs / "uniform-quick" / "checkpoints" / "model").glob("step-*")
    target = bare / "checkpoints" / "model"
    target.mkdir(parents=True)
    (target / checkpoint.name).symlink_to(checkpoint)
    assert asked(runs, tmp_path / "out", "--duration", "1", run="bare") == 3  # another model's weights
    assert "item 'denoiser.words.number.bias' is missing" in capsys.readouterr().err
