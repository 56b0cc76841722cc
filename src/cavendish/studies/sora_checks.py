"""Every way of prompting, as questions with answers in metres (the Sora report's list, Brooks et al. 2024).

All clips are fresh. Balls move uniformly, so whatever is invented before, after, between or inside what is given must
keep the given velocity to the last digit; what a caption asks for is compared with what is seen. Unless said otherwise
16 frames, 0.2 s apart, of which 4 are given, and one denoising step: the future of such worlds is a single point.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import final

import numpy as np
import torch
from jaxtyping import Bool, Float

from cavendish.data.captions import describe
from cavendish.measure.motion import SLOW
from cavendish.measure.score import Score, score
from cavendish.models.diffusion import prompts
from cavendish.models.diffusion.prompts import IMAGE_TICK, Prompt
from cavendish.readout.perspective import read_landmarks
from cavendish.scenes import AttributeConflict, Occlusion, Parabola, RollingSpheres
from cavendish.studies.exam import (
    Film,
    Frames,
    Pupil,
    Seen,
    departure,
    film,
    look,
    mean,
    motion,
    regression,
    slope,
    velocity,
)
from cavendish.training import seeded

FRAMES, GIVEN, STEP = 16, 4, 0.2
COLOURED = ("colour-size", "colour-size-swapped")  # together: every size in either colour
STRENGTHS = (0.3, 0.5, 0.7, 0.9)
CLOSE = 0.1  # relative error of an exit from behind a screen


@final
@dataclass(frozen=True)
class Exam:
    """Who is asked, about how many clips each time, and how many pixels show the width of the world."""

    pupil: Pupil
    count: int
    side: int

    def balls(self, frames: int = FRAMES, inside: bool = False, seed: int = 1) -> Film:
        """Film fresh balls of either colour, all frames in view where that is asked for."""
        time, square = STEP * np.arange(frames), (self.side, self.side)
        truth = motion(AttributeConflict(), COLOURED, self.count * (12 if inside else 1), time, seed)
        if inside:
            middle = np.nanmin(np.where(truth.position[..., 1] > 0, 5 - np.abs(truth.position[..., 0] - 5), 9), 1)
            truth = truth[np.flatnonzero((middle > truth.radius[:, 0]).all(-1))[: self.count]]
        return film(AttributeConflict(), truth, square, self.side)

    def ask(self, asked: Prompt, true: Film, steps: int = 1) -> Seen:
        """Ask, and read the answer."""
        return look(true, self.pupil.answer(asked, true.clip, steps))

    def blank(self, true: Film, said: tuple[str, ...] | None = None) -> Prompt:
        """Ask for a film like a true one from nothing but a caption."""
        _, frames, height, width, _ = true.clip.frames.shape
        step = STEP if frames > 1 else IMAGE_TICK
        return replace(
            prompts.nothing(frames, (height, width), step, true.clip.world, len(true.clip.frames)), captions=said
        )


def told(true: Film) -> tuple[str, ...]:
    """Caption every clip tersely."""
    return tuple(describe(AttributeConflict(), true.truth, "terse", np.random.default_rng(0)))


def errors(name: str, true: Film, seen: Seen, invented: Bool[np.ndarray, "b t"]) -> tuple[Score, ...]:
    """Mark the velocity in invented frames, and tell how much was lost."""
    counted = invented & true.visible
    miss = np.linalg.norm(velocity(true, seen, counted) - _true_velocity(true, counted), axis=-1)
    return score(f"{name}: velocity error", "m/s", miss), lost(name, seen, counted)


def right(name: str, answers: Bool[np.ndarray, " b"]) -> Score:
    """Tell in which share of the clips the answer was right; what was not found was not (a comparison with NaN)."""
    return score(name, "", answers.astype(float))


def coloured(true: Film, seen: Seen) -> Bool[np.ndarray, " b"]:
    """Tell which clips show a ball of the right colour."""
    return np.asarray(np.isfinite(seen.radius).any(1) & (seen.body == true.shown))


def lost(name: str, seen: Seen, counted: Bool[np.ndarray, "b t"]) -> Score:
    """Tell in which share of the frames that count no ball was found."""
    return score(f"{name}: lost share", "", mean(np.isnan(seen.position[..., 0]).astype(float), counted))


def _true_velocity(true: Film, counted: Bool[np.ndarray, "b t"]) -> Float[np.ndarray, "b d"]:
    return np.stack([slope(true.truth.time, true.place[..., axis], counted) for axis in (0, 1)], -1)


def _after(true: Film, begin: int, end: int | None = None) -> Bool[np.ndarray, "b t"]:
    """Mark frames by their number."""
    number = np.arange(true.place.shape[1])
    return np.broadcast_to((number >= begin) & (number < (end or len(number))), true.place.shape[:2])


def _distance(true: Film, seen: Seen, counted: Bool[np.ndarray, "b t"]) -> Float[np.ndarray, " b"]:
    return mean(np.linalg.norm(seen.position - true.place, axis=-1), counted)


def _obeyed(name: str, true: Film, seen: Seen) -> tuple[Score, ...]:
    """Compare size and colour with what a caption asked for."""
    size = mean(seen.radius, true.visible)
    return regression(f"{name}: slope of size", true.radius, size), right(f"{name}: right colour", coloured(true, seen))


def text_to_video(exam: Exam) -> tuple[Score, ...]:
    """Ask by captions for speed, direction, size, colour and place."""
    true = exam.balls()
    seen = exam.ask(exam.blank(true, told(true)), true)
    asked, got = true.velocity[:, 0, 0], velocity(true, seen, true.visible)[:, 0]
    return (
        regression("text: slope of speed", np.abs(asked), np.abs(got)),
        right("text: right direction", got * asked > 0),
        *_obeyed("text", true, seen),
        score("text: place error", "m", _distance(true, seen, true.visible)),
        lost("text", seen, true.visible),
    )


def image_to_video(exam: Exam) -> tuple[Score, ...]:
    """Animate one image, with a caption that tells the speed and without."""
    true = exam.balls()
    asked = prompts.extend(true.part(0, 1), 0, FRAMES - 1, STEP)
    seen = exam.ask(replace(asked, captions=told(true)), true)
    free = exam.ask(asked, true, 20)
    within = np.abs(free.position[..., 0] - 5) + free.radius < 5
    speed = np.linalg.norm(velocity(true, free, within), axis=-1)
    return (
        *errors("image and text", true, seen, _after(true, 1)),
        score("image alone: distance from uniform motion", "m", departure(true, free, within)),
        right("image alone: moves as fast as taught", (speed > 0.8) & (speed < 4.2)),
    )


def forward(exam: Exam) -> tuple[Score, ...]:
    """Continue balls, in 1, 4 and 20 steps, and a fall."""
    true = exam.balls()
    asked = prompts.extend(true.part(0, GIVEN), 0, FRAMES - GIVEN)
    one, *more = (exam.ask(asked, true, steps) for steps in (1, 4, 20))
    again = (
        errors(f"forward, {n} steps", true, seen, _after(true, GIVEN))[0] for n, seen in zip((4, 20), more, strict=True)
    )
    fall = film(
        Parabola(), motion(Parabola(), ("interpolation",), exam.count, true.truth.time, 2), (exam.side,) * 2, exam.side
    )
    seen = exam.ask(prompts.extend(fall.part(0, GIVEN), 0, FRAMES - GIVEN), fall)
    counted = fall.visible & _after(fall, GIVEN)
    speed = velocity(fall, seen, counted) - _true_velocity(fall, counted)
    return (
        *errors("forward", true, one, _after(true, GIVEN)),
        *again,
        score("forward, fall: velocity error", "m/s", np.linalg.norm(speed, axis=-1)),
    )


def backward(exam: Exam) -> tuple[Score, ...]:
    """Invent the past of balls."""
    true = exam.balls(inside=True)
    asked = prompts.extend(true.part(FRAMES - GIVEN, FRAMES), FRAMES - GIVEN, 0)
    return errors("backward", true, exam.ask(asked, true), _after(true, 0, FRAMES - GIVEN))


def join(exam: Exam) -> tuple[Score, ...]:
    """Invent what lies between a beginning and an end: velocity must not jump at the seams."""
    true = exam.balls(inside=True)
    asked = prompts.join(true.part(0, GIVEN), true.part(FRAMES - GIVEN, FRAMES), FRAMES - 2 * GIVEN)
    seen = exam.ask(asked, true)
    jumps = []
    for name, at in (("first", GIVEN), ("second", FRAMES - GIVEN)):
        before, after = (velocity(true, seen, _after(true, *span)) for span in ((at - 4, at), (at, at + 4)))
        jumps.append(score(f"join: velocity jump at the {name} seam", "m/s", np.linalg.norm(after - before, axis=-1)))
    return (*jumps, lost("join", seen, _after(true, GIVEN, FRAMES - GIVEN)))


def loop(exam: Exam) -> tuple[Score, ...]:
    """Let a film of a ball bite its own tail: the seam must be no worse than the joints inside."""
    true, steps = exam.balls(inside=True), 20
    ring = prompts.loop(prompts.edit(true.clip, 0.8), steps, seeded(1))
    frames = exam.pupil.answer(ring, _swinging(true).clip, steps)
    joints = (frames.float() - frames.roll(-1, 1).float()).square().mean((2, 3, 4)).sqrt().double().numpy()
    seen = look(true, frames)
    return (
        score(
            "loop: jump at the seam / mean jump inside", "", joints[:, -1] / np.maximum(joints[:, :-1].mean(1), 1e-9)
        ),
        lost("loop", seen, _after(true, 0)),
    )


def _swinging(true: Film) -> Film:
    """Let the same balls swing to and fro in as much time as the film lasts, each from a phase of its own."""
    phase = np.arange(len(true.place))[:, None] + 2 * np.pi * np.arange(FRAMES) / FRAMES
    place = true.truth.position.copy()
    place[np.arange(len(place)), :, true.shown, 0] = 5 + 2 * np.sin(phase)
    side = true.clip.frames.shape[2]
    return film(AttributeConflict(), replace(true.truth, position=place), (side, side), side)


def inpaint(exam: Exam) -> tuple[Score, ...]:
    """Cut a hole into space and time, and look for the ball in it."""
    true = exam.balls(inside=True)
    hole = torch.zeros(true.clip.frames.shape[1:4], dtype=torch.bool)
    hole[GIVEN : FRAMES - GIVEN, :, exam.side // 4 : -exam.side // 4] = True
    seen = exam.ask(prompts.inpaint(true.clip, hole), true)
    reach = true.radius[:, None]
    within = np.abs(true.place[..., 0] - 5) < 2.5 - reach
    counted = within & _after(true, GIVEN, FRAMES - GIVEN)
    return score("inpaint: place error", "m", _distance(true, seen, counted)), lost("inpaint", seen, counted)


def edit(exam: Exam) -> tuple[Score, ...]:
    """Dream films again with a caption that asks for the other colour: the stronger, the more obeyed."""
    true = exam.balls(inside=True)
    factors, position = true.truth.factors.copy(), true.truth.position.copy()
    factors[:, 2] = 1 - factors[:, 2]
    half = position.shape[2] // 2
    other = film(
        AttributeConflict(),
        replace(true.truth, factors=factors, position=np.roll(position, half, 2)),
        (exam.side,) * 2,
        exam.side,
    )
    scores = []
    for strength in STRENGTHS:
        seen = exam.ask(replace(prompts.edit(true.clip, strength), captions=told(other)), other, 10)
        scores += [
            right(f"edit {strength:g}: asked colour", coloured(other, seen)),
            score(f"edit {strength:g}: ball moved", "m", _distance(true, seen, true.visible)),
        ]
    return tuple(scores)


def unseen_aspect(exam: Exam) -> tuple[Score, ...]:
    """Continue balls in a wide window and in one that is wider than any in training."""
    scores: list[Score] = []
    for name, high, wide in (("4:3", 0.75, 1.0), ("3:2, wider than trained", 1.0, 1.5)):
        truth = exam.balls().truth
        room = truth.position.copy()
        room[..., 1] = np.minimum(room[..., 1], 10 * high - truth.radius - 0.1)
        size = (round(exam.side * high), round(exam.side * wide))
        true = film(AttributeConflict(), replace(truth, position=room), size, exam.side)
        seen = exam.ask(prompts.extend(true.part(0, GIVEN), 0, FRAMES - GIVEN), true)
        scores += errors(f"aspect {name}", true, seen, _after(true, GIVEN))
    return tuple(scores)


def unseen_duration(exam: Exam) -> tuple[Score, ...]:
    """Continue slow balls for twice the trained length, in one piece and by a sliding window; mark the second half."""
    time, rng = STEP * np.arange(2 * FRAMES), np.random.default_rng(3)
    plain = motion(AttributeConflict(), COLOURED, exam.count, time, 3).factors
    plain[:, 1], plain[:, 4] = rng.uniform(1.0, 1.25, exam.count), plain[:, 0] + 0.1
    true = film(AttributeConflict(), AttributeConflict().simulate(plain, time), (exam.side,) * 2, exam.side)
    whole = exam.ask(prompts.extend(true.part(0, GIVEN), 0, 2 * FRAMES - GIVEN), true)
    return (
        *errors("twice as long, in one piece", true, whole, _after(true, FRAMES)),
        *errors("twice as long, sliding", true, look(true, _slid(exam, true)), _after(true, FRAMES)),
    )


def _slid(exam: Exam, true: Film) -> Frames:
    """Continue from the given frames by windows of the trained length, half of each given."""
    keep, frames = FRAMES // 2, true.part(0, GIVEN).frames
    while frames.shape[1] < 2 * FRAMES:
        at = frames.shape[1]
        begin = max(at - keep, 0)
        end = min(begin + FRAMES, 2 * FRAMES)
        known = replace(true.part(begin, at), frames=frames[:, begin:])
        answer = exam.pupil.answer(prompts.extend(known, 0, end - at), true.part(begin, end))
        frames = torch.cat([frames, answer[:, at - begin :]], 1)
    return frames


def occlusion(exam: Exam) -> tuple[Score, ...]:
    """Let balls pass behind a screen: when do they come out, and how fast?"""
    scene, time = Occlusion(), STEP * np.arange(FRAMES)
    pool = film(scene, motion(scene, ("interpolation",), 10 * exam.count, time, 4), (exam.side,) * 2, exam.side)
    way = np.sign(pool.velocity[:, :1, 0])
    past = (way * (pool.place[..., 0] - 5) > 0) & pool.visible
    fit = pool.visible[:, :GIVEN].all(1) & (past.sum(1) >= 3)
    kept = np.flatnonzero(fit)[: exam.count]
    true, past, way = film(scene, pool.truth[kept], (exam.side,) * 2, exam.side), past[kept], way[kept, 0]
    seen = exam.ask(prompts.extend(true.part(0, GIVEN), 0, FRAMES - GIVEN), true)
    speed, asked = velocity(true, seen, past)[:, 0] * way, true.velocity[:, 0, 0] * way
    speed = np.where(speed > SLOW, speed, np.nan)
    edge = scene.screen / 2 + true.radius
    middle = [
        mean(values, past & np.isfinite(seen.position[..., 0]))
        for values in (_signed(seen.position, way), np.broadcast_to(time, past.shape))
    ]
    late = middle[1] + (edge - middle[0]) / speed
    truth = (edge - _signed(true.place, way)[:, 0]) / asked
    begin = time[GIVEN - 1]
    miss, gap = np.abs(late - truth) / (truth - begin), np.abs(speed - asked) / asked
    return (
        right("occlusion: exit time within 10 %", miss <= CLOSE),
        right("occlusion: exit speed within 10 %", gap <= CLOSE),
        score("occlusion: error of exit time / time unseen", "", miss),
        score("occlusion: relative error of exit speed", "", gap),
        lost("occlusion", seen, past),
    )


def _signed(position: Float[np.ndarray, "b t d"], way: Float[np.ndarray, " b"]) -> Float[np.ndarray, "b t"]:
    return np.asarray((position[..., 0] - 5) * way[:, None])


def moving_camera(exam: Exam) -> tuple[Score, ...]:
    """Let a camera move on: landmarks on the ground must be where its path puts them."""
    scene, time, side = RollingSpheres(), 2 * STEP * np.arange(8), 2 * exam.side
    true = film(scene, motion(scene, ("interpolation",), exam.count, time, 5), (side, side), side)
    frames = exam.pupil.answer(prompts.extend(true.part(0, GIVEN), 0, 8 - GIVEN), true.clip)
    found, there = (read_landmarks(film.numpy(), true.drawing)[:, GIVEN:] for film in (frames, true.clip.frames))
    miss = np.linalg.norm(found - there, axis=-1) * side / scene.world.width
    seen = np.isfinite(there[..., 0])
    flat = (len(miss), -1)
    return (
        score("moving camera: reprojection error", "px", mean(miss.reshape(flat), seen.reshape(flat))),
        score("moving camera: lost share", "", mean(np.isnan(miss).reshape(flat) * 1.0, seen.reshape(flat))),
    )


def images(exam: Exam) -> tuple[Score, ...]:
    """Ask for single images by captions."""
    true = exam.balls(frames=1)
    seen = exam.ask(exam.blank(true, told(true)), true)
    return (
        *_obeyed("image", true, seen),
        score("image: place error", "m", _distance(true, seen, true.visible)),
        lost("image", seen, true.visible),
    )


CHECKS: tuple[Callable[[Exam], tuple[Score, ...]], ...] = (
    text_to_video,
    image_to_video,
    forward,
    backward,
    join,
    loop,
    inpaint,
    edit,
    unseen_aspect,
    unseen_duration,
    occlusion,
    moving_camera,
    images,
)
