"""One exam for whoever continues a film: inside, in the gap, outside and beyond the taught length, in metres.

    inside       fresh draws from the taught ranges             gap    speeds inside a gap of what was taught
    outside      speeds (or swings) beyond the taught ones      far    as inside, in frames after the taught length
    case index   0 follows the truth, 1 the nearest taught clip; asked outside, where they differ
    law          what `measure.discovery` prints of the clips inside, its structure (1: the true one) and constants;
    rise         2 a of the parabola y = a t^2 + b t + c that fits a dreamt path best: needs no law to be found
    surprise     AUROC of films against impossible twins, for who is surprised: a model, and the two detectors that
                 expect what Freeze and Coast do (frame difference, linear prediction)
Everybody answers in pictures, is read by the same reader and is scored in the frames where the true body is in view.
"""

import itertools
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import final

import numpy as np
import torch
from jaxtyping import Bool, Float

from cavendish.data import Split
from cavendish.measure.copying import case_index
from cavendish.measure.discovery import CONSTANTS, SAME, reference, true_parts
from cavendish.measure.motion import lost_share, position_error, scored_frames, velocity_error_per_frame_x
from cavendish.measure.score import Score, figure, score
from cavendish.measure.surprise import FrameDifference, LinearPrediction, Surprised, kinds_of, preference, twins
from cavendish.motion import Trajectory
from cavendish.render import render
from cavendish.studies.controls import Dreamer, NearestCase, reader_of
from cavendish.studies.marks import law_of
from cavendish.training import seeded
from cavendish.video import Clip

OUTSIDE = ("ood-velocity", "ood-swing")
PAIRS, CASES = 32, 5000
Pupil = Callable[[Trajectory], Dreamer]  # the truth is for the oracle's eyes


@final
@dataclass(frozen=True)
class Asked:
    """Films with their truth, and what a pupil made of their beginnings."""

    truth: Trajectory
    context: Clip
    reading: Trajectory


