"""A plan says beforehand what a training costs: all its clips, every kind of it, and only what can be known here."""

from dataclasses import replace

import pytest
import torch

from cavendish.cli import call
from cavendish.commands.plan import price_of_all
from cavendish.data import Blend, Picture, Share, Split
from cavendish.models import DiffusionConfig
from cavendish.scenes import Parabola, UniformMotion
from cavendish.studies import Study
from cavendish.studies.schools import operations
from cavendish.studies.sora_features import SoraFeatures
from cavendish.training import TrainingConfig, seeded

SHORT = Share(Split(UniformMotion(), picture=Picture(16, 16)), 5, 4)
LONG = Share(Split(Parabola(), picture=Picture(16, 16)), 2, 16)
STUDY = Study("blended", Blend((SHORT, LONG)), DiffusionConfig("pico", 8, 4), TrainingConfig(3, 2))


def test_work_is_that_of_the_mean_clip_of_a_blend() -> None:
    (stage,) = STUDY.model.build(seeded(0)).stages()
    short, long = (operations(replace(STUDY, data=Blend((share,))), stage) for share in (SHORT, LONG))
    assert long > 3 * short
    assert operations(STUDY, stage) == pytest.approx((5 * short + 2 * long) / 7)


def test_every_kind_of_training_in_a_grid_has_a_price_of_its_own() -> None:
    table = price_of_all(SoraFeatures(), "quick")
    number, clips, minutes = (list(table.columns[n].cells) for n in (1, 4, 5))
    taught, untaught = (cell.study.training for cell in SoraFeatures().cells("quick"))
    assert number[:2] == ["1", "1"]
    assert clips[:2] == [f"{config.steps * config.batch:,}" for config in (taught, untaught)]
    assert float(minutes[0].replace(",", "")) > 100 * float(minutes[1])


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is an accelerator")
def test_what_an_accelerator_would_take_is_counted_and_not_guessed(capsys: pytest.CaptureFixture[str]) -> None:
    assert call(["plan", "uniform-s-30k", "--model.size", "pico"]) == 0
    said = capsys.readouterr().out
    assert "training FLOPs" in said
    assert "torch finds no CUDA device" in said
    assert "MFU" not in said
