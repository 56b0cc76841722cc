"""Free wording: captions as the token states of a frozen sentence encoder, and the values of the numbers among them.

A piece of text i becomes  e_i = V h_i + [a number begins here] (W [u, sin(2 pi f u), cos(2 pi f u)]),  where h_i is
the encoder's last hidden state and u the number as in `text`. One vector per piece and not their mean: to a pooled
MiniLM "left" and "right" are the same to 0.996, 0.5 and 2.5 m/s to 0.995. The encoder (Wang et al. 2020, MiniLM;
Reimers & Gurevych 2019, Sentence-BERT) stays as it is and is no part of the model: a checkpoint names it and keeps V
and W. It is read from safetensors and from this machine alone: an installed package that carries one, or a folder.
"""

import tempfile
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any, final

import torch
from jaxtyping import Float
from torch import Tensor

from cavendish.errors import BadInputError, CorruptDataError, needs_extra
from cavendish.models.diffusion.text import NUMBER, Lexicon, Words, check_numbers

Encode = Callable[[Sequence[str]], tuple[list[list[tuple[int, int]]], list[Tensor]]]


@final
@dataclass(frozen=True)
class Wording:
    """Which encoder reads, how wide its states are, and how many pieces a caption may have."""

    encoder: str = "all_minilm_l6_v2"  # a package that carries a model.zip, or a folder of transformers' files
    states: int = 384  # numbers per token
    longest: int = 256

    def __post_init__(self) -> None:
        """Refuse captions of nothing."""
        if min(self.states, self.longest) < 1:
            raise BadInputError(f"wording: states = {self.states}, longest = {self.longest}, expected 1 or more")

    @property
    def entries(self) -> int:
        """Return how many kinds of tokens have a vector of their own: pieces that begin a number, and others."""
        return 2

    def read(self, captions: Sequence[str]) -> Words:
        """Turn captions into states; one that is too long is refused. '' has no tokens."""
        return _read(self, tuple(captions))


@lru_cache(maxsize=16)
def _read(wording: Wording, captions: tuple[str, ...]) -> Words:
    """Read; a training step asks twice, once to learn and once to count its work."""
    said = [caption for caption in captions if caption.strip()]
    spans, states = encoder(wording.encoder)(said) if said else ([], [])
    tokens: list[int] = []
    values: list[float] = []
    for caption, pieces, state in zip(said, spans, states, strict=True):
        if len(pieces) > wording.longest or state.shape[1] != wording.states:
            raise BadInputError(
                f"caption of {len(pieces)} pieces, states of {state.shape[1]} numbers by {wording.encoder}: "
                f"expected at most {wording.longest} and {wording.states}: '{caption}'"
            )
        numbers = {found.start(): float(found[0]) for found in NUMBER.finditer(caption)}
        begun = [numbers.get(begin) if end > begin else None for begin, end in pieces]
        tokens += [int(value is None) for value in begun]
        values += [value or 0.0 for value in begun]
    lengths = iter(map(len, spans))
    counts = [next(lengths) if caption.strip() else 0 for caption in captions]
    check_numbers(values)
    state = torch.cat(states) if states else torch.zeros(0, wording.states)
    return Words(torch.tensor(tokens, dtype=torch.long), torch.tensor(values), tuple(counts), state)


@cache
def encoder(name: str) -> Encode:
    """Open an encoder that lies on this machine; it returns the span of every piece in its caption, and its state."""
    if Path(name).is_dir():
        return _opened(Path(name))
    package = find_spec(name) if name.isidentifier() else None
    if package is None or package.origin is None:
        if name == Wording.encoder:
            with needs_extra("captions in free wording", "wording"):
                raise ModuleNotFoundError(name)
        raise BadInputError(f"encoder = '{name}': neither a folder nor an installed package")
    archive = Path(package.origin).with_name("model.zip")
    if not archive.is_file():
        raise BadInputError(f"encoder = '{name}': this package carries no {archive.name}")
    with tempfile.TemporaryDirectory() as folder:
        try:
            with zipfile.ZipFile(archive) as files:
                files.extractall(folder)
        except zipfile.BadZipFile as error:
            raise CorruptDataError(f"{archive}: {error}") from error
        return _opened(Path(folder))


def _opened(folder: Path) -> Encode:
    with needs_extra("captions in free wording", "wording"):
        from transformers import AutoModel, AutoTokenizer
    try:
        cutter: Any = AutoTokenizer.from_pretrained(folder, local_files_only=True)
        network: Any = AutoModel.from_pretrained(folder, local_files_only=True, use_safetensors=True).eval()
    except (OSError, ValueError) as error:
        raise BadInputError(f"{folder}: no sentence encoder in transformers' layout: {error}") from error

    @torch.no_grad()
    def encode(captions: Sequence[str]) -> tuple[list[list[tuple[int, int]]], list[Float[Tensor, "q d"]]]:
        cut = cutter(list(captions), padding=True, return_offsets_mapping=True, return_tensors="pt")
        spans, real = cut.pop("offset_mapping"), cut["attention_mask"].bool()
        if real.shape[1] > (most := network.config.max_position_embeddings):
            raise BadInputError(f"caption of {real.shape[1]} pieces, the sentence encoder reads at most {most}")
        states = network(**cut).last_hidden_state
        pairs = [[(int(a), int(b)) for a, b in span[kept].tolist()] for span, kept in zip(spans, real, strict=True)]
        return pairs, [state[kept] for state, kept in zip(states, real, strict=True)]

    return encode


AnyText = Lexicon | Wording
