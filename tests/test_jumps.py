"""A whole jump lands where many steps would, and the question that teaches it is the right one."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from cavendish.data import Picture, Split
from cavendish.errors import BadInputError
from cavendish.models.diffusion import DiffusionConfig, Mixture
from cavendish.models.diffusion.flow import Round
from cavendish.models.diffusion.jumps import aimed, jumping
from cavendish.models.diffusion.objective import noised
from cavendish.models.diffusion.tokens import Tokens
from cavendish.scenes import UniformMotion
from cavendish.training import Run, TrainingConfig, load_trained, seeded, train
from cavendish.training.signals import StopRequest

SPREAD = 0.5  # of the pictures of a world in which pixels are normal and independent
SPLIT = Split(UniformMotion(), size=1000, picture=Picture(16, 16), flip=0.5)
MODEL = DiffusionConfig(size="pico", patch=8, tubelet=4, mixture=Mixture(leap=0.3, prefix=0.3, jumps=0.5))


def factor(level: Tensor, until: Tensor) -> Tensor:
    """Return x_hat / z of the exact jump: there z at level u is z at level t times the ratio of their spreads."""
    ratio = torch.hypot(until * SPREAD, 1 - until) / torch.hypot(level * SPREAD, 1 - level)
    t = torch.where(until > level, until - level, 1e-4)
    ratio = torch.where(until > level, ratio, 1 + 1e-4 * _slope(level))
    return 1 + (1 - level) * (ratio - 1) / t


def _slope(level: Tensor) -> Tensor:
    return (level * SPREAD**2 - (1 - level)) / (level**2 * SPREAD**2 + (1 - level) ** 2)


def exact(tokens: Tokens) -> Tensor:
    """Answer every jump exactly."""
    assert tokens.until is not None
    each = torch.tensor(tokens.row_patches)
    return tokens.patch * factor(tokens.level, tokens.until).repeat_interleave(each, 0)


@pytest.mark.parametrize(
    ("level", "until"), [(0.0, 1.0), (0.0, 0.5), (0.3, 0.3), (0.3, 0.7), (0.6, 1.0), (0.96, 1.0), (0.96, 0.98)]
)
def test_the_exact_jump_is_the_answer_to_its_own_question(level: float, until: float) -> None:
    x = SPREAD * torch.randn(4000, 100, generator=seeded(0), dtype=torch.double)
    here = torch.full((2, 1), level, dtype=torch.double)
    clean = Tokens(x, torch.zeros(4000, 3), here, (1000, 3000), (2,), 0)
    noise = torch.randn(x.shape, generator=seeded(1), dtype=torch.double)
    z = replace(clean, patch=level * x + (1 - level) * noise, until=torch.full_like(here, until))
    wanted = aimed(exact, clean, z)
    slope = (wanted * z.patch).sum() / z.patch.square().sum()
    assert float(slope) == pytest.approx(float(factor(here, z.until)[0, 0]), abs=0.01)


def test_half_of_the_clips_are_asked_plainly_and_given_frames_stay() -> None:
    model = MODEL.build(seeded(0))
    with torch.no_grad():
        model.denoiser.head.weight.normal_(generator=seeded(2), std=0.1)
        model.denoiser.until.weight.normal_(generator=seeded(1))
    level = torch.rand(64, 32, generator=seeded(3))
    level[:, :3] = 1.0
    clean = model._tokens(SPLIT.clips(np.arange(64)), level)
    z = noised(clean, seeded(4))
    asked, target = jumping(model.denoiser, clean, z, seeded(5))
    assert asked.until is not None
    plain = (asked.until == asked.level).view(64, -1).all(1)
    assert 20 <= plain.sum() <= 44
    moved = (target.patch != clean.patch).view(64, -1)
    assert not moved[plain].any()
    assert moved[~plain].any(1).all()
    by_frame = target.by_frame(target.patch - clean.patch).view(64, 8, 4, 4, -1)
    assert by_frame[:, 0, :, :3].abs().max() < 1e-5
    alone = replace(asked, until=asked.level)
    assert torch.equal(model.denoiser(alone), model.denoiser(replace(asked, until=None)))


@pytest.mark.slow
def test_jumps_are_a_second_stage_that_resumes_and_loads(tmp_path: Path) -> None:
    config = TrainingConfig(steps=8, batch=4)
    model = MODEL.build(seeded(0))
    train(model, Run(tmp_path, SPLIT, config, 0, StopRequest(), lambda record: None))
    assert model.denoiser.until.weight.abs().max() > 0
    for seed in (1, 2):
        loaded = MODEL.build(seeded(seed))
        load_trained(loaded, tmp_path)
        assert all(torch.equal(value, model.state_dict()[name]) for name, value in loaded.state_dict().items())
    assert {p.name for p in (tmp_path / "checkpoints").iterdir()} == {"model", "jumps"}


def test_jumps_that_cannot_be_are_refused() -> None:
    for mixture in ({"jumps": -1.0}, {"jumps": 0.5, "flow": Round()}):
        with pytest.raises(BadInputError, match="jumps"):
            Mixture(**mixture)
