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

import torch
from jaxtyping import Float, Int
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
    """When and how large: what places patches in seconds and metres."""

    time: Float[Tensor, " t"]  # s
    world: World


@dataclass(frozen=True)
class Tokens:
    """The packed list. Tokens of a row are neighbours, rows of a clip are neighbours."""

    patch: Float[Tensor, "s p"]  # pixel values in [-1, 1], noised; zero for registers
    place: Float[Tensor, "s 3"]  # s, m, m
    kind: Int[Tensor, " s"]  # 0 for a patch, i for register i
    level: Float[Tensor, "row tubelet"]  # noise level of every frame of every row
    row_lengths: Int[Tensor, " row"]  # tokens per row
    clip_lengths: tuple[int, ...]  # tokens per clip, registers included


def patchify(video: Float[Tensor, "b t h w c"], grid: Grid) -> Float[Tensor, "b row m p"]:
    """Cut frames into rows (tubelets) of `m` patches of `p` values."""
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


def pack(video: Float[Tensor, "b t h w c"], level: Float[Tensor, "b t"], setting: Setting, grid: Grid) -> Tokens:
    """Lay a batch of equal clips into the list."""
    b, t, h, w, _ = video.shape
    nt, nh, nw = grid.shape(t, h, w)
    patches = patchify(video, grid)
    space, registers = nh * nw, grid.registers
    front = patches.new_zeros(b, registers, patches.shape[-1])
    kind = torch.cat([torch.arange(1, registers + 1), torch.zeros(nt * space, dtype=torch.long)])
    place = torch.cat([torch.zeros(registers, 3), _places(setting, grid, (nt, nh, nw))])
    levels = torch.cat([level.new_ones(b, 1, grid.tubelet), level.view(b, nt, grid.tubelet)], 1)
    return Tokens(
        patch=torch.cat([front, patches.flatten(1, 2)], 1).flatten(0, 1),
        place=place.repeat(b, 1).to(video.device),
        kind=kind.repeat(b).to(video.device),
        level=levels.flatten(0, 1),
        row_lengths=torch.tensor([registers, *[space] * nt]).repeat(b).to(video.device),
        clip_lengths=(registers + nt * space,) * b,
    )


def unpack(patch: Float[Tensor, "s p"], clips: int, rows: int, grid: Grid) -> Float[Tensor, "b row m p"]:
    """Take the patches of equal clips out of the list, leaving the registers behind."""
    per_clip = patch.view(clips, -1, patch.shape[-1])[:, grid.registers :]
    return per_clip.reshape(clips, rows, -1, patch.shape[-1])


def _places(setting: Setting, grid: Grid, shape: tuple[int, int, int]) -> Float[Tensor, "m 3"]:
    nt, nh, nw = shape
    time = setting.time.cpu().view(nt, grid.tubelet).mean(1)
    up = setting.world.height * (0.5 - (torch.arange(nh) + 0.5) / nh)
    right = setting.world.width * ((torch.arange(nw) + 0.5) / nw - 0.5)
    return torch.stack(torch.meshgrid(time, up, right, indexing="ij"), -1).flatten(0, 2)
