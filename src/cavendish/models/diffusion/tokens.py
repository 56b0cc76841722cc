"""One packed list of spacetime patches for any mix of clips, each frame with its own noise level.

A clip of (t, h, w) pixels becomes (t / tubelet) (h / patch) (w / patch) tokens (tubelets, Arnab et al.
2021, ViViT), laid one clip after another without padding (NaViT, Dehghani et al. 2023). Beside the patch
values every token has a place (seconds, metres up, metres right, from the middle of the frame) and a row
in a small table of noise levels: one row per clip and tubelet, holding the level of each of its frames.
Register tokens (Darcet et al. 2023) stand before each clip's patches, in a row of their own that is always
clean. Text tokens can join the list in the same way.
Levels run from 0, pure noise, to 1, clean: z = level x + (1 - level) noise.
"""

from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float, Int, Shaped
from torch import Tensor

from cavendish.errors import BadInputError
from cavendish.motion import World


@dataclass(frozen=True)
class Grid:
    """How clips are cut: `tubelet` frames of `patch` x `patch` pixels make a token, after some registers."""

    tubelet: int
    patch: int
    registers: int

    def shape(self, frames: int, height: int, width: int) -> tuple[int, int, int]:
        """Return tokens along time, height and width, refusing a size that does not divide."""
        for name, size, part in (
            ("frames", frames, self.tubelet),
            ("height", height, self.patch),
            ("width", width, self.patch),
        ):
            if size % part or size == 0:
                raise BadInputError(f"clip {name} = {size}, expected a multiple of {part}")
        return frames // self.tubelet, height // self.patch, width // self.patch


@dataclass(frozen=True)
class Setting:
    """When and how large clips are: what places their patches in seconds and metres."""

    time: Float[Tensor, " t"]  # s
    world: World
    height: int  # px
    width: int  # px


@dataclass(frozen=True)
class Tokens:
    """The packed list. Tokens of a row are neighbours, rows of a clip are neighbours."""

    patch: Float[Tensor, "s p"]  # pixel values in [-1, 1], noised; zero for registers
    place: Float[Tensor, "s 3"]  # s, m, m
    kind: Int[Tensor, " s"]  # 0 for a patch, i for register i
    level: Float[Tensor, "row tubelet"]  # noise level of every frame of every row
    row_lengths: Int[Tensor, " row"]  # tokens per row
    clip_lengths: tuple[int, ...]  # tokens per clip, registers included

    def by_frame(self, patch: Float[Tensor, "s p"]) -> Float[Tensor, "s tubelet q"]:
        """Split the values of every token by the frame of its tubelet."""
        return patch.view(len(patch), self.level.shape[1], -1)


class _Spread(torch.autograd.Function):
    """Copy every row to its tokens; backwards, add the tokens of every row (faster than an index on CPU)."""

    @staticmethod
    def forward(ctx: Any, rows: Tensor, lengths: Tensor) -> Tensor:
        ctx.save_for_backward(lengths)
        return rows.repeat_interleave(lengths, 0)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        (lengths,) = ctx.saved_tensors
        return torch.segment_reduce(gradients[0].contiguous(), "sum", lengths=lengths, axis=0), None


def spread(rows: Float[Tensor, "row k"], lengths: Int[Tensor, " row"]) -> Float[Tensor, "s k"]:
    """Copy every row to its `lengths[row]` tokens."""
    return _Spread.apply(rows, lengths)  # type: ignore[no-untyped-call, no-any-return]


def patchify(video: Shaped[Tensor, "b t h w c"], grid: Grid) -> Shaped[Tensor, "b row m p"]:
    """Cut frames into rows (tubelets) of `m` patches of `p` values, frame after frame within a patch."""
    b, t, h, w, c = video.shape
    nt, nh, nw = grid.shape(t, h, w)
    cut = video.view(b, nt, grid.tubelet, nh, grid.patch, nw, grid.patch, c)
    return cut.permute(0, 1, 3, 5, 2, 4, 6, 7).reshape(b, nt, nh * nw, -1)


def unpatchify(patches: Float[Tensor, "b row m p"], grid: Grid, height: int, width: int) -> Float[Tensor, "b t h w c"]:
    """Join patches to frames again."""
    b, nt = patches.shape[:2]
    nh, nw = height // grid.patch, width // grid.patch
    cut = patches.view(b, nt, nh, nw, grid.tubelet, grid.patch, grid.patch, -1)
    return cut.permute(0, 1, 4, 2, 5, 3, 6, 7).reshape(b, nt * grid.tubelet, height, width, -1)


def pack(patches: Float[Tensor, "b row m p"], level: Float[Tensor, "b t"], setting: Setting, grid: Grid) -> Tokens:
    """Lay a batch of equal clips into the list."""
    b, nt, space, values = patches.shape
    registers, device = grid.registers, patches.device
    kind = torch.cat([torch.arange(1, registers + 1), torch.zeros(nt * space, dtype=torch.long)])
    place = torch.cat([torch.zeros(registers, 3), _places(setting, grid)])
    return Tokens(
        patch=torch.cat([patches.new_zeros(b, registers, values), patches.flatten(1, 2)], 1).flatten(0, 1),
        place=place.repeat(b, 1).to(device),
        kind=kind.repeat(b).to(device),
        level=level_rows(level, grid),
        row_lengths=torch.tensor([registers, *[space] * nt]).repeat(b).to(device),
        clip_lengths=(registers + nt * space,) * b,
    )


def level_rows(level: Float[Tensor, "b t"], grid: Grid) -> Float[Tensor, "row tubelet"]:
    """Lay the levels of equal clips into rows, the clean row of the registers before each clip's tubelets."""
    rows = level.reshape(len(level), -1, grid.tubelet)
    return torch.cat([torch.ones_like(rows[:, :1]), rows], 1).flatten(0, 1)


def unpack(patch: Float[Tensor, "s p"], clips: int, rows: int, grid: Grid) -> Float[Tensor, "b row m p"]:
    """Take what belongs to the patches of equal clips out of the list, leaving the registers behind."""
    per_clip = patch.view(clips, -1, patch.shape[-1])[:, grid.registers :]
    return per_clip.reshape(clips, rows, -1, patch.shape[-1])


def _places(setting: Setting, grid: Grid) -> Float[Tensor, "m 3"]:
    nt, nh, nw = grid.shape(len(setting.time), setting.height, setting.width)
    time = setting.time.cpu().view(nt, grid.tubelet).mean(1)
    up = setting.world.height * (0.5 - (torch.arange(nh) + 0.5) / nh)
    right = setting.world.width * ((torch.arange(nw) + 0.5) / nw - 0.5)
    return torch.stack(torch.meshgrid(time, up, right, indexing="ij"), -1).flatten(0, 2)
