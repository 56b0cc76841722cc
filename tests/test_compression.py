"""A film in fewer numbers: nothing ahead is seen, nothing given is lost, and a denoiser learns on what is left."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from cavendish.data import Picture, Split
from cavendish.errors import BadInputError
from cavendish.models.diffusion import Compression, CompressionConfig, Diffusion, DiffusionConfig, prompts
from cavendish.models.diffusion.compression import Pixels
from cavendish.models.diffusion.tokens import Grid
from cavendish.scenes import UniformMotion
from cavendish.training import Run, TrainingConfig, load_trained, seeded, train
from cavendish.training import checkpoint as store
from cavendish.training.signals import StopRequest

CODEC = CompressionConfig(channels=8, patch=8, width=24, depth=1)
LATENT = DiffusionConfig(size="pico", patch=1, tubelet=4, codec=CODEC)
SPLIT = Split(UniformMotion(), size=1000, picture=Picture(16, 16), flip=0.5)
GRID = Grid(4, 1, 0)


def test_latents_are_few_and_of_mean_square_one() -> None:
    codec, frames = Compression(CODEC), SPLIT.clips(np.arange(2)).frames
    latent = codec.encode(frames, GRID)
    assert latent.shape == (2, 8, 4, 4 * 8)
    assert torch.allclose(latent.view(2, 8, 4, 4, 8).square().mean(-1), torch.ones(2, 8, 4, 4), atol=1e-3)
    assert codec.decode(latent, GRID, (16, 16)).shape == frames.shape


def test_a_codec_sees_no_future_and_latents_not_even_the_past() -> None:
    codec, frames = Compression(CODEC), SPLIT.clips(np.arange(1)).frames
    for start, stop, same in ((16, 32, slice(0, 16)), (0, 16, slice(20, 32))):
        changed = frames.clone()
        changed[:, start:stop] = 0
        latents = [codec.encode(f, Grid(1, 1, 0)) for f in (frames, changed)]
        assert torch.equal(latents[0][:, same], latents[1][:, same])
        if start == 16:
            back = [codec.decode(latent, Grid(1, 1, 0), (16, 16)) for latent in latents]
            assert torch.equal(back[0][:, :16], back[1][:, :16])


def test_pixels_come_back_to_the_last_bit() -> None:
    frames = SPLIT.clips(np.arange(2)).frames
    grid = Grid(4, 8, 0)
    assert torch.equal(Pixels().decode(Pixels().encode(frames, grid), grid, (16, 16)), frames)


def test_a_single_image_teaches_a_codec_of_several_frames() -> None:
    codec, image = Compression(replace(CODEC, tubelet=2)), SPLIT.clips(np.arange(2)).first(1)
    standing = replace(image, frames=image.frames.expand(-1, 2, -1, -1, -1), time=0.1 * torch.arange(2))
    assert codec.loss(image, seeded(0))[0] == codec.loss(standing, seeded(0))[0]
    assert codec.training_flops(image) == codec.training_flops(standing)


@pytest.mark.slow
def test_a_codec_is_trained_first_and_then_left_alone(tmp_path: Path) -> None:
    model = LATENT.build(seeded(0))
    run = Run(tmp_path, SPLIT, TrainingConfig(steps=20, batch=8, rate=3e-3), 0, StopRequest(), lambda record: None)
    clip = SPLIT.clips(np.arange(4))
    assert isinstance(model.codec, Compression)
    before = model.codec.loss(clip, seeded(0))[0].item()
    train(model, run)
    assert model.codec.loss(clip, seeded(0))[0].item() < 0.5 * before
    codec, whole = (store.load(store.steps(tmp_path / "checkpoints" / name)[-1])[0] for name in ("codec", "model"))
    assert all(torch.equal(value, whole["ema"][f"codec.{name}"]) for name, value in codec["ema"].items())
    assert not [name for name in whole["optimiser"] if name.startswith("codec")]
    loaded = LATENT.build(seeded(9))
    load_trained(loaded, tmp_path)
    assert all(torch.equal(value, model.state_dict()[name]) for name, value in loaded.state_dict().items())


@pytest.mark.parametrize("stride", [1, 2])
def test_prompts_reach_a_model_of_latents(stride: int) -> None:
    codec = replace(CODEC, tubelet=stride)
    model = replace(LATENT, tubelet=4 // stride, codec=codec).build(seeded(0))
    assert isinstance(model, Diffusion)
    clip = SPLIT.clips(np.arange(2))
    for horizon in (29, 6):
        dreamt = model.imagine(clip.first(3), horizon, seeded(1)).frames
        assert dreamt is not None
        assert dreamt.shape[1] == 3 + horizon
        assert torch.equal(dreamt[:, :3], clip.frames[:, :3])
    hole = torch.zeros(32, 16, 16, dtype=torch.bool)
    hole[8:24, 4:12] = True
    filled = model.dream(prompts.inpaint(clip, hole), seeded(2)).frames
    assert filled is not None
    assert torch.equal(filled[:, ~hole], clip.frames[:, ~hole])
    assert model.surprise(clip, seeded(3)).shape == (2, 32)
    assert model.encode(clip).shape[:2] == (2, 32)


def test_a_codec_that_cannot_be_is_refused() -> None:
    with pytest.raises(BadInputError, match="channels"):
        CompressionConfig(channels=1)
    with pytest.raises(BadInputError, match=r"height = 20.*multiple of 8"):
        Compression(CODEC).encode(torch.zeros(1, 4, 20, 16, 3, dtype=torch.uint8), GRID)