@final
@dataclass(frozen=True)
class Sitting:
    """An exam about what a split taught."""

    taught: Split
    clips: int
    seed: int = 1

    def sat(self, pupil: Pupil) -> tuple[tuple[Score, ...], tuple[str, ...]]:
        """Ask everything; return the scores and the law in words."""
        scene = self.taught.scene
        fresh = Split(scene, "interpolation", self.clips, self.seed, self.taught.picture, self.taught.flip)
        outside = next(region for region in OUTSIDE if region in scene.regions())
        inside, beyond = self._asked(fresh, pupil), self._asked(replace(fresh, region=outside), pupil)
        hole = self._in_gap(inside.truth)
        found: list[Score] = []
        for where, asked in (("inside", inside), ("outside", beyond)):
            for measure in (position_error, velocity_error_per_frame_x, lost_share):
                one = measure(scene, asked.truth, asked.reading)
                kept = np.where(hole & (where == "inside"), np.nan, np.array(one.values))
                found.append(score(f"{where}: {one.name}", one.unit, kept))
        one = position_error(scene, inside.truth, inside.reading)
        found.insert(3, score(f"gap: {one.name}", one.unit, np.where(hole, np.array(one.values), np.nan)))
        found.append(self._far(pupil))
        found.append(self._copied(beyond).named("outside: case index"))
        laws, said = self._law(inside)
        return (*found, *laws), said

    def surprise(self, judge: Surprised | None) -> tuple[Score, ...]:
        """Ask which of two films is impossible; who is never surprised, or sees a background, has no answer."""
        scene, made = self.taught.scene, []
        split = Split(scene, "interpolation", PAIRS, self.seed, self.taught.picture)
        for kind, spoil in kinds_of(scene).items():
            answer = score("AUROC", "", np.full(PAIRS, np.nan))
            if judge is not None and self.taught.picture.backdrop is None:
                pairs = twins(split, spoil, PAIRS)
                answer = preference(judge, pairs, seeded(self.seed)).auroc if len(pairs.parting) > 1 else answer
            made.append(answer.named(f"surprise: {kind}, AUROC"))
        return tuple(made)

    def _asked(self, fresh: Split, pupil: Pupil) -> Asked:
        clip = fresh.clips(np.arange(fresh.size))
        return self._answered(clip, clip.truth, pupil)

    def _answered(self, clip: Clip, truth: Trajectory, pupil: Pupil) -> Asked:
        context, horizon = clip.first(self.taught.scene.context), len(truth.time) - self.taught.scene.context
        frames = pupil(truth).imagine(context, horizon, seeded(self.seed)).film.numpy()
        return Asked(truth, context, reader_of(self.taught).read(frames, truth.time[: frames.shape[1]]))

    def _far(self, pupil: Pupil) -> Score:
        """Ask for twice the taught length, where enough bodies stay in view."""
        scene, taught = self.taught.scene, len(self.taught.scene.clock())
        time = np.arange(2 * taught) * scene.step
        rng = np.random.default_rng(self.seed)
        factors = np.array([scene.sample("interpolation", rng) for _ in range(4 * self.clips)])
        truth = scene.simulate(factors, time)
        stay = np.flatnonzero(scored_frames(scene, truth)[:, taught:].any((1, 2)))[: self.clips]
        if len(stay) < 8:
            return score("far: position error", "m", np.full(self.clips, np.nan))
        truth, picture = truth[stay], self.taught.picture
        drawing = scene.draw(truth)
        frames = render(drawing, picture.height, picture.width)
        if picture.backdrop is not None:
            frames = picture.backdrop.behind(drawing, frames, time, [(self.seed, n) for n in range(len(frames))])
        clip = Clip(torch.from_numpy(frames), torch.from_numpy(time).float(), scene.world)
        reading = self._answered(clip, truth, pupil).reading
        if reading.position.shape != truth.position.shape:  # a taught clip has no more frames than were taught
            return score("far: position error", "m", np.full(self.clips, np.nan))
        late = (np.arange(2 * taught) >= taught)[:, None, None]
        dreamt = replace(reading, position=np.where(late, reading.position, np.nan))
        return position_error(scene, truth, dreamt).named("far: position error")

    def _copied(self, beyond: Asked) -> Score:
        scene = self.taught.scene
        cases = NearestCase(self.taught, CASES, reader_of(self.taught))
        return case_index(scene, beyond.truth, cases.recall(beyond.context), beyond.reading)

    def _law(self, inside: Asked) -> tuple[list[Score], tuple[str, ...]]:
        """Read the law; every constant of the true one has a line, found or not."""
        scene = self.taught.scene
        law, known = law_of(scene, inside.reading), reference(scene)
        read = {c.name: c for c in law.parameters} if law else {}
        same = float(law.verdict in (SAME, CONSTANTS)) if law else np.nan
        made = [figure("law: same structure", "", same)]
        named = {name.removeprefix("-") for name, _ in true_parts(*known).values()} if known else set()
        for name in sorted(named - {"", "1"}):
            c = read.get(name)
            value, low, high = (c.value, c.low, c.high) if c else (np.nan,) * 3
            made.append(Score(f"law: {name}", "", value, low, high, int(c is not None), 1, (value,)))
        made.append(score("law: rise", "m/s^2", self._rise(inside)))
        return made, (f"{law.printed_law} [{law.verdict}]",) if law else ()

    def _rise(self, inside: Asked) -> Float[np.ndarray, " b"]:
        """Return the curvature of every clip's first body, where half of the frames in view were found."""
        seen = scored_frames(self.taught.scene, inside.truth)[..., 0]
        height, time = inside.reading.position[..., 0, 1], inside.truth.time
        values = np.full(len(height), np.nan)
        for clip, (asked, y) in enumerate(zip(seen, height, strict=True)):
            found = asked & np.isfinite(y)
            if found.sum() >= max(5, 0.5 * asked.sum()):
                values[clip] = 2 * np.polyfit(time[found], y[found], 2)[0]
        return values

    def _in_gap(self, truth: Trajectory) -> Bool[np.ndarray, " b"]:
        """Tell which clips have a factor that no taught clip could have, though it lies between those that could."""
        inside = np.zeros(len(truth.factors), bool)
        for column, factor in enumerate(self.taught.scene.factors):
            spans = sorted(factor.intervals(self.taught.region)) if factor.ranges else []
            for (_, low), (high, _) in itertools.pairwise(spans):
                inside |= (truth.factors[:, column] > low) & (truth.factors[:, column] < high)
        return inside


EXPECTING: dict[str, Surprised] = {"freeze": FrameDifference(), "coast": LinearPrediction()}
