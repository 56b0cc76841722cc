"""Many kinds of clips in one step: the same mix from any start, nothing left out, nothing padded."""

import json
import re
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from cavendish.codec import from_json, to_json
from cavendish.data import Blend, Picture, Share, Split
from cavendish.data.captions import SPOKEN, spoken, understand
from cavendish.errors import BadInputError, InterruptedRunError
from cavendish.models import DiffusionConfig, WorldModel
from cavendish.models.diffusion import Diffusion, Lexicon, Mixture
from cavendish.scenes import SCENES, Occlusion, UniformMotion
from cavendish.studies import Study, Weighing, study_named
from cavendish.training import Run, TrainingConfig, seeded, train
from cavendish.training.signals import StopRequest
from cavendish.video import Clip

BALL = Split(UniformMotion(), size=1000, picture=Picture(16, 16), flip=0.5)
HIDDEN = Split(Occlusion(), size=500, picture=Picture(16, 16))
SHARES = (
    Share(BALL, 4, 8, 2),
    Share(BALL, 2, 8, 4, told="terse"),
    Share(BALL, 2, 8, 1, (16, 8)),
    Share(HIDDEN, 1, 4, 3),
    Share(BALL, 1, 1),
)
BLEND = Blend(SHARES)
MODEL = DiffusionConfig("pico", 8, 4, mixture=Mixture(leap=0.5, bare=0.5), text=Lexicon(spoken([UniformMotion])))
STUDY = Study("blended", BLEND, MODEL, TrainingConfig(4, 10, save_every=2), Weighing(("interpolation",)))


def test_a_step_is_a_function_of_its_number_alone() -> None:
    for _ in range(2):
        again = [clip.frames for clip in BLEND.batches(7, 10)]
        assert all(torch.equal(a, b.frames) for a, b in zip(again, BLEND.batches(7, 10), strict=True))
    assert [tuple(clip.frames.shape) for clip in BLEND.batches(7, 10)] == [
        (4, 8, 16, 16, 3),
        (2, 8, 16, 16, 3),
        (2, 8, 16, 8, 3),
        (1, 4, 16, 16, 3),
        (1, 1, 16, 16, 3),
    ]


