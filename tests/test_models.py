"""Every world model keeps the promises of the interface, and the diffusion transformer its own."""

from dataclasses import replace
from itertools import groupby

import numpy as np
import pytest
import torch
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from cavendish.data import Picture, Split
from cavendish.errors import BadInputError
from cavendish.models import AnyModel, DiffusionConfig, GenieConfig, JepaConfig, WorldModel
from cavendish.models.blocks.attention import Attention, rotations
from cavendish.models.diffusion import Diffusion, Mixture
from cavendish.models.diffusion.network import SIZES, Denoiser
from cavendish.models.diffusion.objective import frame_errors, noised
from cavendish.models.diffusion.packing import together
from cavendish.models.diffusion.tokens import Grid, Setting, Tokens, pack, patchify, rowwise, unpatchify
from cavendish.models.genie import DynamicsConfig, TokenizerConfig
from cavendish.models.genie.transformer import Shape
from cavendish.scenes import UniformMotion
from cavendish.training import seeded
from cavendish.training.optimiser import Optimiser, rate_share
from cavendish.video import Clip, Imagined

CONFIG = DiffusionConfig(size="pico", patch=8, tubelet=4)
HOURGLASS = DiffusionConfig(size="femto-hourglass", patch=8, tubelet=1)
SMALL = Shape(32, 2, 2, 3)
GENIE = GenieConfig(
    16, 16, TokenizerConfig(levels=(5, 5, 5), shape=SMALL), dynamics=DynamicsConfig(SMALL, temperature=1.0)
)
JEPA = JepaConfig(patch=8, rollout=4)
STUDY_MILLIONS = {"S": 22.5, "B": 89.5, "L": 310.0, "XL": 456.0}


@pytest.fixture(params=[CONFIG, HOURGLASS, GENIE, JEPA], ids=["diffusion", "hourglass", "genie", "jepa"])
def world(request: pytest.FixtureRequest) -> WorldModel:
    """Every kind of world model in turn, small, with parameters that are not at their neutral start."""
    return shaken(request.param)


@pytest.fixture
def model() -> WorldModel:
    """Return a small diffusion transformer with parameters that are not at their neutral start."""
    return shaken(CONFIG)


def shaken(config: AnyModel) -> WorldModel:
    """Build a model and move its parameters a little."""
    made = config.build(seeded(0))
    generator = seeded(1)
    with torch.no_grad():
        for parameter in made.parameters():
            parameter.add_(torch.randn(parameter.shape, generator=generator), alpha=0.02)
    return made


def clips(count: int, side: int = 16, frames: int = 32) -> Clip:
    """Film a few clips."""
    clip = Split(UniformMotion(), picture=Picture(side, side), flip=0.5).clips(np.arange(count))
    return Clip(clip.frames[:, :frames], clip.time[:frames], clip.world)


def answer(dream: Imagined) -> torch.Tensor:
    """Return what was imagined, pixels or features."""
    found = dream.features if dream.frames is None else dream.frames
    assert found is not None
    return found


@pytest.mark.parametrize("horizon", [1, 5, 13])
def test_imagines_any_horizon(world: WorldModel, horizon: int) -> None:
    dreams = world.imagine(clips(2).first(3), horizon, seeded(0))
    assert answer(dreams).shape[1] == len(dreams.time) == 3 + horizon


def test_imagines_the_asked_frames(world: WorldModel) -> None:
    dreams = world.imagine(clips(2).first(3), 29, seeded(0))
    assert torch.allclose(dreams.time, clips(1).time, atol=1e-6)
    if dreams.frames is None:  # features begin with those of the given frames
        assert torch.allclose(answer(dreams)[:, :3], world.encode(clips(2))[:, :3], atol=1e-5)
    else:
        assert dreams.frames.shape == (2, 32, 16, 16, 3)
        assert torch.equal(dreams.frames[:, :3], clips(2).frames[:, :3])


def test_same_generator_same_dream(world: WorldModel) -> None:
    dreams = [world.imagine(clips(2).first(3), 5, seeded(s)) for s in (7, 7, 8)]
    first, second, other = map(answer, dreams)
    assert torch.equal(first, second)
    assert torch.equal(first, other) == (dreams[0].frames is None)  # a predictor without noise has one answer


@pytest.mark.parametrize("known", [1, 2, 15, 16])
def test_sees_no_future(world: WorldModel, known: int) -> None:
    whole = clips(1, frames=20)
    changed = Clip(whole.frames.clone(), whole.time, whole.world)
    changed.frames[:, known:] = 0
    found, other = world.encode(whole), world.encode(changed)
    assert (found - other)[:, :known].abs().max() < 1e-6
    assert (found - other)[:, known].abs().max() > 1e-6


