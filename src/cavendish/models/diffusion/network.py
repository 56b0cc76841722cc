"""The denoiser: a transformer over packed spacetime patches that answers with clean patches.

Block (pre-norm, modulated by the noise level; adaLN-single, Chen et al. 2023, PixArt-alpha, section 2.3):
    (s1, b1, g1, s2, b2, g2) = M(level) + table        one shared M, one small table per block
    x <- x + g1 * attention((1 + s1) * norm(x) + b1)
    x <- x + g2 * swiglu((1 + s2) * norm(x) + b2),       swiglu(y) = (silu(y G) * y U) D   (Shazeer 2020)
The modulation is computed per row (a clip's tubelet) and broadcast over its tokens. Output: the clean patch
("x-prediction"; Li & He 2025, JiT, argue that clean data lie on a low-dimensional manifold, noise does not).
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate, groupby

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from cavendish.models.blocks.attention import Attention, products, rotations
from cavendish.models.diffusion.hourglass import Waist
from cavendish.models.diffusion.text import WordEmbedding, Words, spliced, unspliced
from cavendish.models.diffusion.tokens import Runs, Tokens, rowwise
from cavendish.models.diffusion.wording import AnyText

LEVEL_FEATURES = 256


@dataclass(frozen=True)
class Shape:
    """Width, depth and heads of a transformer."""

    width: int
    depth: int
    heads: int
    merged: int = 1  # rows that all blocks but the first and last take as one (`hourglass`)


# The study's S, B, L and XL (Kang et al. 2024, table 6) and six smaller steps for smaller machines.
SIZES = {
    "atto": Shape(32, 2, 1),
    "femto": Shape(48, 3, 2),
    "pico": Shape(96, 4, 3),
    "nano": Shape(128, 6, 4),
    "micro": Shape(192, 8, 3),
    "tiny": Shape(256, 10, 8),
    "S": Shape(384, 12, 6),
    "B": Shape(768, 12, 12),
    "L": Shape(1024, 24, 16),
    "XL": Shape(1152, 28, 16),
}
SIZES |= {f"{name}-hourglass": replace(shape, merged=4) for name, shape in SIZES.items() if shape.depth > 2}


class Block(nn.Module):
    """Attention, then a gated feed-forward layer, both modulated by the noise level."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        width, hidden = shape.width, 8 * shape.width // 3
        quiet = (2 * shape.depth) ** -0.5  # residual branches add up to a variance of about one
        self.table = nn.Parameter(torch.randn(6, width) / width**0.5)
        self.attention = Attention(width, shape.heads, quiet)
        self.gate = nn.Parameter(torch.randn(hidden, width) * width**-0.5)
        self.up = nn.Parameter(torch.randn(hidden, width) * width**-0.5)
        self.down = nn.Parameter(torch.randn(width, hidden) * quiet * hidden**-0.5)

    def forward(
        self,
        x: Float[Tensor, "s k"],
        level: Float[Tensor, "row 6 k"],
        turn: Tensor,
        runs: Runs,
        lengths: tuple[int, ...],
    ) -> Float[Tensor, "s k"]:
        """Refine every token; `runs` are runs of rows, `lengths` tokens per clip."""
        s1, b1, g1, s2, b2, g2 = (level + self.table).to(x.dtype).unbind(1)
        y = rowwise(_modulated, runs, (x,), (1 + s1, b1))
        x = rowwise(torch.addcmul, runs, (x, self.attention(y, turn, lengths)), (g1,))
        y = rowwise(_modulated, runs, (x,), (1 + s2, b2))
        gate, up = products(y, self.gate, self.up)
        y = F.linear(F.silu(gate) * up, self.down)
        return rowwise(torch.addcmul, runs, (x, y), (g2,))


