"""`cavendish imagine` answers prompts from the command line, and refuses what no prompt can be."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from rich.console import Console

from cavendish.cli import call
from cavendish.commands.prompting import Asked, answer
from cavendish.data.decoding import Decoder
from cavendish.data.media import read_clip, write_clip
from cavendish.models import JepaConfig
from cavendish.models.diffusion import Diffusion, Sampling
from cavendish.models.diffusion.prompts import Prompt
from cavendish.studies import load, read_study
from cavendish.studies.run import learn, open_run
from cavendish.video import Imagined

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


def test_a_film_is_continued_and_saved_at_its_own_rate(runs: Path, tmp_path: Path) -> None:
    frames = read_clip(min(p for p in (runs / "films").iterdir() if p.is_dir()))
    film = write_clip(frames[:8], tmp_path / "slow", "mp4", 4.0)
    run, out = str(runs / "uniform-prompts"), tmp_path / "out"
    words = ["--clip", str(film), "--duration", "3", "--count", "1"]
    assert call(["imagine", run, "--out", str(out), *words]) == 0
    with Decoder() as decoder:
        answer = decoder.read(out / "clip_0000.mp4")
    assert answer.time is not None
    assert np.allclose(answer.time, 0.25 * np.arange(12), atol=1e-3)  # 3 s
    assert np.array_equal(answer.frames[:8], frames[:8])


def test_a_caption_tells_of_the_first_window_alone(runs: Path) -> None:
    study, model, heard = read_study(runs / "uniform-prompts"), load(runs / "uniform-prompts"), []
    assert isinstance(model, Diffusion)
    dream = model.dream

    def listening(asked: Prompt, generator: torch.Generator, how: Sampling) -> Imagined:
        heard.append(asked.captions)
        return dream(asked, generator, how)

    model.dream = listening  # type: ignore[method-assign, assignment]
    film = answer(Asked(caption="radius 1", duration=6.4), study, model, 1, (1, 0))
    assert film.frames.shape[1] == 64
    assert heard == [("radius 1",), None, None]


@pytest.mark.parametrize("words", ["--seed 2", "--steps 2", "--caption radius_1 --text-guidance 3", "--caption y_3"])
def test_every_option_makes_a_difference(runs: Path, tmp_path: Path, words: str) -> None:
    plain = ["--caption", "radius 1", "--duration", "0.8"]
    split = [word.replace("_", " ") for word in words.split()]
    for name, more in (("plain", []), ("other", split)):
        assert asked(runs, tmp_path / name, *(plain[2:] if "--caption" in more else plain), *more) == 0
    one, other = (read_clip(tmp_path / name / "clip_0000") for name in ("plain", "other"))
    assert not np.array_equal(one, other)


def test_a_join_ends_with_the_other_film_and_a_strong_edit_strays_further(runs: Path, tmp_path: Path) -> None:
    films = [read_clip(film) for film in sorted(p for p in (runs / "films").iterdir() if p.is_dir())]
    assert (
        asked(runs, tmp_path / "joined", "--clip", "FILM", "--how", "join", "--then", "THEN", "--duration", "7.2") == 0
    )
    joined = read_clip(tmp_path / "joined" / "clip_0000")
    assert np.array_equal(joined[:32], films[0])
    assert np.array_equal(joined[-32:], films[1])
    strayed = []
    for strength in ("0", "0.1", "0.8"):
        assert asked(runs, tmp_path / strength, "--clip", "FILM", "--how", "edit", "--strength", strength) == 0
        strayed.append(np.abs(read_clip(tmp_path / strength / "clip_0000").astype(int) - films[0]).mean())
    assert strayed[0] == 0
    assert strayed == sorted(set(strayed))


MISTAKES = {
    "--size 20 16": "height = 20, expected a multiple of 8",
    "--size 0 16": "expected more than 0",
    "--caption radius_1,_velocty_2": "did you mean 'velocity'",
    f"--caption {'radius_' * 257}": "expected at most 256",
    "--clip FILM --image IMAGE": "expected one of --image and --clip",
    "--clip FILM --size 16 16": "--size: pictures have their own",
    "--clip FILM --duration 1": "what is given lasts 3.2 s, the answer 1 s: expected a longer --duration",
    "--clip FILM": "expected a longer --duration",
    "--clip FILM --how backward": "expected a longer --duration",
    "--image FILM": "32 images, expected one with --image",
    "--clip FILM --then THEN --duration 4": "--then: only --how join",
    "--duration 1 --hole 0 1 0 1 0 1": "--hole: only --how inpaint",
    "--clip FILM --duration 4 --strength 0.5": "--strength: only --how edit",
    "--how loop --strength 0.5": "--strength: only --how edit, or loop with --clip",
    "--clip FILM --how edit --duration 9": "--duration: --how edit keeps",
    "--duration 1 --text-guidance 2": "there is no --caption",
    "--caption radius_1 --history-guidance 2": "no frames are given",
    "--duration 1 --caption radius_1e308": "within 1e+30",
    "--size 16384 16384 --duration 0.1 --caption radius_1": "pixels",
    "--size 4096 4096 --duration 0.1 --caption radius_1": "tokens that look at each other",
    "--clip FILM --how join --then THEN": "-32 between",
    "--how edit": "needs --clip",
    "--how loop --duration 0.5": "a loop of 5 frames",
    "--clip FILM --how join": "--then is missing",
    "--clip FILM --how inpaint": "--hole is missing",
    "--clip FILM --how inpaint --hole 9 10 0 1 0 1": "no pixel lies in it; expected times within 3.1 s",
    "--clip FILM --how edit --strength 2": "strength = 2",
    "--clip nowhere": "nowhere: no such file",
    "--duration -1": "duration = -1",
    "--duration 1 --steps 0": "expected 1 to 10000 steps",
    "--caption radius_1 --text-guidance -1": "guidance between 0",
    "--steps 2": "--steps belongs to a prompt",
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


def test_a_model_that_shows_no_pictures_says_so(runs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    silent = JepaConfig(size="pico", latent=6, rollout=4, window=12)
    study = replace(read_study(runs / "uniform-quick"), name="features", model=silent)
    with open_run(study, runs) as (folder, stop):
        learn(study, folder, stop, Console(quiet=True))
    assert call(["imagine", str(folder), "--count", "2", "--out", str(tmp_path / "out")]) == 2
    assert f"{folder}: this model imagines features, not pictures" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


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
