"""On a processor nothing changes; what only an accelerator is good for is refused there by name."""

import copy
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from rich.console import Console

from cavendish.codec import from_json, to_json
from cavendish.data import Backdrop, Picture, Split
from cavendish.data.captions import spoken
from cavendish.errors import BadInputError
from cavendish.models import DiffusionConfig
from cavendish.models.blocks.attention import rotations, turned
from cavendish.models.diffusion import Lexicon, Mixture
from cavendish.scenes import Collision
from cavendish.studies import Study, study_named
from cavendish.studies.run import learn, open_run
from cavendish.training import seeded
from cavendish.training.engine import Engine
from cavendish.training.spread import Spread


def test_a_processor_takes_neither_half_numbers_nor_compiled_blocks() -> None:
    for settings in ({"products": "bfloat16"}, {"compiled": "kernels"}, {"compiled": "graphs"}):
        with pytest.raises(BadInputError, match=r"expected engine\.device = cuda"):
            Engine(**settings)  # type: ignore[arg-type]


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a device")
def test_a_device_that_is_not_there_is_refused_before_training(tiny_study: Study, tmp_path: Path) -> None:
    study = replace(tiny_study, engine=Engine("cuda", "bfloat16", "graphs"))
    with (
        open_run(study, tmp_path) as (folder, stop),
        pytest.raises(BadInputError, match=r"engine\.device = cuda: torch finds no CUDA device"),
    ):
        learn(study, folder, stop, Console(quiet=True))
    assert not (folder / "checkpoints").exists()


def test_graphs_take_no_batch_in_parts(tiny_study: Study, tmp_path: Path) -> None:
    study = replace(tiny_study, engine=Engine("cuda", "bfloat16", "graphs"), spread=Spread(2))
    with open_run(study, tmp_path) as (folder, stop), pytest.raises(BadInputError, match=r"spread\.parts = 2"):
        learn(study, folder, stop, Console(quiet=True))


def test_the_processor_computes_on_the_model_itself(tiny_study: Study) -> None:
    model = tiny_study.model.build(seeded(0))
    assert Engine().ready(Engine().carried(model)) is model


def test_studies_without_an_engine_keep_their_names(tiny_study: Study) -> None:
    assert "engine" not in to_json(tiny_study)
    fast = replace(tiny_study, engine=Engine("cuda"))
    assert fast.hash() != tiny_study.hash()
    assert from_json(Study, to_json(fast), "here") == fast
    assert study_named("uniform-s-30k").engine.compiled == "graphs"


@pytest.mark.filterwarnings("ignore:.*script_method:DeprecationWarning")  # torch about torch
def test_compiled_blocks_keep_the_names_of_their_parameters(tiny_study: Study) -> None:
    model = tiny_study.model.build(seeded(0))
    names, ready = set(model.state_dict()), Engine("cuda", "bfloat16", "kernels").ready(copy.deepcopy(model))
    assert set(ready.state_dict()) == names


def test_half_products_give_whole_gradients_close_to_the_exact_ones(tiny_study: Study) -> None:
    clips, found = tiny_study.data.batches(0, 4), []
    for half in (False, True):
        model = tiny_study.model.build(seeded(0))
        with torch.autocast("cpu", torch.bfloat16, enabled=half):
            loss, _ = model.loss_together(clips, seeded(1))
        loss.backward()  # type: ignore[no-untyped-call]
        assert {p.grad.dtype for p in model.parameters() if p.grad is not None} == {torch.float32}
        found.append(loss.item())
    assert abs(found[1] / found[0] - 1) < 0.02


@pytest.mark.parametrize("jumps", [0.0, 1.0])
def test_words_stand_among_half_numbers_and_jumps_are_made_of_them(jumps: float) -> None:
    mixture = Mixture(silent=0.0, jumps=jumps)
    model = DiffusionConfig("atto", 8, 2, mixture=mixture, text=Lexicon(spoken([Collision]))).build(seeded(0))
    torch.nn.init.normal_(model.denoiser.head.weight)
    *_, stage = model.stages()
    clips, found = Split(Collision(), picture=Picture(16, 16)).batches(0, 12), []
    for half in (False, True):
        with torch.autocast("cpu", torch.bfloat16, enabled=half):
            loss, _ = stage.module.loss_together(clips, seeded(1))
            features = model.denoiser.features(model._asked(clips[0], seeded(1)))
        loss.backward()  # type: ignore[no-untyped-call]
        assert {x.dtype for x in features} == {torch.bfloat16 if half else torch.float32}
        found.append(loss.item())
    assert found[1] == pytest.approx(found[0], rel=0.05)


def test_what_an_accelerator_draws_is_within_a_byte_of_what_a_processor_draws() -> None:
    distracted = Picture(24, 32, Backdrop(noise=0.1, drift=0.3))
    for split, most in ((Split(Collision(), picture=Picture(24, 32)), 1), (Split(Collision(), picture=distracted), 0)):
        usual, drawn = split.clips(np.arange(3)), split.clips(np.arange(3), "cpu:0")  # drawn by torch, on a processor
        gap = usual.frames.int() - drawn.frames.int()
        assert gap.abs().max() <= most
        assert torch.equal(usual.time, drawn.time)


def test_places_turn_alike_in_complex_and_in_real_numbers() -> None:
    place, x = torch.randn(7, 3, generator=seeded(0)), torch.randn(7, 4, 12, generator=seeded(1))
    turn, pairs = rotations(place, 4, 12), x.view(7, 4, 6, 2)
    exact = torch.view_as_real(torch.view_as_complex(pairs) * torch.view_as_complex(turn))
    assert torch.allclose(turned(pairs, turn), exact, atol=1e-6)
    assert torch.allclose(turned(pairs, turn[:, :1]), exact, atol=1e-6)  # heads alike: written once on an accelerator
