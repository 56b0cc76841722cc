"""One packed list of spacetime patches for any mix of clips, each frame with its own noise level.

A clip of (t, h, w) pixels becomes t / tubelet rows of (h / patch) (w / patch) patches (tubelets, Arnab et al.
2021, ViViT), laid one clip after another without padding (NaViT, Dehghani et al. 2023). Register tokens
(Darcet et al. 2023) stand before the patches of every row. Every token has a place (seconds, metres up, metres
right, from the middle of the frame); every row has the noise level of each of its frames.
Rows of equal length that follow each other make a run: what belongs to a row (levels, modulation) meets the
tokens of a run by broadcasting, so that a batch of equal clips is one run and nothing is copied.
Levels run from 0, pure noise, to 1, clean: z = level x + (1 - level) noise.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from itertools import groupby
from typing import Any

import torch
from jaxtyping import Float, Int, Shaped
from torch import Tensor
from torch.nn import functional as F

from cavendish.errors import BadInputError
from cavendish.models.blocks.attention import cut_up
from cavendish.models.diffusion.text import Words
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


BROKEN = 8  # runs; beyond it copying rows to tokens costs less than going through the runs
Runs = tuple[tuple[int, int], ...]  # (rows, tokens per row) of each run


def rowwise(
    act: Callable[..., Tensor], runs: Runs, tokens: tuple[Tensor, ...], rows: tuple[Tensor, ...] = ()
) -> Shaped[Tensor, "s ..."]:
    """Call `act` on every run, `tokens` cut to (row, token, ...) and `rows` to (row, 1, ...), and join the results."""
    if rows and len(runs) > BROKEN:
        return act(*(part.unsqueeze(1) for part in tokens), *spread(runs, rows)).flatten(0, 1)
    counts, lengths = [count for count, _ in runs], [count * length for count, length in runs]
    done = []
    for (count, length), *parts in zip(
        runs, *(cut_up(part, lengths) for part in tokens), *(cut_up(part, counts) for part in rows), strict=True
    ):
        inside = (part.unflatten(0, (count, length)) for part in parts[: len(tokens)])
        beside = (part.unsqueeze(1) for part in parts[len(tokens) :])
        done.append(act(*inside, *beside).flatten(0, 1))
    return torch.cat(done) if len(done) > 1 else done[0]


class _Spread(torch.autograd.Function):
    """Copy a row to each of its tokens; back, add up what the tokens say."""

    @staticmethod
    def forward(ctx: Any, row: Tensor, lengths: Tensor, total: int) -> Tensor:
        ctx.save_for_backward(lengths)
        return row.repeat_interleave(lengths, 0, output_size=total)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None, None]:
        (lengths,) = ctx.saved_tensors
        told = gradients[0].float() if gradients[0].dtype == torch.bfloat16 else gradients[0]  # sums lose what is small
        back = torch.segment_reduce(told, "sum", lengths=lengths, axis=0, unsafe=True)
        return back.to(gradients[0].dtype), None, None


def spread(runs: Runs, rows: tuple[Tensor, ...]) -> list[Tensor]:
    """Copy what belongs to rows to each of their tokens, with an axis of one token behind."""
    each, total = _lengths(runs, rows[0].device), sum(count * length for count, length in runs)
    return [_Spread.apply(row, each, total).unsqueeze(1) for row in rows]  # type: ignore[no-untyped-call]


@lru_cache(maxsize=16)
def _lengths(runs: Runs, device: torch.device) -> Int[Tensor, " row"]:
    """Return the tokens of every row; brought to a device once a step, since each time makes it wait."""
    return torch.tensor([length for count, length in runs for _ in range(count)], device=device)


@dataclass(frozen=True)
class Whole:
    """The list that one with parted rows was made of (`packing`)."""

    order: Int[Tensor, " m"]  # patch i of the parted list is patch order[i] of the whole
    source: Int[Tensor, " row"]  # the row that a parted row comes from
    row_patches: tuple[int, ...]
    clip_rows: tuple[int, ...]


def restored(patch: Shaped[Tensor, "m ..."], order: Int[Tensor, " m"]) -> Shaped[Tensor, "m ..."]:
    """Bring patches back from an order in which patch i was patch order[i]."""
    return torch.empty_like(patch).index_copy(0, order, patch)


@dataclass(frozen=True)
class Tokens:
    """The packed list. Tokens of a row are neighbours, rows of a clip are neighbours."""

    patch: Float[Tensor, "m p"]  # pixel values in [-1, 1], noised; registers have none
    place: Float[Tensor, "s 3"]  # s, m, m
    level: Float[Tensor, "row tubelet"]  # noise level of every frame of every row
    row_patches: tuple[int, ...]  # patches per row
    clip_rows: tuple[int, ...]  # rows per clip
    registers: int  # per row
    words: Words | None = None  # captions
    until: Float[Tensor, "row tubelet"] | None = None  # the level at which an answer is to end; none: its own
    whole: Whole | None = None  # none: no row is parted

    @property
    def clip_lengths(self) -> tuple[int, ...]:
        """Return the tokens of every clip, registers included, words not."""
        rows = iter(self.row_patches)
        return tuple(sum(self.registers + next(rows) for _ in range(count)) for count in self.clip_rows)

    def by_frame(self, patch: Float[Tensor, "m p"]) -> Float[Tensor, "m tubelet q"]:
        """Split the values of every patch by the frame of its tubelet."""
        return patch.view(len(patch), self.level.shape[1], -1)

    def runs(self, registers: int) -> Runs:
        """Return the runs, counting that many registers in every row."""
        return tuple((len(list(run)), registers + patches) for patches, run in groupby(self.row_patches))

    def with_registers(self, x: Float[Tensor, "m k"], register: Float[Tensor, "r k"]) -> Float[Tensor, "s k"]:
        """Put the registers before the patches of every row."""
        register = register.to(x.dtype)
        return rowwise(lambda x: torch.cat([register.expand(len(x), -1, -1), x], 1), self.runs(0), (x,))

    def without_registers(self, x: Float[Tensor, "s k"]) -> Float[Tensor, "m k"]:
        """Take the patches of every row."""
        return rowwise(lambda x: x[:, self.registers :], self.runs(self.registers), (x,))


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
    b, nt, space, _ = patches.shape
    return Tokens(
        patch=patches.flatten(0, 2),
        place=_places(setting, grid).repeat(b, 1).to(patches.device),
        level=level_rows(level, grid),
        row_patches=(space,) * (b * nt),
        clip_rows=(nt,) * b,
        registers=grid.registers,
    )


def level_rows(level: Float[Tensor, "b t"], grid: Grid) -> Float[Tensor, "row tubelet"]:
    """Lay the levels of equal clips into rows."""
    return level.reshape(-1, grid.tubelet)


def with_register_places(place: Float[Tensor, "m 3"], runs: Runs, registers: int) -> Float[Tensor, "s 3"]:
    """Put the places of registers before those of the patches of every row: in the middle of the frame, at its time."""
    return rowwise(lambda p: torch.cat([F.pad(p[:, :1, :1], (0, 2)).expand(-1, registers, -1), p], 1), runs, (place,))


def _places(setting: Setting, grid: Grid) -> Float[Tensor, "s 3"]:
    """Return the places of one clip's tokens."""
    nt, nh, nw = grid.shape(len(setting.time), setting.height, setting.width)
    time = setting.time.cpu().view(nt, grid.tubelet).mean(1)
    up = setting.world.height * (0.5 - (torch.arange(nh) + 0.5) / nh)
    right = setting.world.width * ((torch.arange(nw) + 0.5) / nw - 0.5)
    patches = torch.stack(torch.meshgrid(time, up, right, indexing="ij"), -1).flatten(0, 2)
    return with_register_places(patches, ((nt, nh * nw),), grid.registers)