def test_survives_saving(world: WorldModel) -> None:
    copy = world.config.build(seeded(5))
    copy.load_state_dict(world.state_dict())
    dreams = [answer(each.imagine(clips(1).first(3), 5, seeded(0))) for each in (copy, world)]
    assert torch.equal(*dreams)


def test_is_surprised_frame_by_frame_and_priced(world: WorldModel) -> None:
    strange = world.surprise(clips(2), seeded(0))
    assert strange.shape == (2, 32)
    assert strange.isfinite().all()
    assert world.encode(clips(2)).shape[:2] == (2, 32)
    assert world.training_flops(clips(4)) == pytest.approx(2 * world.training_flops(clips(2)), rel=0.1)


@pytest.mark.slow
def test_learns_one_clip_by_heart_and_is_then_surprised_by_another_world() -> None:
    one, learner = clips(1), CONFIG.build(seeded(0))
    optimiser, steps = Optimiser(learner, "muon", 4e-3), 400
    for step in range(steps):
        loss, _ = learner.loss(one, seeded(0, step))
        loss.backward()
        optimiser.step(rate_share(step, steps, 0.02, 0.5))
    dreamt = learner.imagine(one.first(3), 29, seeded(9)).frames
    assert dreamt is not None
    assert (dreamt.float() - one.frames.float()).square().mean() < 120  # bytes squared; a white frame is at 370
    vanished = Clip(one.frames.clone(), one.time, one.world)
    vanished.frames[:, 16:] = 255
    expected, strange = (learner.surprise(clip, seeded(3)) for clip in (one, vanished))
    assert expected.shape == (1, 32)
    assert strange[:, 16:24].mean() > 2 * expected[:, 16:24].mean()


@pytest.mark.parametrize("size", list(STUDY_MILLIONS))
def test_sizes_match_the_study(size: str) -> None:
    with torch.device("meta"):
        denoiser = Denoiser(SIZES[size], 3 * 16 * 16, registers=4)
    millions = sum(p.numel() for p in denoiser.parameters()) / 1e6
    assert abs(millions / STUDY_MILLIONS[size] - 1) < 0.03


def test_patches_join_to_the_same_frames() -> None:
    video = torch.randn(2, 8, 16, 24, 3, generator=seeded(0))
    assert torch.equal(unpatchify(patchify(video, GRID), GRID, 16, 24), video)


GRID = Grid(4, 8, CONFIG.registers)


def packed(clip: Clip, generator: torch.Generator) -> Tokens:
    """Pack a batch at random noise levels."""
    level = torch.rand(clip.frames.shape[:2], generator=generator)
    patches = patchify(clip.frames, GRID).float() / 127.5 - 1
    setting = Setting(clip.time, clip.world, *clip.frames.shape[2:4])
    return noised(pack(patches, level, setting, GRID), generator)


def test_clips_of_any_size_packed_together_equal_each_alone(model: Diffusion) -> None:
    parts = [packed(clips(n, side, frames), seeded(side)) for n, side, frames in ((2, 16, 32), (1, 32, 8), (2, 24, 4))]
    mixed = model.denoiser(together(parts))
    alone = torch.cat([model.denoiser(part) for part in parts])
    assert (mixed - alone).abs().max() < 1e-5


def test_no_token_of_one_clip_sees_another(model: Diffusion) -> None:
    parts = [packed(clips(1, 16, 8), seeded(0)), packed(clips(1, 24, 8), seeded(1))]
    parts[0].patch.requires_grad_(True)
    model.denoiser(together(parts))[len(parts[0].patch) :].square().sum().backward()
    assert parts[0].patch.grad is not None
    assert parts[0].patch.grad.abs().max() == 0


def test_only_differences_of_places_matter() -> None:
    attention, x = Attention(96, 3, 1.0), torch.randn(20, 96, generator=seeded(0))
    torch.nn.init.eye_(attention.out)
    place = torch.rand(20, 3, generator=seeded(1)) * 5
    here = attention(x, rotations(place, 3, 32), (20,))
    there = attention(x, rotations(place + torch.tensor([1.0, -2.0, 3.0]), 3, 32), (20,))
    elsewhere = attention(x, rotations(place * 1.5, 3, 32), (20,))
    assert (here - there).abs().max() < 1e-4
    assert (here - elsewhere).abs().max() > 1e-3


