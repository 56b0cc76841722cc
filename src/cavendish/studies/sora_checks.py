"""Every way of prompting, as questions with answers in metres (the Sora report's list, Brooks et al. 2024).

All clips are fresh. Balls move uniformly, so whatever is invented before, after, between or inside what is given must
keep the given velocity to the last digit; what a caption asks for is compared with what is seen. Unless said otherwise
16 frames, 0.2 s apart, of which 4 are given, and one denoising step: the future of such worlds is a single point.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import final

import numpy as np
import torch
from jaxtyping import Bool, Int

from cavendish.data.captions import describe
from cavendish.measure import scorecard
from cavendish.measure.motion import SLOW
from cavendish.measure.score import Score, score
from cavendish.models.diffusion import Sampling, prompts
from cavendish.models.diffusion.prompts import IMAGE_TICK, Prompt
from cavendish.readout import Reader
from cavendish.readout.perspective import read_landmarks
from cavendish.scenes import AttributeConflict, Collision, Occlusion, Parabola, RollingSpheres, Spring
from cavendish.studies.exam import ONE, Film, Pupil, Seen, departure, film, look, mean, motion, regression, velocity
from cavendish.video import Imagined

BALLS, MIDDLE = AttributeConflict(), 5.0  # m, of their world
SWING = Spring(stiffness=7.0)  # periods of 2.1 to 4.3 s
FRAMES, GIVEN, STEP = 16, 4, 0.2
GUIDANCE, MANY = 2.0, Sampling(20)
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

    def balls(self, frames: int = FRAMES) -> Film:
        """Film fresh balls of either colour."""
        return film(BALLS, motion(BALLS, COLOURED, self.count, STEP * np.arange(frames), 1), self.side)

    def balls_inside(self) -> Film:
        """Film balls that are in view in every frame."""
        pool = film(BALLS, motion(BALLS, COLOURED, 12 * self.count, STEP * np.arange(FRAMES), 2), self.side)
        return film(BALLS, pool.truth[np.flatnonzero(pool.visible.all(1))[: self.count]], self.side)

    def ask(self, asked: Prompt, true: Film, how: Sampling = ONE) -> Seen:
        """Ask, and read the answer."""
        return look(true, self.pupil.answer(asked, true.clip, how))

    def ask_what_follows(self, true: Film, how: Sampling = ONE) -> Seen:
        """Give the first frames."""
        return self.ask(prompts.extend(true.part(0, GIVEN), 0, len(true.truth.time) - GIVEN), true, how)

    def ask_by_caption(self, true: Film, how: Sampling = ONE) -> Seen:
        """Give nothing but a caption."""
        clips, frames, height, width, _ = true.clip.frames.shape
        step = STEP if frames > 1 else IMAGE_TICK
        blank = prompts.nothing(frames, (height, width), step, true.clip.world, clips)
        return self.ask(replace(blank, captions=told(true)), true, how)


def told(true: Film) -> tuple[str, ...]:
    """Caption every clip tersely."""
    return tuple(describe(BALLS, true.truth, "terse", np.random.default_rng(0)))


def number(true: Film) -> Int[np.ndarray, "b t"]:
    """Number the frames of every clip."""
    return np.broadcast_to(np.arange(len(true.truth.time)), true.visible.shape)


def errors(name: str, true: Film, seen: Seen, invented: Bool[np.ndarray, "b t"]) -> tuple[Score, ...]:
    """Mark the velocity in invented frames, and tell how much was lost."""
    counted = invented & true.visible
    got, right = (velocity(true.truth.time, which.position, counted) for which in (seen, true.seen))
    return score(f"{name}: velocity error", "m/s", np.linalg.norm(got - right, axis=-1)), lost(name, seen, counted)


def placed(name: str, true: Film, seen: Seen, counted: Bool[np.ndarray, "b t"]) -> Score:
    """Mark the place of the ball."""
    return score(name, "m", mean(np.linalg.norm(seen.position - true.seen.position, axis=-1), counted))


def lost(name: str, seen: Seen, counted: Bool[np.ndarray, "b t"]) -> Score:
    """Tell in which share of the frames that count no ball was found."""
    return score(f"{name}: lost share", "", mean(np.isnan(seen.position[..., 0]).astype(float), counted))


def share(name: str, right: Bool[np.ndarray, " b"]) -> Score:
    """Tell in which share of the clips the answer was right; what was not found was not (a comparison with NaN)."""
    return score(name, "", right.astype(float))


def coloured(name: str, true: Film, seen: Seen) -> Score:
    """Tell in which share of the clips a ball of the right colour is seen."""
    return share(name, np.isfinite(seen.radius).any(1) & (seen.body == true.seen.body))


def obeyed(name: str, true: Film, seen: Seen) -> tuple[Score, ...]:
    """Compare size, colour and place with what a caption asked for."""
    asked, size = (mean(which.radius, true.visible) for which in (true.seen, seen))
    return (
        regression(f"{name}: slope of size", asked, size),
        coloured(f"{name}: right colour", true, seen),
        placed(f"{name}: place error", true, seen, true.visible),
        lost(name, seen, true.visible),
    )


def text_to_video(exam: Exam) -> tuple[Score, ...]:
    """Ask by captions for speed, direction, size, colour and place."""
    true = exam.balls()
    seen, pressed = exam.ask_by_caption(true), exam.ask_by_caption(true, Sampling(1, text=GUIDANCE))
    asked, got, more = (
        velocity(true.truth.time, which.position, true.visible)[:, 0] for which in (true.seen, seen, pressed)
    )
    return (
        regression("text: slope of speed", np.abs(asked), np.abs(got)),
        share("text: right direction", got * asked > 0),
        *obeyed("text", true, seen),
        regression(f"text, guided by {GUIDANCE:g}: slope of speed", np.abs(asked), np.abs(more)),
        placed(f"text, guided by {GUIDANCE:g}: place error", true, pressed, true.visible),
    )


def image_to_video(exam: Exam) -> tuple[Score, ...]:
    """Animate one image, with a caption that tells the speed and without."""
    true = exam.balls()
    asked = prompts.extend(true.part(0, 1), 0, FRAMES - 1, STEP)
    seen, free = exam.ask(replace(asked, captions=told(true)), true), exam.ask(asked, true, MANY)
    within = np.abs(free.position[..., 0] - MIDDLE) + free.radius < MIDDLE
    speed = np.linalg.norm(velocity(true.truth.time, free.position, within), axis=-1)
    return (
        *errors("image and text", true, seen, number(true) >= 1),
        score("image alone: distance from uniform motion", "m", departure(true, free, within)),
        share("image alone: moves as fast as taught", (speed > 0.8) & (speed < 4.2)),
    )


def forward(exam: Exam) -> tuple[Score, ...]:
    """Continue balls, in 1, 4 and 20 steps and with the past pressed upon the dream, and a fall."""
    true = exam.balls()
    one, four, twenty, pressed = (
        exam.ask_what_follows(true, how) for how in (ONE, Sampling(4), MANY, Sampling(1, history=GUIDANCE))
    )
    fall = film(Parabola(), motion(Parabola(), ("interpolation",), exam.count, true.truth.time, 3), exam.side)
    invented = number(true) >= GIVEN
    return (
        *errors("forward", true, one, invented),
        errors("forward, 4 steps", true, four, invented)[0],
        errors("forward, 20 steps", true, twenty, invented)[0],
        errors(f"forward, history guided by {GUIDANCE:g}", true, pressed, invented)[0],
        *errors("forward, falling", fall, exam.ask_what_follows(fall), invented),
    )


def colliding(exam: Exam) -> tuple[Score, ...]:
    """Continue two balls that meet."""
    scene, time = Collision(), STEP * np.arange(FRAMES)
    true = film(scene, motion(scene, ("interpolation",), exam.count, time, 8), exam.side)
    frames = exam.pupil.answer(prompts.extend(true.part(0, GIVEN), 0, FRAMES - GIVEN), true.clip)
    found = scorecard(scene, true.truth, Reader.of(true.drawing).read(frames.numpy(), time)).scores
    return tuple(replace(s, name=f"forward, colliding: {s.name}") for s in found if s.name.startswith(("vel", "lost")))


def backward(exam: Exam) -> tuple[Score, ...]:
    """Invent the past of balls."""
    true = exam.balls_inside()
    asked = prompts.extend(true.part(FRAMES - GIVEN, FRAMES), FRAMES - GIVEN, 0)
    return errors("backward", true, exam.ask(asked, true), number(true) < FRAMES - GIVEN)


def join(exam: Exam) -> tuple[Score, ...]:
    """Invent what lies between a beginning and an end: velocity must not jump at the seams."""
    true, at = exam.balls_inside(), FRAMES - GIVEN
    seen = exam.ask(prompts.join(true.part(0, GIVEN), true.part(at, FRAMES), at - GIVEN), true)
    part = [velocity(true.truth.time, seen.position, number(true) // 4 == n) for n in range(FRAMES // 4)]
    jumps = [np.linalg.norm(after - before, axis=-1) for before, after in pairwise(part)]
    return (
        score("join: velocity jump at the first seam", "m/s", jumps[0]),
        score("join: velocity jump at the second seam", "m/s", jumps[-1]),
        lost("join", seen, (number(true) >= GIVEN) & (number(true) < at)),
    )


def loop(exam: Exam) -> tuple[Score, ...]:
    """Let a film of a spring bite its own tail: its seam, and both borders of what was joined, must be like the rest.

    The film is dreamt in 20 steps, for a name leaves everything open, and closed in as many, as smooth seams need.
    """
    time, quarter = STEP * np.arange(FRAMES), FRAMES // 4
    borders = [quarter - 1, FRAMES - quarter - 1]
    swings = motion(SWING, ("interpolation",), exam.count, time, 7)
    factors, turn = swings.factors.copy(), np.arange(exam.count)[:, None] + np.arange(FRAMES)
    factors[:, 0] = STEP * FRAMES / (2 * np.pi) * np.sqrt(SWING.stiffness / (np.pi * SWING.density))  # one swing a film
    fitting = SWING.simulate(factors, time)
    place = np.take_along_axis(fitting.position, turn[..., None, None] % FRAMES, 1)  # each from a phase of its own
    true, other = (film(SWING, which, exam.side) for which in (replace(fitting, position=place), swings))
    size, scores = true.clip.frames.shape[2:4], []
    blank = prompts.nothing(FRAMES, (size[0], size[1]), STEP, true.clip.world, exam.count)
    named = replace(blank, captions=(SWING.name(),) * exam.count)
    halfway = replace(true.clip, frames=true.clip.frames.roll(FRAMES // 2, 1))

    def joined(asked: Prompt) -> Imagined:
        return Imagined(exam.pupil.answer(asked, halfway, MANY), None, halfway.time, halfway.world, quarter)

    for name, asked in (("loop", named), ("loop of a film that is none", prompts.edit(other.clip, 0.8))):
        unclosed = replace(true.clip, frames=exam.pupil.answer(asked, true.clip, MANY))
        frames = prompts.loop(joined, unclosed).frames
        jumps = (frames.float() - frames.roll(-1, 1).float()).square().mean((2, 3, 4)).sqrt().double().numpy()
        inside = np.maximum(np.delete(jumps, [*borders, FRAMES - 1], 1).mean(1), 1e-9)
        scores += [score(f"{name}: jump at the seam / jumps inside", "", jumps[:, -1] / inside)]
        scores += [
            score(f"{name}: jumps at the borders of what is new / inside", "", jumps[:, borders].mean(1) / inside)
        ]
        scores += [lost(name, look(true, frames), number(true) >= 0)]
    return tuple(scores)


def inpaint(exam: Exam) -> tuple[Score, ...]:
    """Cut a hole into space and time, and look for the ball in it."""
    true, quarter = exam.balls_inside(), exam.side // 4
    hole = torch.zeros(true.clip.frames.shape[1:4], dtype=torch.bool)
    hole[GIVEN : FRAMES - GIVEN, :, quarter:-quarter] = True
    seen = exam.ask(prompts.inpaint(true.clip, hole), true)
    within = np.abs(true.seen.position[..., 0] - MIDDLE) + true.seen.radius < MIDDLE / 2
    counted = within & (number(true) >= GIVEN) & (number(true) < FRAMES - GIVEN)
    return placed("inpaint: place error", true, seen, counted), lost("inpaint", seen, counted)


def edit(exam: Exam) -> tuple[Score, ...]:
    """Dream films again with a caption that asks for the other colour: the stronger, the more obeyed."""
    true = exam.balls_inside()
    factors, half = true.truth.factors.copy(), true.truth.position.shape[2] // 2
    factors[:, 2] = 1 - factors[:, 2]
    swapped = replace(true.truth, factors=factors, position=np.roll(true.truth.position, half, 2))
    other, scores = film(BALLS, swapped, exam.side), []
    for strength in STRENGTHS:
        seen = exam.ask(replace(prompts.edit(true.clip, strength), captions=told(other)), other, Sampling(10))
        scores.append(coloured(f"edit {strength:g}: asked colour", other, seen))
        scores.append(placed(f"edit {strength:g}: ball moved", other, seen, other.visible))
    return tuple(scores)


def unseen_aspect(exam: Exam) -> tuple[Score, ...]:
    """Continue balls in a wide window and in one that is wider than any in training."""
    scores: list[Score] = []
    for name, shape in (("4:3", (0.75, 1.0)), ("3:2, wider than trained", (1.0, 1.5))):
        truth = exam.balls().truth
        place = truth.position.copy()
        place[..., 1] = np.minimum(place[..., 1], 2 * MIDDLE * shape[0] - truth.radius - 0.1)
        true = film(BALLS, replace(truth, position=place), exam.side, shape)
        scores += errors(f"aspect {name}", true, exam.ask_what_follows(true), number(true) >= GIVEN)
    return tuple(scores)


def unseen_duration(exam: Exam) -> tuple[Score, ...]:
    """Continue slow balls for twice the trained length, in one piece and by a sliding window; mark the second half."""
    time = STEP * np.arange(2 * FRAMES)
    factors = motion(BALLS, COLOURED, exam.count, time, 4).factors
    factors[:, 1], factors[:, 4] = 1 + 0.25 * (factors[:, 1] - 1) / 3, factors[:, 0] + 0.1
    true = film(BALLS, BALLS.simulate(factors, time), exam.side)
    late = number(true) >= FRAMES

    def continued(asked: Prompt) -> Imagined:
        begin = round(float(asked.film.time[0]) / STEP)
        whole = true.part(begin, begin + len(asked.film.time))
        return Imagined(exam.pupil.answer(asked, whole), None, whole.time, whole.world, GIVEN)

    slid = prompts.rollout(continued, true.part(0, GIVEN), 2 * FRAMES - GIVEN, FRAMES)
    return (
        *errors("twice as long, in one piece", true, exam.ask_what_follows(true), late),
        *errors("twice as long, sliding", true, look(true, slid.frames), late),
    )


def occlusion(exam: Exam) -> tuple[Score, ...]:
    """Let balls pass behind a screen: when do they come out, and how fast?"""
    scene, time = Occlusion(shown=STEP * (GIVEN - 1)), STEP * np.arange(FRAMES)
    pool = film(scene, motion(scene, ("interpolation",), 3 * exam.count, time, 5), exam.side)
    true = film(scene, pool.truth[np.flatnonzero(_past(pool).sum(1) >= 3)[: exam.count]], exam.side)
    way, past = np.sign(true.truth.velocity[:, 0, 0, 0]), _past(true)
    speeds, exits = [], []
    for which in (true.seen, exam.ask_what_follows(true)):
        along = (which.position[..., :1] - MIDDLE) * way[:, None, None]
        speed = velocity(time, along, past)[:, 0]
        speeds.append(np.where(speed > SLOW, speed, np.nan))
        found = past & np.isfinite(along[..., 0])
        edge = scene.screen / 2 + true.seen.radius[:, 0] - mean(along[..., 0], found)
        exits.append(mean(np.broadcast_to(time, past.shape), found) + edge / speeds[-1])
        unseen = lost("occlusion", which, past)
    late = np.abs(exits[1] - exits[0]) / (exits[0] - time[GIVEN - 1])
    slow = np.abs(speeds[1] / speeds[0] - 1)
    return (
        share("occlusion: exit time within 10 %", late <= CLOSE),
        share("occlusion: exit speed within 10 %", slow <= CLOSE),
        score("occlusion: error of exit time / time since given", "", late),
        score("occlusion: relative error of exit speed", "", slow),
        unseen,
    )


def _past(true: Film) -> Bool[np.ndarray, "b t"]:
    """Tell when a ball is in view beyond the middle, on the side that it goes to."""
    beyond = (true.seen.position[..., 0] - MIDDLE) * true.truth.velocity[..., 0, 0] > 0
    return np.asarray(true.visible & beyond)


def moving_camera(exam: Exam) -> tuple[Score, ...]:
    """Let a camera move on: landmarks on the ground must be where its path puts them."""
    scene, time, side = RollingSpheres(), 2 * STEP * np.arange(2 * GIVEN), 2 * exam.side
    true = film(scene, motion(scene, ("interpolation",), exam.count, time, 6), side)
    frames = exam.pupil.answer(prompts.extend(true.part(0, GIVEN), 0, GIVEN), true.clip)
    found, there = (read_landmarks(part.numpy(), true.drawing)[:, GIVEN:] for part in (frames, true.clip.frames))
    miss = np.linalg.norm(found - there, axis=-1).reshape(len(there), -1) * side / scene.world.width
    seen = np.isfinite(there[..., 0]).reshape(miss.shape)
    return (
        score("moving camera: reprojection error", "px", mean(miss, seen)),
        score("moving camera: lost share", "", mean(np.isnan(miss).astype(float), seen)),
    )


def images(exam: Exam) -> tuple[Score, ...]:
    """Ask for single images by captions."""
    true = exam.balls(frames=1)
    return obeyed("image", true, exam.ask_by_caption(true))


CHECKS: tuple[Callable[[Exam], tuple[Score, ...]], ...] = (
    text_to_video,
    image_to_video,
    forward,
    colliding,
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