def test_over_many_steps_every_kind_has_its_weight_and_none_is_skipped() -> None:
    counts = np.zeros(len(SHARES))
    for step in range(40):
        made = {id(kind): 0 for kind in SHARES}
        for kind in SHARES:
            first, end = (n * 7 * kind.weight // 10 for n in (step, step + 1))
            made[id(kind)] = end - first
        counts += list(made.values())
        assert sum(len(clip.frames) for clip in BLEND.batches(step, 7)) == sum(made.values())
        assert abs(sum(made.values()) - 7) < len(SHARES)
    assert counts.tolist() == [112, 56, 56, 28, 28]


def test_an_accelerator_draws_the_same_blend_to_within_one_byte() -> None:
    for ours, its in zip(BLEND.batches(7, 10), BLEND.batches(7, 10, "cpu:0"), strict=True):  # drawn by torch
        assert (ours.frames.int() - its.frames.int()).abs().max() <= 1
        assert (ours.told and ours.told()) == (its.told and its.told())


def test_a_share_is_cut_out_of_its_split() -> None:
    index = np.array([3, 4])
    whole, window = BALL.clips(index).frames, SHARES[2].clips(index)
    assert window.world.width == 5.0
    assert window.world.height == 10.0
    for film, cut in zip(whole, window.frames, strict=True):
        places = [(t, x) for t in range(25) for x in range(9) if torch.equal(film[t : t + 8, :, x : x + 8], cut)]
        assert places
    assert torch.equal(SHARES[1].clips(index).frames, whole[:, :32:4])
    assert torch.allclose(SHARES[1].clips(index).time, 0.4 * torch.arange(8))


def test_captions_of_a_share_tell_its_clips() -> None:
    clip = SHARES[1].clips(np.arange(6))
    assert clip.told is not None
    said, truth = [understand(text) for text in clip.told()], BALL.trajectories(np.arange(6))
    assert np.allclose([one.factors for one in said], truth.factors, rtol=0.05)
    assert [one.mirrored for one in said] == (truth.velocity[:, 0, 0, 0] < 0).tolist()
    assert SHARES[0].clips(np.arange(2)).told is None


def test_the_words_of_all_scenes_are_all_words() -> None:
    assert spoken(SCENES) == SPOKEN
    assert set(spoken([UniformMotion])) < set(SPOKEN)
    told = SHARES[1].clips(np.arange(9)).told
    assert told is not None
    assert len(Lexicon(spoken([UniformMotion])).read(told()).counts) == 9


def test_a_study_of_a_blend_is_read_back_and_a_study_of_a_split_is_as_before(tiny_study: Study) -> None:
    assert from_json(Study, json.loads(json.dumps(to_json(STUDY)))) == STUDY
    assert from_json(Study, to_json(tiny_study)) == tiny_study
    assert study_named("uniform-quick").hash().startswith("fe0082dd316e")


def test_an_interrupted_blend_goes_on_to_the_same_bits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ends, made = [], Blend.batches
    for name, pauses in (("whole", (None,)), ("parts", (1, 3, None))):
        for pause in pauses:
            stop = StopRequest()

            def batches(blend: Blend, step: int, batch: int, device: str) -> tuple[Clip, ...]:
                stop.signal = 15 if step == pause else None  # noqa: B023  (drawn one step ahead)
                return made(blend, step, batch, device)

            monkeypatch.setattr(Blend, "batches", batches)
            model, run = STUDY.model.build(seeded(0)), Run(tmp_path / name, BLEND, STUDY.training, 0, stop, str)
            with pytest.raises(InterruptedRunError) if pause else nullcontext():
                train(model, run)
        ends.append(load_file(tmp_path / name / "checkpoints" / "model" / "step-00000004" / "ema.safetensors"))
    assert all(torch.equal(ends[0][key], ends[1][key]) for key in ends[0])


MISTAKES = {
    "within the scene's 32 frames": lambda: Share(BALL, 1, 17, 2),
    "weight 0": lambda: Share(BALL, 0, 4),
    "expected height and width within 16 x 16": lambda: Share(BALL, 1, 4, 1, (8, 24)),
    "expected told = nothing": lambda: Share(BALL, 1, 4, 1, (8, 8), "terse"),
    "at least one share": lambda: Blend(()),
    "unknown region": lambda: replace(STUDY, weighing=Weighing(("elsewhere",))),
    "bare 2": lambda: Mixture(bare=2.0),
    "batch = 1: no kind of clip has its turn in step 0, expected 3 or more": lambda: BLEND.batches(0, 1),
}


@pytest.mark.parametrize("told", MISTAKES)
def test_mistakes_are_refused_by_name(told: str) -> None:
    with pytest.raises(BadInputError, match=re.escape(told)):
        MISTAKES[told]()


def test_a_model_without_packing_learns_from_kinds_one_by_one() -> None:
    model = STUDY.model.build(seeded(0))
    clips = BLEND.batches(0, 10)[:2]
    alone = [float(model.loss(clip, seeded(n))[0].detach()) for n, clip in enumerate(clips)]

    def loss(clip: Clip, generator: torch.Generator) -> tuple[torch.Tensor, dict[str, float]]:
        return torch.tensor(alone[next(n for n, other in enumerate(clips) if other is clip)]), {}

    packed = Diffusion.loss_together
    assert packed is not WorldModel.loss_together
    model.loss = loss  # type: ignore[method-assign]
    mean, _ = WorldModel.loss_together(model, clips, seeded(0))
    assert float(mean) == pytest.approx((4 * alone[0] + 2 * alone[1]) / 6)


def test_a_name_tells_the_world_and_no_more() -> None:
    named, silent = (Share(HIDDEN, 1, 4, 3, (8, 16), told) for told in ("name", "nothing"))  # type: ignore[arg-type]
    clip = named.clips(np.arange(5))
    assert clip.told is not None
    assert clip.told() == ("occlusion",) * 5
    assert torch.equal(
        clip.frames, silent.clips(np.arange(5)).frames
    )  # it begins anywhere, unlike what a state tells of
    assert Lexicon(spoken([Occlusion])).read(clip.told()).counts == (1,) * 5
