"""One model, every way of prompting: what is given stays, what is not is dreamt to fit."""

import copy
import inspect
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from jaxtyping import Float
from torch import Tensor

from cavendish.codec import from_json, to_json
from cavendish.data import Picture, Split
from cavendish.data.captions import SPOKEN, understand
from cavendish.data.split import mirror
from cavendish.errors import BadInputError
from cavendish.models.diffusion import Diffusion, DiffusionConfig, Lexicon, Mixture, Sampling, prompts
from cavendish.models.diffusion.prompts import Prompt
from cavendish.motion import World
from cavendish.render import render
from cavendish.scenes import UniformMotion
from cavendish.training import seeded
from cavendish.training.optimiser import Optimiser, rate_share
from cavendish.video import Clip, Imagined

FRAMES, SIDE, TICK = 8, 16, 0.4
ASKED = Mixture(leap=0.0, prefix=0.0, subset=0.7, whole=0.3, masked=0.1, silent=0.5)
CONFIG = DiffusionConfig(size="pico", patch=8, tubelet=4, mixture=ASKED, steps=4, text=Lexicon(SPOKEN))
SAID = ("uniform-motion: velocity 1.5 m/s", "uniform-motion: velocity 2.5 m/s, mirrored")
HOLE = torch.zeros(FRAMES, SIDE, SIDE, dtype=torch.bool)
HOLE[2:6, 1:13, 2:15] = True  # in frames, rows and columns; patches are cut by it


def two_clips() -> Clip:
    """Film a low ball that goes slowly to the right and a high one that goes fast to the left."""
    scene = UniformMotion()
    factors = np.array([[1.8, 1.5, 2.0, 3.0], [1.4, 2.5, 1.0, 7.5]])
    time = np.arange(FRAMES) * TICK
    moving = mirror(scene.simulate(factors, time), 10.0, np.array([False, True]))
    frames = torch.from_numpy(render(scene.draw(moving), SIDE, SIDE))
    return Clip(frames, torch.from_numpy(time).float(), scene.world)


def again(clip: Clip, times: int) -> Clip:
    """Repeat both clips with their captions."""
    return replace(clip, frames=clip.frames.repeat(times, 1, 1, 1, 1), told=lambda: SAID * times)


def last(clip: Clip, count: int) -> Clip:
    """Keep the last frames."""
    return Clip(clip.frames[:, -count:], clip.time[-count:], clip.world)


@pytest.fixture(scope="module")
def learner() -> Diffusion:
    """A model that knows the two clips and their captions."""
    lesson, made, steps = again(two_clips(), 3), CONFIG.build(seeded(0)), 300
    optimiser = Optimiser(made, "muon", 4e-3)
    for step in range(steps):
        loss, _ = made.loss(lesson, seeded(0, step))
        loss.backward()
        optimiser.step(rate_share(step, steps, 0.02, 0.6))
    return made


@pytest.fixture(scope="module")
def fresh() -> Diffusion:
    """A model that knows nothing; its answers are not neutral."""
    made = CONFIG.build(seeded(0))
    with torch.no_grad():
        for number, parameter in enumerate(made.parameters()):
            parameter.add_(torch.randn(parameter.shape, generator=seeded(1, number)), alpha=0.02)
    return made


def gap(one: Tensor | None, other: Tensor) -> Float[Tensor, " b"]:
    """Return the mean square difference of every clip, in bytes squared."""
    assert one is not None
    return (one.float() - other.float()).square().mean((1, 2, 3, 4))


