"""Many kinds of clips in one step, and patches that are clean while their neighbours are not.

Clips of any size, duration, rate and aspect, images among them, are laid one after another (NaViT, Dehghani et al.
2023); a list has no padding, so none is wasted. `by_budget` cuts a stream into steps of about equal cost.
To give some patches of a frame and hide others (a hole, or the random masks of a masked autoencoder, He et al. 2022),
every row is parted into two rows, one clean and one not: rows are what noise levels belong to.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from cavendish.errors import BadInputError
from cavendish.models.diffusion.text import Words
from cavendish.models.diffusion.tokens import Tokens, Whole, restored, with_register_places


def together(parts: Sequence[Tokens]) -> Tokens:
    """Join packed lists into one."""
    if len(parts) == 1:
        return parts[0]
    if any(part.registers != parts[0].registers for part in parts) or not parts:
        raise BadInputError("clips that are packed together need one kind of row: the same number of registers")
    words = None
    if any(part.words is not None for part in parts):
        spoken = next(part.words for part in parts if part.words is not None)
        said = [part.words or spoken.silent(len(part.clip_rows)) for part in parts]
        tokens, values = torch.cat([w.token for w in said]), torch.cat([w.value for w in said])
        states = [w.state for w in said if w.state is not None]
        words = Words(tokens, values, sum((w.counts for w in said), ()), torch.cat(states) if states else None)
    return Tokens(
        torch.cat([part.patch for part in parts]),
        torch.cat([part.place for part in parts]),
        torch.cat([part.level for part in parts]),
        sum((part.row_patches for part in parts), ()),
        sum((part.clip_rows for part in parts), ()),
        parts[0].registers,
        words,
    )


def by_budget(costs: Iterable[int], budget: int, ahead: int = 32) -> Iterator[list[int]]:
    """Cut a stream of clips, given their tokens, into steps of at most `budget` tokens.

    Of the clips of about `ahead` steps that wait, a step takes the one that has waited longest, then the largest that
    still fit.
    """
    stream, waiting, tokens = enumerate(costs), dict[int, int](), 0
    while True:
        while tokens < ahead * budget and (following := next(stream, None)):
            index, cost = following
            if not 0 < cost <= budget:
                raise BadInputError(f"clip {index} has {cost} tokens, expected 1 to the budget of {budget}")
            waiting[index] = cost
            tokens += cost
        if not waiting:
            return
        step, left = [], budget
        for index in (next(iter(waiting)), *sorted(waiting, key=waiting.__getitem__, reverse=True)):
            if waiting.get(index, budget + 1) <= left:
                left -= waiting.pop(index)
                step.append(index)
        tokens -= budget - left
        yield step


@dataclass(frozen=True)
class Parting:
    """Which patches are given, and how rows are parted for it."""

    order: Int[Tensor, " m"]  # patch i of the parted list is patch order[i] of the whole
    source: Int[Tensor, " parted"]  # the row that a parted row comes from
    given: Bool[Tensor, " parted"]
    counts: tuple[int, ...]  # patches per parted row

    @classmethod
    def of(cls, tokens: Tokens, given: Bool[Tensor, " m"]) -> "Parting":
        """Part every row into its given patches and the others; empty halves vanish."""
        rows = torch.arange(len(tokens.row_patches), device=given.device)
        half = 2 * rows.repeat_interleave(torch.tensor(tokens.row_patches, device=given.device)) + ~given
        counts = half.bincount(minlength=2 * len(rows))
        kept = counts.nonzero()[:, 0]
        return cls(half.argsort(stable=True), kept // 2, kept % 2 == 0, tuple(counts[kept].tolist()))

    def levels(self, level: Float[Tensor, "row tubelet"]) -> Float[Tensor, "parted tubelet"]:
        """Give given patches level 1, and the others their row's."""
        return torch.where(self.given[:, None], torch.ones(()), level[self.source])

    def parted(self, tokens: Tokens) -> Tokens:
        """Part the rows of a packed list."""
        place = tokens.without_registers(tokens.place)[self.order]
        rows = replace(tokens, patch=tokens.patch[self.order], level=self.levels(tokens.level), row_patches=self.counts)
        place = with_register_places(place, rows.runs(0), tokens.registers)
        clip_of = torch.arange(len(tokens.clip_rows)).repeat_interleave(torch.tensor(tokens.clip_rows))
        counts = clip_of[self.source.cpu()].bincount(minlength=len(tokens.clip_rows))
        whole = Whole(self.order, self.source, tokens.row_patches, tokens.clip_rows)
        return replace(rows, place=place, clip_rows=tuple(counts.tolist()), whole=whole)

    def joined(self, patch: Float[Tensor, "m p"]) -> Float[Tensor, "m p"]:
        """Bring patches back into the order of the whole list."""
        return restored(patch, self.order)