class Denoiser(nn.Module):
    """Noised patches in, clean patches out; captions, where it reads any, stand beside them."""

    def __init__(self, shape: Shape, patch_values: int, registers: int, reads: AnyText | None = None) -> None:
        super().__init__()
        width = shape.width
        bottleneck = min(128, width)
        self.shape = shape
        self.embed_in = nn.Linear(patch_values, bottleneck, bias=False)
        self.embed_out = nn.Linear(bottleneck, width, bias=False)
        self.register = nn.Parameter(torch.randn(registers, width) * 0.02)
        self.level = nn.Sequential(nn.Linear(LEVEL_FEATURES, width), nn.SiLU(), nn.Linear(width, width), nn.SiLU())
        self.modulation = nn.Linear(width, 6 * width)
        self.blocks = nn.ModuleList(Block(shape) for _ in range(shape.depth))
        self.final_table = nn.Parameter(torch.zeros(2, width))
        self.head = nn.Linear(width, patch_values, bias=False)  # the shift before it stands for a bias
        nn.init.zeros_(self.modulation.weight)
        nn.init.zeros_(self.modulation.bias)
        nn.init.zeros_(self.head.weight)
        with torch.no_grad():
            self.modulation.bias.view(6, width)[[2, 5]] = 1.0  # gates start open
        self.words = None if reads is None else WordEmbedding(reads.entries, reads.states, width)
        self.until: nn.Linear | None = None
        self.waist = None if shape.merged == 1 else Waist(width, shape.merged, registers)

    def learn_jumps(self) -> None:
        """Listen to the level at which an answer is to end; at first it changes nothing."""
        self.until = nn.Linear(LEVEL_FEATURES, self.shape.width, bias=False)
        nn.init.zeros_(self.until.weight)

    def forward(self, tokens: Tokens) -> Float[Tensor, "m p"]:
        """Predict every clean patch."""
        for x, _ in self._through(tokens):
            last = x
        x = tokens.without_registers(_film(last, tokens))
        scale, shift = self.final_table
        return self.head(_modulated(x, 1 + scale, shift))  # type: ignore[no-any-return]

    def features(self, tokens: Tokens) -> list[Float[Tensor, "m k"]]:
        """Return the features of patches after every block; in a waist, of what stands for them."""
        return [
            at.without_registers(_film(x, at))
            if at is tokens or self.waist is None
            else self.waist.repeated(_film(x, at), at, tokens)
            for x, at in self._through(tokens)
        ]

    def _through(self, tokens: Tokens) -> Iterator[tuple[Float[Tensor, "n k"], Tokens]]:
        """Yield the features after every block, those of words among them, and the list that they belong to."""
        x = tokens.with_registers(self.embed_out(self.embed_in(tokens.patch)), self.register)
        level = self._modulation(tokens.level, tokens.until)
        clean = level[:0]
        if tokens.words is not None:
            assert self.words is not None
            clean = self._modulation(torch.ones_like(tokens.level[:1]))
            x = _spoken(self.words(tokens.words).to(x.dtype), x, tokens)
        laid = self._laid(tokens, level, clean)
        ends = len(self.blocks) if self.waist is None else 1
        for block in self.blocks[:ends]:
            x = block(x, *laid)
            yield x, tokens
        if self.waist is None:
            return
        words, film = _apart(x, tokens)
        y, middle = self.waist.narrowed(tokens.without_registers(film), tokens)
        y, between = _spoken(words, y, middle), self._laid(middle, self.waist.modulation(level, tokens), clean)
        for block in self.blocks[ends:-1]:
            y = block(y, *between)
            yield y, middle
        words, merged = _apart(y, middle)
        told = tokens.with_registers(self.waist.widened(merged, middle, tokens), torch.zeros_like(self.register))
        x = _spoken(words, film + told, tokens)
        yield self.blocks[-1](x, *laid), tokens

    def _laid(
        self, tokens: Tokens, level: Float[Tensor, "row 6 k"], clean: Float[Tensor, "one 6 k"]
    ) -> tuple[Tensor, Tensor, Runs, tuple[int, ...]]:
        """Return what every block must know of a list: modulation, rotations, runs, lengths.

        Words are included: a row of level 1, `clean`, stands before the rows of every clip that has a caption.
        """
        place, runs, lengths = tokens.place, tokens.runs(tokens.registers), tokens.clip_lengths
        said = tokens.words
        if said is not None:
            spoken = [int(count > 0) for count in said.counts]
            level = spliced(clean.expand(sum(spoken), -1, -1), spoken, level, tokens.clip_rows)
            starts = place[[0, *accumulate(lengths[:-1])], 0]
            place = _spoken(said.places(starts), place, tokens)
            runs = _runs_with_words(tokens, said)
            lengths = tuple(n + words for n, words in zip(lengths, said.counts, strict=True))
        return level, rotations(place, self.shape.heads, self.shape.width // self.shape.heads), runs, lengths

    def _modulation(
        self, level: Float[Tensor, "row tubelet"], until: Float[Tensor, "row tubelet"] | None = None
    ) -> Float[Tensor, "row 6 k"]:
        modulation: Tensor = self.modulation(self._level(level, until))
        return modulation.view(len(modulation), 6, -1)

    def _level(
        self, level: Float[Tensor, "row tubelet"], until: Float[Tensor, "row tubelet"] | None = None
    ) -> Float[Tensor, "row k"]:
        found: Tensor = self.level(_waves(level))
        if self.until is None:
            return found
        return found.add(self.until(_waves(level if until is None else until) - _waves(level)))

    def flops(self, films: Sequence[tuple[int, int, int]]) -> float:
        """Count the operations of a forward pass exactly in its matrix products (a multiply-add is 2).

        A film is told as its rows, the patches of each, and the words of its caption.
        """
        width, depth, registers = self.shape.width, self.shape.depth, len(self.register)
        per_token = 4 * width**2 + 3 * width * (8 * width // 3)
        per_patch = sum(m.weight.numel() for m in (self.embed_in, self.embed_out, self.head))
        per_row = LEVEL_FEATURES * width * (1 if self.until is None else 2) + width**2 + 6 * width**2
        reading = () if self.words is None else self.words.children()
        per_word = sum(p.numel() for part in reading for p in part.parameters() if p.ndim == 2)

        def blocks(count: int, rows: int, patches: int, words: int) -> int:
            length = rows * (registers + patches) + words
            return count * (length * per_token + 2 * length**2 * width)

        merged, ends = self.shape.merged, depth if self.waist is None else 2
        total = 0
        for rows, patches, words in films:
            groups = -(-rows // merged)
            total += blocks(ends, rows, patches, words) + rows * (patches * per_patch + per_row)
            total += words * per_word
            if self.waist is not None:
                total += blocks(depth - ends, groups, patches, words) + groups * patches * 4 * merged * width**2
        return 2.0 * (total + any(words for _, _, words in films) * per_row)


def _film(x: Float[Tensor, "n k"], tokens: Tokens) -> Float[Tensor, "s k"]:
    """Leave words out."""
    return _apart(x, tokens)[1]


def _apart(x: Float[Tensor, "n k"], tokens: Tokens) -> tuple[Float[Tensor, "q k"], Float[Tensor, "s k"]]:
    """Take words and films apart."""
    return (x[:0], x) if tokens.words is None else unspliced(x, tokens.words.counts, tokens.clip_lengths)


def _spoken(words: Float[Tensor, "q ..."], film: Float[Tensor, "s ..."], tokens: Tokens) -> Float[Tensor, "n ..."]:
    """Put the words of every clip before its film."""
    return film if tokens.words is None else spliced(words, tokens.words.counts, film, tokens.clip_lengths)


def _waves(level: Float[Tensor, "row tubelet"]) -> Float[Tensor, "row w"]:
    pairs = LEVEL_FEATURES // 2 // level.shape[1]
    frequency = torch.logspace(0, 2, pairs, device=level.device)
    angle = (level[..., None] * frequency * (math.pi / 2)).flatten(1)
    wave = torch.cat([angle.cos(), angle.sin()], -1)
    return F.pad(wave, (0, LEVEL_FEATURES - wave.shape[1]))


def _runs_with_words(tokens: Tokens, said: Words) -> Runs:
    film, rows = iter(tokens.row_patches), []
    for words, count in zip(said.counts, tokens.clip_rows, strict=True):
        rows += [words] * (words > 0) + [tokens.registers + next(film) for _ in range(count)]
    return tuple((len(list(run)), length) for length, run in groupby(rows))


def _modulated(x: Float[Tensor, "... k"], scale: Float[Tensor, "... k"], shift: Float[Tensor, "... k"]) -> Tensor:
    return torch.addcmul(shift, F.layer_norm(x, x.shape[-1:]), scale)