PROMPTS: dict[str, Callable[[Clip], Prompt]] = {
    "forward": lambda clip: prompts.extend(clip.first(2), 0, 6),
    "backward": lambda clip: prompts.extend(last(clip, 2), 6, 0),
    "both ways": lambda clip: prompts.extend(Clip(clip.frames[:, 3:5], clip.time[3:5], clip.world), 3, 3),
    "join": lambda clip: prompts.join(clip.first(2), last(clip, 2), 4),
    "inpaint": lambda clip: prompts.inpaint(clip, HOLE),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", list(PROMPTS))
def test_who_knows_two_clips_completes_them_from_any_part(learner: Diffusion, name: str) -> None:
    two = two_clips()
    dreamt = learner.dream(PROMPTS[name](two), seeded(1)).frames
    assert gap(dreamt, two.frames).max() < 200  # blank frames are at 1900 and 3300
    assert gap(dreamt, two.frames.flip(0)).min() > 3000


@pytest.mark.slow
def test_two_captions_give_two_clips(learner: Diffusion) -> None:
    two, asked = two_clips(), prompts.nothing(FRAMES, (SIDE, SIDE), TICK, World(), 2)
    for said, truth in ((SAID, two.frames), (SAID[::-1], two.frames.flip(0))):
        dreamt = learner.dream(replace(asked, captions=said), seeded(1)).frames
        assert gap(dreamt, truth).max() < 200
    guided = learner.dream(replace(asked, captions=SAID), seeded(1), Sampling(4, text=1.5)).frames
    assert gap(guided, two.frames).max() < 300


@pytest.mark.slow
def test_an_edit_brings_a_strange_film_home_and_forgets_it_at_last(learner: Diffusion) -> None:
    two = two_clips()
    strange = Clip(two.frames.clone(), two.time, two.world)
    strange.frames[:, :, :3, :3] = 0  # a black corner that no lesson had
    near = learner.dream(prompts.edit(strange, 0.6), seeded(1)).frames
    assert gap(strange.frames, two.frames).min() > 1000
    assert gap(near, two.frames).max() < 500


@pytest.mark.slow
def test_masked_patches_are_filled_in_one_evaluation(learner: Diffusion) -> None:
    two = two_clips()
    hidden = torch.rand(FRAMES // 4, 2, 2, generator=seeded(3)) < 0.5
    pixels = hidden.repeat_interleave(4, 0).repeat_interleave(8, 1).repeat_interleave(8, 2)
    filled = learner.dream(prompts.inpaint(two, pixels), seeded(1), Sampling(1)).frames
    blank = torch.where(pixels[..., None], torch.full_like(two.frames, 255), two.frames)
    assert gap(filled, two.frames).mean() < 0.3 * gap(blank, two.frames).mean()


@pytest.mark.parametrize("count", [16, 9])
def test_a_closed_film_has_no_seam_where_an_open_one_has_one(count: int) -> None:
    ramp = (10 * torch.arange(count)).to(torch.uint8)[None, :, None, None, None].expand(1, -1, 4, 4, 3)
    film = Clip(ramp, TICK * torch.arange(count), World())

    def smooth(asked: Prompt) -> Imagined:
        """Go straight from the last given frame before a gap to the first after it."""
        gap = torch.nonzero(~asked.given.all(2).all(1))[:, 0]
        before, after = asked.film.frames[:, gap[0] - 1].float(), asked.film.frames[:, gap[-1] + 1].float()
        share = (torch.arange(len(gap)) + 1)[None, :, None, None, None] / (len(gap) + 1)
        frames = asked.film.frames.clone()
        frames[:, gap] = torch.lerp(before[:, None], after[:, None], share).to(torch.uint8)
        return Imagined(frames, None, asked.film.time, asked.film.world, 0)

    closed = prompts.loop(smooth, film).frames
    jump = [(f.float() - f.roll(-1, 1).float()).abs().mean((2, 3, 4))[0] for f in (ramp, closed)]
    kept = slice(count // 4 + count % 2, count - count // 4)  # the rest, on either side of the seam, is new
    assert jump[0][-1] == 10 * (count - 1)
    assert jump[1].max() < 0.5 * jump[0][-1]  # neither the seam nor the borders of what is new
    assert torch.equal(closed[:, kept], ramp[:, kept])


def test_a_film_whose_clock_is_rounded_can_be_closed() -> None:
    uneven = replace(two_clips(), time=torch.tensor([0.0, 0.033, 0.067, 0.100, 0.133, 0.167, 0.200, 0.234]))
    assert prompts.closing(uneven).given.all(2).all(1).tolist() == [True] * 2 + [False] * 4 + [True] * 2


@pytest.mark.parametrize("name", list(PROMPTS))
def test_what_is_given_stays_to_the_last_bit(fresh: Diffusion, name: str) -> None:
    asked = PROMPTS[name](two_clips())
    dreamt = fresh.dream(asked, seeded(0)).frames
    assert dreamt is not None
    assert dreamt.shape == asked.film.frames.shape
    assert torch.equal(dreamt[:, asked.given], asked.film.frames[:, asked.given])
    other = fresh.dream(asked, seeded(1)).frames
    assert other is not None
    assert not torch.equal(dreamt, other)


def test_imagining_is_the_simplest_prompt(fresh: Diffusion) -> None:
    two = two_clips()
    imagined = fresh.imagine(two.first(2), 6, seeded(0))
    dreamt = fresh.dream(prompts.extend(two.first(2), 0, 6), seeded(0))
    assert torch.equal(imagined.frames, dreamt.frames)  # type: ignore[arg-type]
    assert torch.equal(imagined.time, dreamt.time)
    assert imagined.context == dreamt.context == 2


def test_an_edit_of_strength_zero_returns_the_film_and_of_one_forgets_it(fresh: Diffusion) -> None:
    two = two_clips()
    assert torch.equal(fresh.dream(prompts.edit(two, 0.0), seeded(0)).frames, two.frames)  # type: ignore[arg-type]
    forgot, other = (
        fresh.dream(prompts.edit(Clip(frames, two.time, two.world), 1.0), seeded(0)).frames
        for frames in (two.frames, 255 - two.frames)
    )
    assert torch.equal(forgot, other)  # type: ignore[arg-type]
    gaps = [gap(fresh.dream(prompts.edit(two, s), seeded(0)).frames, two.frames).mean() for s in (0.0, 0.05, 0.2)]
    assert gaps == sorted(gaps)


@pytest.mark.parametrize(("frames", "size"), [(1, (16, 16)), (1, (8, 40)), (5, (24, 8)), (40, (16, 16))])
def test_any_size_and_duration_and_single_images(fresh: Diffusion, frames: int, size: tuple[int, int]) -> None:
    dreamt = fresh.dream(prompts.nothing(frames, size, TICK, World(), 2), seeded(0))
    assert dreamt.frames is not None
    assert dreamt.frames.shape == (2, frames, *size, 3)
    assert dreamt.context == 0


def test_an_image_is_animated_both_ways(fresh: Diffusion) -> None:
    image = two_clips().first(1)
    dreamt = fresh.dream(prompts.extend(image, 3, 4, TICK), seeded(0))
    assert torch.equal(dreamt.frames[:, 3], image.frames[:, 0])  # type: ignore[index]
    assert torch.allclose(dreamt.time, TICK * torch.arange(-3, 5), atol=1e-6)


def test_a_window_slides_far_past_the_trained_length(fresh: Diffusion) -> None:
    two, windows = two_clips(), []

    def dream(asked: Prompt) -> Imagined:
        windows.append(len(asked.film.time))
        return fresh.dream(asked, seeded(0, len(windows)))

    film = prompts.rollout(dream, two, 50, window=FRAMES)
    assert film.frames.shape[1] == len(film.time) == 58
    assert torch.equal(film.frames[:, :FRAMES], two.frames)
    assert torch.allclose(film.time.diff(), torch.tensor(TICK), atol=1e-4)
    assert max(windows) == FRAMES
    assert len(windows) == 13


def test_guidance_of_one_changes_nothing_and_of_zero_ignores(fresh: Diffusion) -> None:
    two, plain = two_clips(), prompts.nothing(FRAMES, (SIDE, SIDE), TICK, World(), 2)
    told = replace(plain, captions=SAID)
    frames = [
        fresh.dream(p, seeded(0), Sampling(2, text=t)).frames for p, t in ((plain, 1.0), (told, 0.0), (told, 1.0))
    ]
    assert gap(frames[0], frames[1]).max() < 1  # type: ignore[arg-type]
    assert not torch.equal(frames[1], frames[2])  # type: ignore[arg-type]
    asked = prompts.extend(two.first(2), 0, 6)
    other = prompts.extend(replace(two, frames=255 - two.frames).first(2), 0, 6)
    for history, forgets in ((0.0, True), (1.0, False)):
        one, another = (fresh.dream(p, seeded(0), Sampling(2, history=history)).frames for p in (asked, other))
        assert one is not None
        assert another is not None
        assert ((one[:, 2:].int() - another[:, 2:].int()).abs().max() <= 1) == forgets


def test_a_schedule_rises_from_its_start_to_clean() -> None:
    asked = prompts.extend(two_clips().first(2), 0, 6)
    for lag in (0.0, 1.0, 3.0):
        table = torch.stack(replace(asked, lag=lag).schedule(7))
        assert table.shape == (8, FRAMES)
        assert torch.equal(table[0], asked.start)
        assert (table[-1] == 1).all()
        assert (table.diff(dim=0) >= 0).all()
        assert (table[:, :2] == 1).all()
        assert (table[:, 2:].diff(dim=1) <= 0).all()
    assert (table[3, 2:].diff() < 0).any()


def test_a_lagging_schedule_is_walked_like_any_other(fresh: Diffusion) -> None:
    asked = replace(prompts.extend(two_clips().first(2), 0, 6), lag=2.0)
    assert torch.equal(fresh.dream(asked, seeded(0)).frames[:, :2], two_clips().frames[:, :2])  # type: ignore[index]


def forced(record: Prompt | Clip, **fields: Any) -> Any:
    """Put into a record what the type checker of the tests would not let in, as a stranger's program can."""
    wrong = copy.copy(record)
    for name, value in fields.items():
        object.__setattr__(wrong, name, value)
    if isinstance(wrong, Prompt):
        wrong.__post_init__()
    return wrong


TWO = two_clips()
EDIT = prompts.edit(TWO, 0.5)
MISTAKES: dict[str, Callable[[Diffusion], object]] = {
    "height = 20, expected a multiple of 8": lambda m: m.dream(prompts.nothing(4, (20, 16), TICK, World()), seeded(0)),
    "expected uint8": lambda m: prompts.edit(replace(TWO, frames=TWO.frames[..., :1]), 0.5),
    "strength = 1.5": lambda m: prompts.edit(TWO, 1.5),
    "0 clips": lambda m: prompts.nothing(4, (16, 16), TICK, World(), 0),
    "more than 268435456 pixels": lambda m: prompts.nothing(4, (160_000, 16_000), TICK, World()),
    "time step for one": lambda m: prompts.extend(TWO.first(1), 0, 3),
    "one size": lambda m: prompts.join(TWO, Clip(TWO.frames[:, :, :8], TWO.time, TWO.world), 3),
    "hole": lambda m: prompts.inpaint(TWO, torch.zeros(FRAMES, SIDE, SIDE, dtype=torch.bool)),
    "expected rising ones": lambda m: prompts.edit(replace(TWO, time=TWO.time.flip(0)), 0.5),
    "3 captions for 2 clips": lambda m: replace(prompts.edit(TWO, 0.5), captions=SAID + SAID[:1]),
    "window": lambda m: prompts.rollout(lambda p: m.dream(p, seeded(0)), TWO, 5, window=2),
    "given pixels are": lambda m: forced(EDIT, given=HOLE[:4]),
    "levels start at": lambda m: forced(EDIT, start=EDIT.start[1:]),
    "lag = nan": lambda m: replace(prompts.edit(TWO, 0.5), lag=float("nan")),
    "hole of 624 pixels, torch.uint8": lambda m: inspect.unwrap(prompts.inpaint)(TWO, HOLE.byte()),
    "a frame every 0.4 and 0.8 s, expected one rate": lambda m: prompts.join(TWO, replace(TWO, time=2 * TWO.time), 3),
    "2 beginnings and 1 ends": lambda m: prompts.join(TWO, replace(TWO, frames=TWO.frames[:1]), 3),
    r"float32 \(2, 8, 16, 16, 3\), expected uint8": lambda m: prompts.join(
        TWO, forced(TWO, frames=TWO.frames / 255), 3
    ),
    r"\(2, 0, 16, 16, 3\), expected uint8": lambda m: prompts.extend(TWO.first(0), 0, 3, TICK),
    r"\(2, 8, 16, 16, 1\), expected uint8": lambda m: m.encode(replace(TWO, frames=TWO.frames[..., :1])),
    "70401 tokens that look at each other, expected at most 65536": lambda m: m.dream(
        prompts.nothing(4, (2200, 2048), TICK, World()), seeded(0)
    ),
    "within 1e.30": lambda m: Lexicon(SPOKEN).read(("radius 1e38",)),
    "a loop of 4 frames: expected 8 or more": lambda m: prompts.closing(TWO.first(4)),
    "expected 1 to 10000 steps": lambda m: Sampling(0),
    "steps=1000000000": lambda m: Sampling(10**9),
    "did you mean 'velocity'": lambda m: m.dream(
        replace(prompts.edit(TWO, 0.5), captions=("velocty 3", "")), seeded(0)
    ),
    "unknown word": lambda m: Lexicon(SPOKEN).read(("velocity \u00e9 3",)),
    "caption of 257 tokens, expected at most 256": lambda m: Lexicon(SPOKEN).read(("radius " * 257,)),
    "is inf, expected a finite one": lambda m: Lexicon(SPOKEN).read(("radius 1e999",)),
    "understands none": lambda m: (
        replace(CONFIG, text=None).build(seeded(0)).dream(replace(prompts.edit(TWO, 0.5), captions=SAID), seeded(0))
    ),
}


@pytest.mark.parametrize("named", list(MISTAKES))
def test_a_prompt_that_cannot_be_is_refused(fresh: Diffusion, named: str) -> None:
    with pytest.raises(BadInputError, match=named):
        MISTAKES[named](fresh)


def test_numbers_are_read_as_numbers() -> None:
    words = Lexicon(SPOKEN).read(("uniform-motion: radius 1.25 m, velocity = -3e-2 m/s", "", "y 7."))
    assert words.counts == (8, 0, 2)
    assert words.value[words.token == 0].tolist() == pytest.approx([1.25, -0.03, 7.0])


def test_every_caption_of_a_split_is_a_function_of_its_index_and_is_read() -> None:
    split = Split(UniformMotion(), picture=Picture(8, 8), flip=0.5)
    together = split.clips(np.arange(40))
    assert together.told is not None
    said = together.told()
    assert split[7].told is not None
    assert said[7] == split[7].told()[0]  # type: ignore[misc]
    assert together.trajectory is not None
    assert len({len(text) for text in said}) > 10  # styles differ
    for caption, factors in zip(said, together.trajectory.factors, strict=True):
        assert np.allclose(understand(caption).factors, factors, rtol=0.06)
    assert min(Lexicon(SPOKEN).read(said).counts) > 8


def test_the_lexicon_knows_every_caption_of_every_scene(scene: object) -> None:
    split = Split(scene, picture=Picture(8, 8))  # type: ignore[arg-type]
    told = split.clips(np.arange(4)).told
    assert told is not None
    Lexicon(SPOKEN).read(told())


def test_a_model_without_captions_is_stored_as_before() -> None:
    plain = DiffusionConfig()
    stored = to_json(plain)
    assert set(stored) == {"type", "size", "patch", "tubelet", "registers", "mixture", "steps"}
    assert set(stored["mixture"]) == {"type", "leap", "prefix", "context", "mean", "spread", "cap"}
    assert from_json(DiffusionConfig, stored) == plain
    assert from_json(DiffusionConfig, to_json(CONFIG)) == CONFIG
    assert not [name for name in plain.build(seeded(0)).state_dict() if "word" in name]
