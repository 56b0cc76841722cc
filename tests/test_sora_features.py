"""The exam of all ways of prompting marks fairly: who knows the truth passes, who knows no motion fails."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from cavendish.artefact import MANIFEST
from cavendish.cli import call
from cavendish.errors import BadInputError, CorruptDataError
from cavendish.measure.score import Score
from cavendish.models.diffusion import Diffusion, prompts
from cavendish.studies import Study, load, pretrained
from cavendish.studies.exam import Replay, Standstill, regression, velocity
from cavendish.studies.experiments import experiment_named
from cavendish.studies.run import open_run
from cavendish.studies.sora_checks import CHECKS, Exam
from cavendish.studies.sora_features import SoraFeatures, blend
from cavendish.training import Run, seeded, train

KNOWING, IGNORANT = Exam(Replay(), 8, 32), Exam(Standstill(), 8, 32)
WORST = {"m": 0.01, "m/s": 0.01, "px": 0.01}
SHARE_WORDS = ("right", "within", "asked", "moves as fast")


def perfect(score: Score) -> bool:
    """Tell whether a score is what the truth deserves."""
    if score.unit:
        return score.value < WORST[score.unit]
    if "slope" in score.name:
        return abs(score.value - 1) < 0.005
    if score.name.endswith("inside"):
        return abs(score.value - 1) < 0.4  # eight balls that swing, each from a phase of its own
    if any(word in score.name for word in SHARE_WORDS):
        return score.value == 1
    return score.value < 0.01


def name(check: Callable[[Exam], tuple[Score, ...]]) -> str:
    """Name a check in a test id."""
    return check.__name__


@pytest.mark.parametrize("check", CHECKS, ids=name)
def test_the_truth_passes(check: Callable[[Exam], tuple[Score, ...]]) -> None:
    for score in check(KNOWING):
        assert perfect(score), score.name
        assert score.n >= 5, score.name


@pytest.mark.parametrize("check", CHECKS, ids=name)
def test_who_knows_no_motion_fails(check: Callable[[Exam], tuple[Score, ...]]) -> None:
    assert any(not perfect(score) for score in check(IGNORANT))


def test_a_slope_needs_half_of_the_frames() -> None:
    time, x = np.arange(6.0), np.array([[0, 2, 4, 6, 8, 10.0]] * 3)
    x[1, :4] = np.nan
    x[2, 2] = np.nan
    found = velocity(time, x[..., None], np.ones((3, 6), bool))[:, 0]
    assert np.allclose(found[[0, 2]], 2.0)
    assert np.isnan(found[1])


def test_the_interval_of_a_regression_covers_the_truth() -> None:
    rng, covered = np.random.default_rng(0), 0
    for _ in range(100):
        asked = rng.uniform(1, 4, 40)
        score = regression("speed", asked, 0.8 * asked + rng.normal(0, 0.3, 40))
        covered += score.low <= 0.8 <= score.high
    assert 88 <= covered <= 99


def test_every_preset_is_a_blend_of_sizes_durations_rates_aspects_and_images() -> None:
    shares = blend(32).shares
    assert {share.frames for share in shares} >= {1, 8, 16}
    assert {share.step for share in shares} >= {0.1, 0.2, 0.4}
    assert {share.size for share in shares} >= {(32, 32), (64, 64), (32, 16), (16, 32)}
    for cells in SoraFeatures().presets().values():
        assert [cell.row for cell in cells] == ["model", "untrained"]
        assert not {(24, 32), (32, 48)} & {share.size for share in cells[0].study.data.shares}  # type: ignore[union-attr]
    assert isinstance(experiment_named("sora-features"), SoraFeatures)


def test_a_published_run_is_the_run_without_its_past(tiny_study: Study, tmp_path: Path) -> None:
    with open_run(tiny_study, tmp_path) as (folder, stop):
        train(tiny_study.model.build(seeded(0)), Run(folder, tiny_study.data, tiny_study.training, 0, stop, print))
    pretrained.publish(folder, tmp_path / "shelf" / "tiny", "| passed |")
    assert sorted(p.name for p in (tmp_path / "shelf" / "tiny").iterdir()) == sorted(
        [MANIFEST, "card.md", "model.safetensors", "study.json"]
    )
    assert "passed" in (tmp_path / "shelf" / "tiny" / "card.md").read_text()
    one, other = load(folder), load(tmp_path / "shelf" / "tiny")
    asked = prompts.nothing(4, (16, 16), 0.1, tiny_study.data.lead.scene.world)
    assert torch.equal(one.dream(asked, seeded(1)).frames, other.dream(asked, seeded(1)).frames)  # type: ignore[operator]
    weights = tmp_path / "shelf" / "tiny" / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1] + b"x")
    with pytest.raises(CorruptDataError, match=r"model\.safetensors"):
        load(tmp_path / "shelf" / "tiny")
    weights.unlink()
    with pytest.raises(BadInputError, match="no checkpoint of stage 'model'"):
        load(tmp_path / "shelf" / "tiny")


def test_unknown_models_are_refused_by_name(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert call(["imagine", "--pretrained", "sora", "--out", str(tmp_path / "x")]) == 2
    assert "unknown pretrained model 'sora'" in capsys.readouterr().err
    assert call(["imagine", "--out", str(tmp_path / "x")]) == 2
    assert "one of them" in capsys.readouterr().err


@pytest.mark.parametrize("name", pretrained.names())
def test_what_comes_with_the_package_dreams_what_a_caption_asks_or_goes_on(name: str, tmp_path: Path) -> None:
    said = "attribute-conflict: radius 1.2, velocity 2, colour blue, shape disc, x 3, y 5"
    arguments = ["--count", "1", "--format", "png", "--out", str(tmp_path / "x")]
    reads = isinstance(load(pretrained.pretrained(name)), Diffusion)
    asked = ["--caption", said] if reads else []  # a played world goes on from a true beginning
    assert call(["imagine", "--pretrained", name, *asked, *arguments]) == 0
    assert len(list((tmp_path / "x").rglob("*.png"))) > 15
    folder = pretrained.pretrained(name)
    assert sum(path.stat().st_size for path in folder.iterdir()) < 20 * 2**20
