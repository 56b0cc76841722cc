"""Any mix of images, clips and captions in one step: nobody sees anybody else, and nothing is padded."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from cavendish.data import Picture, Split
from cavendish.data.captions import SPOKEN
from cavendish.errors import BadInputError
from cavendish.models.diffusion import Diffusion, DiffusionConfig, Lexicon, Mixture
from cavendish.models.diffusion.objective import frame_errors, noised, shown
from cavendish.models.diffusion.packing import Parting, by_budget, together
from cavendish.models.diffusion.tokens import Setting, Tokens, pack, patchify
from cavendish.motion import World
from cavendish.scenes import UniformMotion
from cavendish.training import seeded
from cavendish.video import Clip

CONFIG = DiffusionConfig(size="pico", patch=8, registers=2, mixture=Mixture(silent=0.0), text=Lexicon(SPOKEN))
HOURGLASS = replace(CONFIG, size="pico-hourglass")
EITHER = pytest.mark.parametrize("config", [CONFIG, HOURGLASS], ids=["plain", "hourglass"])
# clips, frames, height, width, seconds between frames
KINDS = ((2, 6, 16, 16, 0.1), (3, 1, 24, 16, 1.0), (1, 4, 8, 32, 0.3), (1, 1, 16, 16, 1.0), (2, 3, 16, 24, 0.05))


def shaken(config: DiffusionConfig) -> Diffusion:
    """Make a model whose parameters are not at their neutral start."""
    made = config.build(seeded(0))
    with torch.no_grad():
        for number, parameter in enumerate(made.parameters()):
            parameter.add_(torch.randn(parameter.shape, generator=seeded(1, number)), alpha=0.02)
    return made


def film(clips: int, frames: int, height: int, width: int, step: float) -> Clip:
    """Film clips of a shape and a rate; every second kind has captions."""
    split = Split(UniformMotion(), seed=frames, picture=Picture(height, width), flip=0.5)
    whole = split.clips(np.arange(clips))
    told = whole.told if frames % 2 == 0 else None
    return Clip(whole.frames[:, :frames], step * torch.arange(frames), World(width / 2, height / 2), told=told)


def packed(clip: Clip, model: Diffusion, seed: int) -> Tokens:
    """Pack a batch at random levels, with its captions."""
    level = torch.rand(clip.frames.shape[:2], generator=seeded(seed))
    patches = patchify(clip.frames, model.grid).float() / 127.5 - 1
    tokens = pack(patches, level, Setting(clip.time, clip.world, *clip.frames.shape[2:4]), model.grid)
    words = None if clip.told is None else Lexicon(SPOKEN).read(clip.told())
    return noised(replace(tokens, words=words), seeded(seed))


@EITHER
def test_any_mix_packed_together_equals_each_clip_alone_forward_and_backward(config: DiffusionConfig) -> None:
    model = shaken(config)
    parts = [packed(film(*kind), model, number) for number, kind in enumerate(KINDS)]
    answers = torch.split(model.denoiser(together(parts)), [len(part.patch) for part in parts])
    sum(a.square().sum() for a in answers).backward()
    gradients = {name: p.grad.clone() for name, p in model.named_parameters() if p.grad is not None}
    model.zero_grad()
    for part, answer in zip(parts, answers, strict=True):
        alone = model.denoiser(part)
        alone.square().sum().backward()
        assert (answer - alone).abs().max() < 1e-5
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None, name
        scale = parameter.grad.abs().max().clamp(min=1.0)
        assert (gradients[name] - parameter.grad).abs().max() / scale < 1e-5, name


def test_a_list_has_no_padding() -> None:
    model = shaken(CONFIG)
    parts = [packed(film(*kind), model, number) for number, kind in enumerate(KINDS)]
    whole = together(parts)
    wanted = sum(clips * frames * (2 + h * w // 64) for clips, frames, h, w, _ in KINDS)
    assert sum(whole.clip_lengths) == len(whole.place) == wanted
    assert whole.clip_rows == tuple(frames for clips, frames, *_ in KINDS for _ in range(clips))


@EITHER
def test_no_gradient_reaches_the_frames_or_the_words_of_another_clip(config: DiffusionConfig) -> None:
    model = shaken(config)
    parts = [packed(film(*kind), model, number) for number, kind in enumerate(KINDS[:3])]
    for part in parts:
        part.patch.requires_grad_(True)
    lengths = [len(part.patch) for part in parts]
    torch.split(model.denoiser(together(parts)), lengths)[1].square().sum().backward()
    assert [bool(part.patch.grad.abs().max() > 0) for part in parts] == [False, True, False]
    assert model.denoiser.words is not None
    assert model.denoiser.words.word.grad is None or model.denoiser.words.word.grad.abs().max() == 0


def test_a_step_over_many_kinds_weighs_every_row_alike() -> None:
    model = shaken(replace(CONFIG, text=None))
    clips = [replace(film(*kind), told=None) for kind in KINDS]
    together_loss, _ = model.loss_together(clips, seeded(3))
    generator = seeded(3)
    asked = [model._asked(clip, generator) for clip in clips]
    mixed = noised(together(asked), generator)
    squares, rows = torch.zeros(()), 0
    lengths = [len(part.patch) for part in asked]
    for part, noisy in zip(asked, torch.split(mixed.patch, lengths), strict=True):
        error = frame_errors(model.denoiser(replace(part, patch=noisy)), part)
        by_row = error.view(len(part.level), -1, 1).mean(1)
        squares = squares + (model.config.mixture.weight(part.level) * by_row).sum()
        rows += len(part.level)
    assert (together_loss - squares / rows).abs() < 1e-5


@pytest.mark.parametrize("largest", [20, 300, 1000])
def test_steps_are_filled_to_a_budget_and_nobody_is_left_waiting(largest: int) -> None:
    costs = [int(c) for c in np.random.default_rng(0).integers(largest // 10, largest + 1, 3000)]
    steps = list(by_budget(costs, 1000))
    assert sorted(index for step in steps for index in step) == list(range(3000))
    filled = [sum(costs[i] for i in step) for step in steps]
    assert max(filled) <= 1000
    assert np.mean(filled[:-1]) > 950
    first = [min(step) for step in steps]
    assert first == sorted(first)  # who has waited longest comes first
    with pytest.raises(BadInputError, match="clip 1 has 1001 tokens"):
        list(by_budget([1, 1001], 1000))


def test_rows_part_into_given_and_hidden_and_join_again() -> None:
    model = shaken(replace(CONFIG, text=None))
    tokens = packed(replace(film(2, 3, 16, 24, 0.1), told=None), model, 0)
    given = torch.rand(len(tokens.patch), generator=seeded(0)) < 0.4
    given[:6] = True  # a row that is given whole has no hidden half
    parting = Parting.of(tokens, given)
    parted = parting.parted(tokens)
    assert torch.equal(parting.joined(parted.patch), tokens.patch)
    assert torch.equal(parting.joined(parted.without_registers(parted.place)), tokens.without_registers(tokens.place))
    assert sum(parted.clip_lengths) == len(parted.place)
    spread = parted.level.repeat_interleave(torch.tensor(parted.row_patches), 0)[:, 0]
    assert ((spread == 1) == given[parting.order]).all()
    assert len(parted.row_patches) == len(parted.level) < 2 * len(tokens.level)


@EITHER
def test_a_row_that_is_not_parted_answers_as_before(config: DiffusionConfig) -> None:
    model = shaken(replace(config, text=None))
    tokens = packed(replace(film(1, 3, 16, 16, 0.1), told=None), model, 0)
    nothing = Parting.of(tokens, torch.zeros(len(tokens.patch), dtype=torch.bool))
    assert torch.allclose(model.denoiser(nothing.parted(tokens)), model.denoiser(tokens), atol=1e-6)


@EITHER
@pytest.mark.parametrize("jumps", [0.0, 0.5])
def test_flops_are_counted_exactly_with_captions(config: DiffusionConfig, jumps: float) -> None:
    model, clip = shaken(replace(config, mixture=replace(config.mixture, jumps=jumps))), film(2, 6, 16, 16, 0.1)
    tokens = packed(clip, model, 0)
    with sdpa_kernel(SDPBackend.MATH), FlopCounterMode(display=False) as counter:
        model.denoiser(tokens)
    assert 3 * counter.get_total_flops() == model.training_flops(clip)


@EITHER
def test_a_hidden_patch_is_asked_for_and_a_shown_one_is_not(config: DiffusionConfig) -> None:
    masked = replace(config, text=None, mixture=Mixture(masked=1.0))
    model, clip = shaken(masked), replace(film(2, 6, 16, 16, 0.1), told=None)
    loss, figures = model.loss_together((clip,), seeded(0))
    assert loss > 0
    assert figures["leap_mse"] > 0
    with torch.no_grad():
        model.denoiser.head.weight.zero_()
    gray = replace(clip, frames=torch.full_like(clip.frames, 255))
    all_hidden = model.loss_together((gray,), seeded(0))[0]
    assert 0.2 < all_hidden.item() < 0.8  # error 1 on hidden rows, weight 0 on shown ones


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"subset": 0.7}, "subset 0.7"),
        ({"masked": 1.5}, "masked 1.5"),
        ({"silent": -1.0}, "silent"),
        ({"ends": 1.5}, "ends 1.5"),
        ({"holes": -0.5}, "holes -0.5"),
        ({"leap": float("nan")}, "leap nan"),
        ({"context": -1}, "context -1"),
        ({"cap": -1.0}, "cap -1"),
        ({"mean": float("nan")}, "mean nan"),
    ],
)
def test_mixtures_that_cannot_be_are_refused(change: dict[str, float], named: str) -> None:
    with pytest.raises(BadInputError, match=named):
        Mixture(**change)


def test_every_subset_leaves_something_to_dream() -> None:
    mixture = Mixture(leap=0.0, prefix=0.0, subset=1.0)
    level = mixture.levels(3000, 8, seeded(0))
    given = level == 1
    assert not given.all(1).any()
    prefix = given[:, 0] & ~given[:, -1]
    suffix = given[:, -1] & ~given[:, 0]
    both = given[:, 0] & given[:, -1]
    for kind in (prefix, suffix, both):
        assert kind.float().mean() > 0.08
    whole = Mixture(leap=0.0, prefix=0.0, whole=1.0).levels(500, 8, seeded(1))
    assert (whole == whole[:, :1]).all()
    assert 0.4 < (whole[:, 0] == 0).float().mean() < 0.6


@pytest.mark.parametrize(("frames", "both"), [(8, 0.5), (4, 0.0)])
def test_leaps_may_be_asked_from_their_ends(frames: int, both: float) -> None:
    given = Mixture(leap=1.0, prefix=0.0, context=2, ends=1.0).levels(1000, frames, seeded(0)) == 1
    assert given[:, -2:].all()
    assert given[:, :2].all(1).float().mean() == pytest.approx(both, abs=0.05)
    assert not given[:, 2:-2].any()
    half = Mixture(leap=1.0, prefix=0.0, context=2, ends=0.5).levels(1000, frames, seeded(0)) == 1
    assert (half[:, :2].all(1) & ~half[:, -2:].any(1)).float().mean() == pytest.approx(0.5, abs=0.05)


@pytest.mark.parametrize("frames", [1, 2])
def test_a_leap_leaves_something_to_learn_however_short_the_clip(frames: int) -> None:
    for ends in (0.0, 1.0):
        level = Mixture(leap=1.0, prefix=0.0, context=4, ends=ends).levels(1000, frames, seeded(0))
        assert (level == 0).any(1).all()
        assert (level == 1).sum(1).max() == frames - 1


def test_a_hole_is_a_box_in_every_clip_and_crosses_none() -> None:
    model = shaken(replace(CONFIG, text=None))
    clips = [
        replace(film(count, 6, height, width, 0.1), told=None) for count, height, width in ((3, 32, 24), (2, 16, 40))
    ]
    tokens = together([model._tokens(clip, torch.zeros(len(clip.frames), 6)) for clip in clips])
    place, sizes = tokens.without_registers(tokens.place), [6 * 12] * 3 + [6 * 10] * 2
    for seed in range(20):
        hidden = ~shown(tokens, Mixture(holes=1.0), seeded(seed))
        for part, where in zip(hidden.split(sizes), place.split(sizes), strict=True):
            low, high = where[part].amin(0), where[part].amax(0)
            assert torch.equal(part, ((where >= low) & (where <= high)).all(1))
    scattered = shown(tokens, Mixture(), seeded(0)).float().mean()
    assert 0.15 < scattered < 0.35
