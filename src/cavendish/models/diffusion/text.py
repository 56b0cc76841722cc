"""Captions as tokens of the same packed list: words from a lexicon, numbers as slots that carry their value.

A caption "parabola: radius 1.1, ..." becomes the tokens  parabola radius <number> , ...  A number v is embedded as
    e_number + W [u, sin(2 pi f u), cos(2 pi f u)],   u = asinh(10 v): linear near zero, logarithmic beyond,
with geometric f, so that 2.27 and 2.28 differ and no value is unknown; its unit is the next word. (A pooled sentence
vector cannot tell 0.5 m/s from 2.5: cosine 0.995.) The lexicon is part of the configuration: a checkpoint keeps its
words when the grammar grows. Words stand before the clip, a tenth of a second each, in a row of their own with noise
level 1 and no registers; a clip without a caption has no such row, which is what guidance compares with.
"""

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import ClassVar, final

import torch
from jaxtyping import Float, Int, Shaped
from torch import Tensor, nn

from cavendish.errors import BadInputError, unknown

NUMBER = re.compile(r"(?<![\w.^-])[-+]?\d+(?:\.\d+)?(?:e[-+]?\d+)?(?!\w)", re.IGNORECASE)
TOKEN = re.compile(rf"1/s|{NUMBER.pattern}|[a-z][\w/^-]*|,")
SILENT = re.compile(r"[\s.:;=]*")
WAVES = 16
SPACING = 0.1  # s between words
LARGEST = 1e30


@final
@dataclass(frozen=True)
class Lexicon:
    """The words that a model knows, and how many tokens a caption may have."""

    words: tuple[str, ...]
    longest: int = 256  # tokens; the longest paraphrase of a scene, three billiard balls, has about 130
    states: ClassVar[int] = 0  # numbers per token besides its kind

    def __post_init__(self) -> None:
        """Refuse a lexicon in which a word has two meanings or none."""
        if not self.words or len(set(self.words)) != len(self.words) or self.longest < 1:
            raise BadInputError("a lexicon needs words, each of them once, and captions of at least 1 token")

    @property
    def entries(self) -> int:
        """Return how many kinds of tokens have a vector of their own: numbers, commas and words."""
        return len(self.words) + 2

    def read(self, captions: Sequence[str]) -> "Words":
        """Turn captions into tokens; an unknown word or a caption that is too long is refused. '' has no tokens."""
        known = {word: number for number, word in enumerate(self.words, 2)} | {",": 1}
        ids: list[int] = []
        values: list[float] = []
        counts = []
        for caption in captions:
            text = caption.lower()
            rest = SILENT.sub("", TOKEN.sub("", text))
            if rest:
                raise unknown("word in a caption", rest, self.words)
            tokens = TOKEN.findall(text)
            if len(tokens) > self.longest:
                raise BadInputError(f"caption of {len(tokens)} tokens, expected at most {self.longest}: '{caption}'")
            for token in tokens:
                number = token not in known and NUMBER.fullmatch(token) is not None
                if token not in known and not number:
                    raise unknown("word in a caption", token, self.words)
                ids.append(0 if number else known[token])
                values.append(float(token) if number else 0.0)
            counts.append(len(tokens))
        check_numbers(values)
        return Words(torch.tensor(ids, dtype=torch.long), torch.tensor(values), tuple(counts))


def check_numbers(values: Sequence[float]) -> None:
    """Refuse numbers that single precision, in which their features are computed, cannot hold."""
    for value in values:
        if not abs(value) <= LARGEST:
            raise BadInputError(f"a number in a caption is {value:g}, expected a finite one within {LARGEST:g}")


@dataclass(frozen=True)
class Words:
    """The tokens of the captions of all clips, one caption after another."""

    token: Int[Tensor, " q"]  # 0 a number, 1 a comma, then the lexicon
    value: Float[Tensor, " q"]  # of numbers
    counts: tuple[int, ...]  # tokens per clip
    state: Float[Tensor, "q d"] | None = None  # what a sentence encoder says of every token (`wording`)

    def places(self, starts: Float[Tensor, " clip"]) -> Float[Tensor, "q 3"]:
        """Return where words stand: before the first moment of their clip, in the middle of the frame."""
        device, counts = starts.device, torch.tensor(self.counts)
        left = torch.cat([torch.arange(n, 0, -1) for n in self.counts]).to(device)
        time = starts.repeat_interleave(counts.to(device), output_size=len(left)) - SPACING * left
        return torch.stack([time, torch.zeros_like(time), torch.zeros_like(time)], -1)

    def keeping(self, kept: list[bool]) -> "Words":
        """Silence some captions."""
        spread = torch.tensor(kept).repeat_interleave(torch.tensor(self.counts))
        counts = tuple(n if keep else 0 for n, keep in zip(self.counts, kept, strict=True))
        return Words(self.token[spread], self.value[spread], counts, None if self.state is None else self.state[spread])

    def silent(self, clips: int) -> "Words":
        """Return no words at all, of the same kind, for some clips."""
        return replace(self.keeping([False] * len(self.counts)), counts=(0,) * clips)


@final
class WordEmbedding(nn.Module):
    """Vectors of words and numbers."""

    def __init__(self, entries: int, states: int, width: int) -> None:
        super().__init__()
        self.word = nn.Parameter(torch.randn(entries, width) * 0.5)
        self.number = nn.Linear(2 * WAVES + 1, width)
        self.state = nn.Linear(states, width, bias=False) if states else None

    def forward(self, words: Words) -> Float[Tensor, "q k"]:
        """Embed every token."""
        token, value = words.token.to(self.word.device), words.value.to(self.word.device)
        u = torch.asinh(10 * value)[:, None]
        angle = 2 * math.pi * u * torch.logspace(-1.5, 1, WAVES, device=u.device)
        features = self.number(torch.cat([u, angle.sin(), angle.cos()], -1))
        vectors = self.word[token] + torch.where((token == 0)[:, None], features, torch.zeros_like(features))
        if self.state is None or words.state is None:
            return vectors
        return vectors.add(self.state(words.state.to(self.word.device)))


def spliced(
    before: Shaped[Tensor, "q ..."], counts: Sequence[int], film: Shaped[Tensor, "s ..."], lengths: Sequence[int]
) -> Shaped[Tensor, "n ..."]:
    """Put the words (or rows of words) of every clip before what belongs to its film."""
    pairs = zip(torch.split(before, list(counts)), torch.split(film, list(lengths)), strict=True)
    return torch.cat([part for pair in pairs for part in pair])


def unspliced(
    whole: Shaped[Tensor, "n ..."], counts: Sequence[int], lengths: Sequence[int]
) -> tuple[Shaped[Tensor, "q ..."], Shaped[Tensor, "s ..."]]:
    """Take words and films apart again."""
    parts = torch.split(whole, [n for pair in zip(counts, lengths, strict=True) for n in pair])
    return torch.cat(parts[::2]), torch.cat(parts[1::2])
