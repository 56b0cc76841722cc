"""A prompt kit goes out and its answers come back: all of them, whole, in time and under their own names, or none."""

import json
import re
import warnings
from pathlib import Path

import numpy as np
import pytest

from cavendish.cli import call
from cavendish.data.kit import read_kit
from cavendish.data.media import read_clip, write_clip
from cavendish.errors import CorruptDataError


@pytest.fixture
def kit(tmp_path: Path) -> Path:
    """Write a kit of four small prompts."""
    folder = tmp_path / "kit"
    assert call(["render", "parabola", "--prompts", "--count", "4", "--size", "48", "--out", str(folder)]) == 0
    return folder


def answered(kit: Path, folder: Path, fps: float = 10.0) -> list[np.ndarray]:
    """Answer every prompt with the true film."""
    split = read_kit(kit).split
    films = list(split.clips(np.arange(4)).frames.numpy())
    save(films, folder, fps)
    return films


def save(films: list[np.ndarray], folder: Path, fps: float = 10.0) -> None:
    """Save films under the prompts' names."""
    folder.mkdir()
    for number, film in enumerate(films):
        write_clip(film, folder / f"clip_{number:04d}", "mp4", fps)


def measured(kit: Path, films: Path, *more: str) -> int:
    """Weigh answers against their kit."""
    return call(["measure", str(films), "--scene", "parabola", "--kit", str(kit), *more])


def test_a_kit_holds_pictures_and_words_but_no_answers(kit: Path) -> None:
    assert sorted(p.name for p in kit.iterdir()) == ["MANIFEST.json", "captions", "context", "first", "kit.json"]
    assert len(read_clip(kit / "context" / "clip_0002.mp4")) == 3
    assert "10 frames per second" in (kit / "captions" / "clip_0000.txt").read_text()
    (kit / "first" / "clip_0000.png").write_bytes(b"another picture")
    with pytest.raises(CorruptDataError, match=r"clip_0000\.png"):
        read_kit(kit)


def test_true_answers_are_weighed_as_true(kit: Path, tmp_path: Path) -> None:
    films = answered(kit, tmp_path / "films")
    assert measured(kit, tmp_path / "films", "--out", str(tmp_path / "card")) == 0
    scores = {s["name"]: s for s in json.loads((tmp_path / "card" / "scorecard.json").read_text())["scores"]}
    assert scores["position error"]["value"] < 0.01
    longer = [np.concatenate([film, film[-1:].repeat(5, 0)]) for film in films]
    save([film.repeat(3, 1).repeat(3, 2) for film in longer], tmp_path / "larger", 24.0)
    assert measured(kit, tmp_path / "larger", "--fps", "10") == 0


CHEATS = {
    "fewer": ("0 films named clip_0003", lambda films: films[:3]),
    "shorter": ("31 frames, expected 32", lambda films: [film[:31] for film in films]),
    "one shorter": ("clip_0002.mp4: 30 frames", lambda films: [*films[:2], films[2][:30], films[3]]),
    "swapped": ("clip_0001: swapped, it begins like clip_0002", lambda films: [films[k] for k in (0, 2, 1, 3)]),
    "slowed": ("clip_0000: re-timed.* 0.5 times", lambda films: [film.repeat(2, 0)[:32] for film in films]),
    "hurried": (
        "clip_0000: re-timed.* 2 times",
        lambda films: [np.concatenate([film[::2], film[-1:].repeat(16, 0)]) for film in films],
    ),
    "elsewhere": ("clip_0000: does not begin with its prompt", lambda films: [255 - film for film in films]),
}


@pytest.mark.parametrize("cheat", CHEATS)
def test_answers_that_differ_from_what_was_asked_are_refused(
    cheat: str, kit: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    named, change = CHEATS[cheat]
    save(change(list(read_kit(kit).split.clips(np.arange(4)).frames.numpy())), tmp_path / "films")
    assert measured(kit, tmp_path / "films") == 2
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert re.search(named, said), said


def test_another_rate_is_refused_until_it_is_told(
    kit: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    answered(kit, tmp_path / "films", 24.0)
    assert measured(kit, tmp_path / "films") == 2
    assert "re-timed to 24 frames per second" in capsys.readouterr().err
    assert measured(kit, tmp_path / "films", "--fps", "10") == 0


@pytest.mark.filterwarnings("ignore")
def test_a_diffusers_pipeline_answers_a_kit(tmp_path: Path) -> None:
    kit = tmp_path / "kit"
    assert call(["render", "parabola", "--prompts", "--count", "2", "--size", "16", "--out", str(kit)]) == 0
    pipeline = tiny_pipeline(tmp_path / "pipeline")
    films = tmp_path / "films"
    assert call(["imagine", str(kit), "--pipeline", str(pipeline), "--steps", "1", "--out", str(films)]) == 0
    assert read_clip(films / "clip_0001.mp4").shape == (32, 16, 16, 3)
    assert call(["imagine", str(kit), "--pipeline", str(kit), "--out", str(tmp_path / "no")]) == 2


def tiny_pipeline(folder: Path) -> Path:
    """Build an image-to-video pipeline with random weights and save it."""
    pytest.importorskip("transformers")
    diffusers = pytest.importorskip("diffusers")
    import transformers

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        unet = diffusers.UNetSpatioTemporalConditionModel(
            block_out_channels=(32, 64),
            layers_per_block=1,
            sample_size=8,
            down_block_types=("CrossAttnDownBlockSpatioTemporal", "DownBlockSpatioTemporal"),
            up_block_types=("UpBlockSpatioTemporal", "CrossAttnUpBlockSpatioTemporal"),
            cross_attention_dim=32,
            num_attention_heads=8,
            projection_class_embeddings_input_dim=96,
            addition_time_embed_dim=32,
        )
        vae = diffusers.AutoencoderKLTemporalDecoder(
            block_out_channels=(32, 64), down_block_types=("DownEncoderBlock2D", "DownEncoderBlock2D")
        )
        vision = transformers.CLIPVisionConfig(
            hidden_size=32,
            projection_dim=32,
            num_hidden_layers=1,
            num_attention_heads=4,
            intermediate_size=37,
            patch_size=56,
        )
        diffusers.StableVideoDiffusionPipeline(
            vae=vae,
            image_encoder=transformers.CLIPVisionModelWithProjection(vision),
            unet=unet,
            scheduler=diffusers.EulerDiscreteScheduler(prediction_type="v_prediction"),
            feature_extractor=getattr(transformers, "CLIPImageProcessorPil", transformers.CLIPImageProcessor)(),
        ).save_pretrained(folder)
    return folder