def test_every_token_meets_its_own_row() -> None:
    lengths = (2, 2, 1, 4)
    rows = torch.randn(4, 5, generator=seeded(0))
    x = torch.randn(sum(lengths), 5, generator=seeded(1))
    runs = tuple((len(list(run)), length) for length, run in groupby(lengths))
    assert runs == ((2, 2), (1, 1), (1, 4))
    spread = rows.repeat_interleave(torch.tensor(lengths), 0)
    assert torch.equal(rowwise(torch.mul, runs, (x,), (rows,)), x * spread)


def test_the_gradient_of_frame_errors_is_right() -> None:
    tokens = packed(clips(1, 8, 4), seeded(0))
    clean = replace(tokens, patch=tokens.patch.double())
    x_hat = torch.randn(clean.patch.shape, dtype=torch.double, generator=seeded(1), requires_grad=True)
    gap = (x_hat - clean.patch).view(len(x_hat), GRID.tubelet, -1)
    assert torch.allclose(frame_errors(x_hat, clean), gap.square().mean(-1), rtol=1e-12)
    assert torch.autograd.gradcheck(lambda x: frame_errors(x, clean)[:, :1], x_hat)


def test_flops_are_counted_exactly(model: Diffusion) -> None:
    tokens = packed(clips(2, 32), seeded(0))
    with sdpa_kernel(SDPBackend.MATH), FlopCounterMode(display=False) as counter:  # the counter skips fused kernels
        model.denoiser(tokens)
    assert counter.get_total_flops() == model.denoiser.flops([(8, 16, 0)] * 2)


def test_the_mixture_asks_its_questions_in_their_shares() -> None:
    mixture = Mixture(leap=0.5, prefix=0.3)
    level = mixture.levels(2000, 12, seeded(0))
    given = (level[:, :3] == 1).all(1)
    leap = given & (level[:, 3:] == 0).all(1)
    shared = given & (level[:, 3:] == level[:, 3:4]).all(1) & ~leap
    assert abs(leap.float().mean() - 0.5) < 0.04
    assert abs(shared.float().mean() - 0.3) < 0.04
    assert ((level >= 0) & (level <= 1)).all()
    assert (mixture.weight(level)[level == 1] == 0).all()
    assert mixture.weight(level).max() <= mixture.cap


def test_noise_level_one_is_the_picture_and_zero_is_noise() -> None:
    clip = clips(1, 16, 4)
    patches = patchify(clip.frames, GRID).float()
    tokens = pack(patches, torch.tensor([[1.0, 0.0, 1.0, 0.5]]), Setting(clip.time, clip.world, 16, 16), GRID)
    clean, mixed = tokens.by_frame(tokens.patch), tokens.by_frame(noised(tokens, seeded(0)).patch)
    assert torch.equal(mixed[:, [0, 2]], clean[:, [0, 2]])
    assert abs(mixed[:, 1].std() - 1) < 0.2
    assert ((mixed - 0.5 * clean)[:, 3].std() - 0.5).abs() < 0.1


def test_more_steps_of_a_sure_model_end_at_the_same_frames(model: Diffusion) -> None:
    sure = replace(model.config, steps=4)
    twin = sure.build(seeded(0))
    twin.load_state_dict(model.state_dict())
    with torch.no_grad():
        for m in (model, twin):  # a head that ignores its input answers the same at every level
            m.denoiser.head.weight.zero_()
    dreams = [m.imagine(clips(1).first(3), 5, seeded(0)).frames.int() for m in (model, twin)]
    assert (dreams[0] - dreams[1]).abs().max() <= 1


@pytest.mark.parametrize(
    ("change", "named"), [({"size": "picoo"}, "did you mean 'pico'"), ({"patch": 0}, "patch"), ({"steps": 0}, "steps")]
)
def test_a_model_that_cannot_be_is_refused(change: dict[str, object], named: str) -> None:
    with pytest.raises(BadInputError, match=named):
        DiffusionConfig(**change)


def test_clips_that_do_not_divide_are_refused(model: WorldModel) -> None:
    with pytest.raises(BadInputError, match=r"height = 20.*multiple of 8"):
        model.loss(clips(1, 20), seeded(0))
    with pytest.raises(BadInputError, match="frames = 30"):
        model.loss(clips(1, 16, 30), seeded(0))
    with pytest.raises(BadInputError, match="context"):
        model.imagine(clips(1).first(1), 4, seeded(0))
