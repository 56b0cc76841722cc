"""Rows that become one in the middle keep their places, their levels and their own patches."""

import numpy as np
import pytest
import torch

from cavendish.data import Picture, Split
from cavendish.models import DiffusionConfig
from cavendish.models.diffusion.hourglass import Waist
from cavendish.models.diffusion.packing import Parting, together
from cavendish.models.diffusion.tokens import Grid, Setting, Tokens, pack, patchify
from cavendish.scenes import UniformMotion
from cavendish.training import seeded

GRID = Grid(1, 8, 1)
WAIST = Waist(12, 4, 1)


def packed(clips: int, frames: int, side: int = 16) -> Tokens:
    """Pack the beginnings of some clips at random levels."""
    clip = Split(UniformMotion(), picture=Picture(side, side)).clips(np.arange(clips)).first(frames)
    level = torch.rand(clips, frames, generator=seeded(frames))
    return pack(patchify(clip.frames, GRID).float(), level, Setting(clip.time, clip.world, side, side), GRID)


@pytest.mark.parametrize("seen", range(8))
@pytest.mark.parametrize("frames", [8, 6, 1])
@pytest.mark.parametrize("parted", [False, True])
def test_what_is_merged_comes_back_to_its_own_patch(frames: int, parted: bool, seen: int) -> None:
    tokens = together([packed(2, frames), packed(1, 4, 24)])
    if parted:
        tokens = Parting.of(tokens, torch.rand(len(tokens.patch), generator=seeded(0)) < 0.4).parted(tokens)
    waist = Waist(192, 4, 1)
    for weight in (waist.narrow, waist.widen):
        torch.nn.init.zeros_(weight)
    with torch.no_grad():  # a group is told of one of the eight rows that it sees, and tells it of it
        waist.narrow[:, 192 * seen : 192 * (seen + 1)].copy_(torch.eye(192))
        waist.widen[192 * seen : 192 * (seen + 1)].copy_(torch.eye(192))
    x, middle = waist.narrowed(tokens.patch, tokens)
    assert sum(middle.row_patches) == 2 * -(-frames // 4) * 4 + 9
    order = torch.arange(len(tokens.patch)) if tokens.whole is None else tokens.whole.order
    row = torch.cat([torch.arange(frames).repeat_interleave(4).repeat(2), torch.arange(4).repeat_interleave(9)])[order]
    last = torch.tensor([(frames - 1) // 4] * (2 * frames * 4) + [0] * (4 * 9))[order]
    group = (row + 2 - seen) // 4  # sees two rows before its own four, and two behind them
    heard = (row % 4 == (seen - 2) % 4) & (group >= 0) & (group <= last)
    assert heard.any() == (frames > 1 or 2 <= seen < 6)
    assert torch.equal(waist.widened(x, middle, tokens), torch.where(heard[:, None], tokens.patch, 0.0))


def test_a_group_stands_in_the_middle_of_the_rows_that_it_sees() -> None:
    tokens = packed(1, 6)
    time = tokens.without_registers(tokens.place)[::4, 0]
    middle = WAIST.merged(tokens)
    assert middle.clip_rows == (2,)
    assert middle.row_patches == (4, 4)
    place = middle.place.view(2, 5, 3)
    assert torch.allclose(place[:, :, 0], torch.stack([time.mean(), time[2:].mean()])[:, None].expand(2, 5))
    assert torch.allclose(place[0, 1:, 1:], tokens.place[1:5, 1:])
    assert (place[:, 0, 1:] == 0).all()


def test_parted_rows_stand_where_the_whole_rows_stood() -> None:
    tokens = packed(2, 8)
    parted = Parting.of(tokens, torch.rand(len(tokens.patch), generator=seeded(0)) < 0.4).parted(tokens)
    assert torch.allclose(WAIST.merged(parted).place, WAIST.merged(tokens).place, atol=1e-6)


def test_a_group_is_told_the_mean_level_of_its_rows() -> None:
    tokens = packed(2, 6)
    level = torch.randn(12, 6, 3, generator=seeded(0))
    found = WAIST.modulation(level, tokens)
    wanted = torch.stack([level[:6].mean(0), level[2:6].mean(0), level[6:].mean(0), level[8:].mean(0)])
    assert torch.allclose(found, wanted, atol=1e-6)


def test_the_middle_of_an_hourglass_is_cheap_and_is_heard() -> None:
    plain, glass = (DiffusionConfig(size, 8, 1).build(seeded(0)) for size in ("nano", "nano-hourglass"))
    clip = Split(UniformMotion(), picture=Picture(32, 32)).clips(np.arange(1)).first(16)
    assert glass.training_flops(clip) < 0.55 * plain.training_flops(clip)
    assert sum(p.numel() for p in glass.parameters()) < 1.2 * sum(p.numel() for p in plain.parameters())
    torch.nn.init.normal_(glass.denoiser.head.weight)
    tokens = packed(1, 8)
    before = glass.denoiser(tokens)
    assert glass.denoiser.waist is not None
    torch.nn.init.zeros_(glass.denoiser.waist.widen)
    assert not torch.allclose(before, glass.denoiser(tokens), atol=1e-3)
