"""A caption in free wording is read piece by piece, its numbers as numbers, alone as among others."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from cavendish.codec import from_json, to_json
from cavendish.data import Picture, Split
from cavendish.errors import BadInputError
from cavendish.models import DiffusionConfig
from cavendish.models.diffusion import Mixture, Wording, prompts
from cavendish.models.diffusion.packing import together
from cavendish.models.diffusion.wording import encoder
from cavendish.models.world_model import parameters_from
from cavendish.scenes import UniformMotion
from cavendish.training import seeded

WORDS = ("a", "ball", "goes", "left", "right", "at", "2", "##5", "3", ".", "metres", "per", "second")
SAID = ("A ball goes left at 2.5 metres per second", "a ball goes right", "")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A sentence encoder of two small layers in the layout of the real ones."""
    from transformers import BertConfig, BertModel, BertTokenizerFast

    place = tmp_path_factory.mktemp("encoder")
    (place / "vocab.txt").write_text("\n".join(("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *WORDS)))
    BertTokenizerFast(str(place / "vocab.txt")).save_pretrained(place)
    shape = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 32}
    with parameters_from(seeded(0)):
        BertModel(BertConfig(vocab_size=5 + len(WORDS), **shape)).save_pretrained(place)
    return place


@pytest.fixture
def wording(folder: Path) -> Wording:
    return Wording(str(folder), 16)


def test_pieces_have_states_and_numbers_have_values(wording: Wording) -> None:
    words = wording.read(SAID)
    assert words.counts == (12 + 1, 6, 0)  # 2 . 5 are three pieces; a beginning and an end are pieces as well
    assert words.value[words.token == 0].tolist() == [2.5]
    assert words.state is not None
    assert words.state.shape == (19, 16)
    assert words.state.std() > 0.1


def test_letters_that_grow_in_lower_case_move_no_number(wording: Wording) -> None:
    words = wording.read(("\u0130 at 2.5 metres",))
    assert words.value[words.token == 0].tolist() == [2.5]


def test_a_caption_is_read_alone_as_among_others(wording: Wording) -> None:
    whole, alone = wording.read(SAID).state, wording.read(SAID[1:2]).state
    assert whole is not None
    assert alone is not None
    assert torch.allclose(whole[13:], alone, atol=1e-5)


def test_left_is_not_right(wording: Wording) -> None:
    left, right = (wording.read((f"a ball goes {way}",)).state for way in ("left", "right"))
    assert left is not None
    assert right is not None
    assert (left - right).abs().max() > 0.1


def test_a_model_listens_to_the_wording_and_packs_it(wording: Wording) -> None:
    config = DiffusionConfig("atto", 8, 4, mixture=Mixture(silent=0.0), text=wording)
    model = config.build(seeded(0))
    torch.nn.init.normal_(model.denoiser.head.weight)
    clip = replace(Split(UniformMotion(), picture=Picture(16, 16)).clips(np.arange(2)), told=lambda: SAID[:2])
    loss, _ = model.loss(clip, seeded(1))
    loss.backward()  # type: ignore[no-untyped-call]
    words = model.denoiser.words
    assert words is not None
    assert words.state is not None
    assert words.state.weight.grad is not None
    assert words.state.weight.grad.abs().max() > 0
    silent = replace(clip, told=None)
    packed = together([model._asked(part, seeded(2)) for part in (clip, silent)])
    assert packed.words is not None
    assert packed.words.counts == (13, 6, 0, 0)
    with torch.no_grad():
        both = model.denoiser(packed)[: 2 * 8 * 4]
        alone = model.denoiser(model._asked(clip, seeded(2)))
    assert torch.allclose(both, alone, atol=1e-5)


def test_another_wording_is_another_film(wording: Wording) -> None:
    model = DiffusionConfig("atto", 8, 4, text=wording).build(seeded(0))
    torch.nn.init.normal_(model.denoiser.head.weight)
    clip = Split(UniformMotion(), picture=Picture(16, 16)).clips(np.arange(1))

    def dreamt(caption: str) -> torch.Tensor:
        frames = model.dream(replace(prompts.edit(clip, 0.5), captions=(caption,)), seeded(3)).frames
        assert frames is not None
        return frames

    assert torch.equal(dreamt("a ball goes left"), dreamt("a ball goes left"))
    assert not torch.equal(dreamt("a ball goes left"), dreamt("a ball goes right"))


def test_what_reads_is_stored_by_name(wording: Wording) -> None:
    config = DiffusionConfig("atto", 8, 4, text=wording)
    assert from_json(DiffusionConfig, to_json(config), "here") == config
    assert not [name for name in config.build(seeded(0)).state_dict() if "encoder" in name]


MISTAKES: dict[str, Callable[[Path], object]] = {
    "caption of 13 pieces": lambda folder: Wording(str(folder), 16, longest=12).read(SAID),
    "states of 16 numbers": lambda folder: Wording(str(folder)).read(SAID),
    "caption of 602 pieces, the sentence encoder reads at most 512": lambda folder: Wording(str(folder), 16).read(
        ("ball " * 600,)
    ),
    "carries no model.zip": lambda folder: Wording("numpy").read(("a ball",)),
    "longest = 0, expected 1 or more": lambda folder: Wording(str(folder), 16, longest=0),
    "is inf, expected a finite one": lambda folder: Wording(str(folder), 16).read(("a ball at 2e999",)),
    "no sentence encoder": lambda folder: encoder(str(folder.parent)),
    "neither a folder nor an installed package": lambda folder: encoder(str(folder / "nowhere")),
}


@pytest.mark.parametrize("named", list(MISTAKES))
def test_what_cannot_be_read_is_refused(folder: Path, named: str) -> None:
    with pytest.raises(BadInputError, match=named):
        MISTAKES[named](folder)


def test_a_missing_encoder_names_its_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cavendish.models.diffusion.wording.find_spec", lambda name: None)
    with pytest.raises(BadInputError, match="wording"):
        encoder.__wrapped__(Wording.encoder)
