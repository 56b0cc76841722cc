"""Films that lie in a folder: cut as they were recorded, refused with a word where they cannot be."""

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from rich.console import Console

from cavendish.commands.play import learnt
from cavendish.data import Recording
from cavendish.data.decoding import Decoder
from cavendish.data.media import write_clip
from cavendish.errors import BadInputError, CorruptDataError
from cavendish.measure.playing import alignment, rollout
from cavendish.models import GenieConfig
from cavendish.models.genie import DynamicsConfig, LatentActionConfig, TokenizerConfig
from cavendish.models.genie.transformer import Shape
from cavendish.motion import World
from cavendish.studies import Study, genie_coinrun
from cavendish.studies.run import learn, open_run
from cavendish.training import TrainingConfig, seeded
from cavendish.training.engine import Engine
from cavendish.video import Clip, Imagined

SIDE, LENGTHS = 16, (9, 6)
SMALL = Shape(16, 1, 2, 2)
TINY = GenieConfig(
    SIDE,
    SIDE,
    TokenizerConfig("drawn", 4, (3, 3), SMALL, moving=1.0),
    LatentActionConfig(codes=3, width=8, crop=16, known=2),
    DynamicsConfig(SMALL, frames=3),
)


def film(number: int, length: int) -> np.ndarray:
    """Make frames that tell their film in red and their place in it in green."""
    frames = np.zeros((length, SIDE, SIDE, 3), np.uint8)
    frames[..., 0], frames[..., 1] = 50 * number, 10 * np.arange(length)[:, None, None]
    return frames


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Record two films with buttons."""
    path = tmp_path / "films"
    path.mkdir()
    for number, length in enumerate(LENGTHS):
        write_clip(film(number, length), path / f"{number}", "mp4", 10.0)
        np.save(path / f"{number}.npy", np.arange(length) % 4)
    return path


def test_a_clip_is_a_piece_of_one_film_with_its_buttons(folder: Path) -> None:
    recording = Recording(str(folder), frames=5, side=SIDE)
    clip = recording.clips(np.arange(40))
    assert clip.actions is not None
    place = clip.frames[:, :, 0, 0, 1] // 10
    assert (place.diff(dim=1) == 1).all()
    assert (clip.frames[..., 0].flatten(1).float().std(1) == 0).all()
    assert set(clip.frames[:, 0, 0, 0, 0].tolist()) == {0, 50}
    assert {(int(c[0, 0, 0, 0]) // 50, int(p[0])) for c, p in zip(clip.frames, place, strict=True)} == {
        *((0, start) for start in range(5)),
        *((1, start) for start in range(2)),
    }
    assert torch.equal(clip.actions[..., 0], place.float() % 4)


def test_recorded_clips_are_functions_of_seed_and_index(folder: Path) -> None:
    recording = Recording(str(folder), frames=4, side=SIDE)
    clips = recording.clips(np.arange(12))
    assert torch.equal(clips.frames[[7]], replace(recording).clips(np.array([7])).frames)
    assert torch.equal(clips.frames, recording.batches(0, 12)[0].frames)
    assert not torch.equal(clips.frames, replace(recording, seed=1).clips(np.arange(12)).frames)


def test_films_without_buttons_are_averaged_down_and_cannot_be_aligned(folder: Path) -> None:
    for path in folder.glob("*.npy"):
        path.unlink()
    clip = Recording(str(folder), frames=4, side=8).clips(np.arange(3))
    assert clip.frames.shape == (3, 4, 8, 8, 3)
    assert clip.actions is None
    with pytest.raises(BadInputError, match="do not tell which buttons"):
        alignment(TINY.build(seeded(0)), clip)


def test_folders_that_cannot_be_learnt_from_are_refused(folder: Path) -> None:
    recording, first = Recording(str(folder), frames=4, side=SIDE), folder / "0.mp4"

    def refused(kind: type[Exception], words: str) -> None:
        with pytest.raises(kind, match=words):
            replace(recording).clips(np.arange(2))

    (folder / "1.npy").write_bytes(b"no array")
    refused(CorruptDataError, "1.npy: not a NumPy array")
    np.save(folder / "1.npy", np.arange(5))
    refused(BadInputError, r"1.npy: int64 of shape \(5,\), expected 6 buttons")
    (folder / "1.npy").unlink()
    refused(BadInputError, "1.npy: no such file, though other films")
    np.save(folder / "1.npy", np.arange(6))
    write_clip(np.zeros((1, SIDE, SIDE, 3), np.uint8), folder / "2", "mp4", 10.0)
    refused(BadInputError, "2.mp4: 1 frames, expected at least 4")
    write_clip(np.zeros((9, SIDE, 2 * SIDE, 3), np.uint8), folder / "2", "mp4", 10.0)
    refused(BadInputError, "2.mp4: 32 x 16 px, expected 16 x 16 px as in 0.mp4")
    (folder / "2.mp4").unlink()
    first.write_bytes(first.read_bytes()[:200])
    refused(CorruptDataError, "0.mp4: cannot be decoded")
    empty = folder / "empty"
    empty.mkdir()
    with pytest.raises(BadInputError, match="no clips here"):
        Recording(str(empty)).clips(np.arange(2))


def test_many_films_pass_through_one_child(tmp_path: Path) -> None:
    path = write_clip(np.zeros((2, SIDE, SIDE, 3), np.uint8), tmp_path / "film", "mp4", 10.0)
    with Decoder() as decoder:
        assert {len(decoder.read(path).frames) for _ in range(120)} == {2}
        assert decoder.born == 1


def test_recorded_films_have_no_law(folder: Path) -> None:
    with pytest.raises(BadInputError, match="is no scene"):
        Study("films", Recording("films"), TINY, TrainingConfig())
    with pytest.raises(BadInputError, match="clips of 2 frames or more"):
        Recording("films", frames=1)


@pytest.mark.parametrize("levels", [(3, 3), (16,)])
def test_every_part_learns_in_half_precision_as_in_full(levels: tuple[int, ...]) -> None:
    model = replace(TINY, tokenizer=replace(TINY.tokenizer, levels=levels)).build(seeded(0))
    frames = torch.randint(0, 256, (4, 6, SIDE, SIDE, 3), generator=seeded(1), dtype=torch.uint8)
    clip = Clip(frames, torch.arange(6) / 10, World(1.0, 1.0))
    for stage in model.stages():
        losses = []
        for half in (False, True):
            with torch.autocast("cpu", torch.bfloat16, enabled=half):
                loss, _ = stage.module.loss(clip, seeded(2))
            loss.backward()
            losses.append(float(loss.detach()))
        assert losses[1] == pytest.approx(losses[0], rel=0.05)


@pytest.mark.slow
def test_the_case_study_is_trained_asked_and_played(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in (("CLIPS", 6), ("PART", 4), ("STEPS", 2), ("KNOWN", 2)):
        monkeypatch.setattr(genie_coinrun, name, value)
    monkeypatch.setattr("cavendish.measure.playing.STEP", 2)
    for part in ("train", "test"):
        shutil.copytree(folder, folder.parent / part)
    study = replace(
        genie_coinrun.STUDY,
        data=Recording(str(folder.parent / "train"), frames=5, side=SIDE),
        model=TINY,
        training=TrainingConfig(steps=2, batch=2),
        engine=Engine(),
    )
    with open_run(study, folder.parent) as (run, stop):
        model = learn(study, run, stop, Console(quiet=True))
    found = {score.name: score for score in genie_coinrun.GenieCoinRun().ask(study, model)}
    assert found["PSNR of 2 frames from 1, inferred actions"].n == 6
    assert 0 <= found["SSIM of 2 frames from 2, random actions"].value <= 1
    assert {"PSNR repainted", "purity", "NMI, shuffled codes", "delta-2 PSNR"} <= found.keys()
    stage = learnt(run, 0)
    assert stage.world.press(stage.world.enter(stage.beginnings(7).frames), 2, 0.0, seeded(0)).frame.shape == (
        SIDE,
        SIDE,
        3,
    )
    assert stage.truth is None


class Copying:
    """A world in which nothing ever happens."""

    buttons = 3

    def infer(self, clip: Clip) -> torch.Tensor:
        """Name no action."""
        return torch.zeros(len(clip.frames), clip.frames.shape[1] - 1, dtype=torch.long)

    def follow(self, context: Clip, actions: torch.Tensor, generator: torch.Generator) -> Imagined:
        """Keep the last frame."""
        frames = torch.cat([context.frames, context.frames[:, -1:].repeat(1, actions.shape[1], 1, 1, 1)], 1)
        return Imagined(frames, None, torch.arange(frames.shape[1]) / 10, context.world, context.frames.shape[1])

    def guess(self, clip: Clip) -> tuple[torch.Tensor, torch.Tensor]:
        """Guess nothing."""
        raise NotImplementedError


def test_a_rollout_of_a_world_that_copies_scores_what_copying_scores(folder: Path) -> None:
    clip = Recording(str(folder), frames=6, side=SIDE).clips(np.arange(5))
    kept, kept_like, told, told_like, *_ = rollout(Copying(), clip, 2, 4, seeded(0))
    step = 10 * np.arange(1, 5)
    wanted = 10 * np.log10(255**2 / (step**2 / 3 + 1 / 12)).mean()
    assert kept.value == pytest.approx(wanted, abs=0.01)
    assert told.value == kept.value
    assert told_like.value == kept_like.value < 1
