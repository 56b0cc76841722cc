"""What do more parameters, more clips and more compute buy, one at a time, inside the lessons and outside?

A pupil sees four frames of a ball in uniform motion and answers with the next four in one leap. One axis is varied, the
other two stay at the base, and errors E are fitted by least squares in logarithms over the points x of that axis,
    log E = a - b log x,     b > 0: the error falls as x^-b.
Intervals are percentiles of a bootstrap that draws, once for each refit, the seeds of every point and the fresh clips
of all points together (Efron & Tibshirani 1993, section 8.3: resample as the data came about).
Compute is counted, attention included. Kang et al. 2024 (arXiv 2411.02385, section 3.2): "scaling up" made the error
inside small and left the error outside where it was.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import ClassVar, final

import numpy as np
import torch
from jaxtyping import Float

from cavendish.data import Blend, Picture, Share, Split
from cavendish.errors import BadInputError
from cavendish.measure.score import CONFIDENCE, Score, score
from cavendish.models import DiffusionConfig, WorldModel
from cavendish.models.diffusion import Diffusion, Mixture, prompts
from cavendish.scenes import UniformMotion
from cavendish.studies.exam import film, look, motion, velocity
from cavendish.studies.experiment import Cell, Experiment, named
from cavendish.studies.study import Study, Weighing
from cavendish.training import TrainingConfig, seeded

SCENE, GIVEN, FRAMES, STRIDE = UniformMotion(), 4, 8, 2
REGIONS = {"inside": "interpolation", "unfamiliar sizes": "ood-radius", "unfamiliar speeds": "ood-velocity"}
AXES = ("size", "clips", "compute")
EXAM_CLIPS, REFITS = 256, 1000
LEGEND = "b of error ~ x^-b over the points of an axis (parameters, different clips, FLOPs); positive: the error falls."
CLAIM = (
    "Kang et al. (2024) found at far larger sizes that the error inside falls and the error outside does not. Fits\n"
    "over so short a range of small pupils hold for that range and are no extrapolation to theirs."
)


@final
@dataclass(frozen=True)
class Ladder:
    """The base, the steps up and down every axis from it, and how often each is repeated."""

    side: int  # px
    base: str  # size
    training: TrainingConfig
    sizes: tuple[str, ...]
    clips: tuple[int, ...]  # different ones; the base sees none twice
    steps: tuple[int, ...]
    seeds: int

    def cells(self) -> Iterator[Cell]:
        """Yield every point of every axis with every seed; the base belongs to all three."""
        config, seen = self.training, self.training.steps * self.training.batch
        for seed in range(self.seeds):
            for size in self.sizes:
                yield Cell(f"size {size}", self._study(size, seen, config, seed))
            for clips in (*self.clips, seen):
                yield Cell(f"clips {clips:,}", self._study(self.base, clips, config, seed))
            for steps in self.steps:
                longer = replace(config, steps=steps, save_every=steps)
                yield Cell(f"compute {steps:,}", self._study(self.base, steps * config.batch, longer, seed))

    def _study(self, size: str, clips: int, training: TrainingConfig, seed: int) -> Study:
        split = Split(SCENE, size=clips, picture=Picture(self.side, self.side), flip=0.5)
        mixture = Mixture(leap=0.9, prefix=0.08, context=GIVEN)
        model = DiffusionConfig(size, self.side // 4, 4, mixture=mixture)
        data = Blend((Share(split, 1, FRAMES, STRIDE),))
        return Study("scaling", data, model, training, Weighing(("interpolation",)), seed)


@final
class Scaling(Experiment):
    """One axis at a time: parameters, different clips at equal compute, and compute on clips never seen before.

    `leap error` is the squared error of the invented pixels (in [-1, 1]); it is defined for the worst pupils too, while
    a velocity needs a ball that can be found: `lost share` tells how often it could not.
    """

    name: ClassVar = "scaling"
    question: ClassVar = "does the error fall with size, clips and compute, inside and outside of the lessons?"

    def presets(self) -> dict[str, tuple[Cell, ...]]:
        """Give ladders from half an hour of one core to the study's own sizes."""
        quick, laptop, h100, paper = (
            TrainingConfig(steps, batch, rate, "adamw", ema=ema, save_every=steps)
            for steps, batch, rate, ema in (
                (1200, 16, 2e-3, 0.99),
                (4000, 16, 1.5e-3, 0.995),
                (10_000, 128, 5e-4, 0.999),
                (100_000, 256, 1e-4, 0.9999),
            )
        )
        small, large = ("atto", "femto", "pico", "nano"), ("S", "B", "L", "XL")
        ladders = {
            "quick": Ladder(32, "pico", quick, small, (64, 512, 4096), (300, 600, 1200, 2400), 2),
            "laptop": Ladder(32, "pico", laptop, (*small, "micro"), (64, 512, 4096), (500, 1000, 2000, 4000, 8000), 3),
            "h100": Ladder(64, "tiny", h100, (*small, "tiny", "S"), (1000, 10_000, 100_000), (1000, 10_000, 50_000), 3),
            "paper": Ladder(128, "B", paper, large, (30_000, 300_000, 3_000_000), (10_000, 100_000, 300_000), 3),
        }
        return {name: tuple(ladder.cells()) for name, ladder in ladders.items()}

    def ask(self, study: Study, model: WorldModel) -> tuple[Score, ...]:
        """Let the model go on with fresh balls of every region."""
        if not isinstance(model, Diffusion):
            raise BadInputError(f"{self.name} asks diffusion models, got {type(model).__name__}")
        return tuple(s for where, region in REGIONS.items() for s in _asked(study, model, where, region))

    def findings(self, preset: str, answers: Mapping[str, Sequence[tuple[Score, ...]]]) -> str:
        """Fit every error against every axis."""
        places = {cell.row: amount(cell.row.split()[0], cell.study) for cell in self.cells(preset)}
        along = {axis: [row for row in answers if row.startswith(axis)] for axis in AXES}
        heads = (f"{axis}, {_span([places[row] for row in along[axis]])}" for axis in AXES)
        lines = [("error", *heads), ("---",) * (len(AXES) + 1)]
        verdicts: dict[bool, list[str]] = {True: [], False: []}
        for name in (s.name for s in next(iter(answers.values()))[0] if not s.name.startswith("lost")):
            values = {row: np.array([named(seed, name).values for seed in found]) for row, found in answers.items()}
            fits = [exponent(np.array([places[r] for r in rows]), [values[r] for r in rows]) for rows in along.values()]
            lines.append((name, *(f"{b:.2f} ({low:.2f} to {high:.2f})" for b, low, high in fits)))
            for axis, (_, low, _) in zip(AXES, fits, strict=True):
                verdicts[low > 0].append(f"{name} with {axis}")
        grid = "".join(f"| {' | '.join(line)} |\n" for line in lines)
        falls, stays = verdicts[True], verdicts[False]
        found = f"Falls: {'; '.join(falls) or 'nothing'}.\n\nDoes not, or not surely: {'; '.join(stays) or 'nothing'}."
        return f"## Exponents\n\n{LEGEND}\n\n{grid}\n{found}\n\n{CLAIM}\n"


def amount(axis: str, study: Study) -> float:
    """Return where a study stands on an axis: parameters, different clips, or training FLOPs."""
    config, model = study.training, study.model.build(seeded(0))
    assert isinstance(model, Diffusion)
    if axis == "size":
        return float(sum(p.numel() for p in model.parameters()))
    if axis == "clips":
        return float(min(study.data.size, config.steps * config.batch))
    return config.steps * sum(map(model.training_flops, study.data.batches(0, config.batch)))


def exponent(x: Float[np.ndarray, " k"], errors: Sequence[Float[np.ndarray, "seed b"]]) -> tuple[float, float, float]:
    """Return b of E ~ x^-b and its interval; errors are per point, seed and clip, NaN where there is none."""
    rng = np.random.default_rng(0)
    drawn = []
    for _ in range(REFITS):
        clips = rng.integers(errors[0].shape[1], size=errors[0].shape[1])
        drawn.append(_slope(x, [e[rng.integers(len(e), size=len(e))][:, clips] for e in errors]))
    low, high = np.nanquantile(drawn, [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2])
    return _slope(x, errors), float(low), float(high)


def _slope(x: Float[np.ndarray, " k"], errors: Sequence[Float[np.ndarray, "seed b"]]) -> float:
    y = np.array([np.log(e[np.isfinite(e)].mean()) if np.isfinite(e).any() else np.nan for e in errors])
    found = np.isfinite(y)
    return -float(np.polyfit(np.log(x[found]), y[found], 1)[0]) if found.sum() > 1 else float("nan")


def _span(found: list[float]) -> str:
    return f"{min(found):.2g} to {max(found):.2g}"


def _asked(study: Study, model: Diffusion, where: str, region: str) -> tuple[Score, ...]:
    time = SCENE.step * STRIDE * np.arange(FRAMES)
    true = film(SCENE, motion(SCENE, (region,), EXAM_CLIPS, time, 1), study.data.lead.picture.width)
    with torch.no_grad():
        leap = model.surprise(true.clip, seeded(1))[:, GIVEN:].mean(1).double().numpy()
    frames = model.dream(prompts.extend(true.part(0, GIVEN), 0, FRAMES - GIVEN), seeded(1)).film
    seen, counted = look(true, frames), true.visible & (np.arange(FRAMES) >= GIVEN)
    miss = velocity(time, seen.position, counted) - velocity(time, true.seen.position, counted)
    asked = counted.sum(1) >= 3
    return (
        score(f"leap error, {where}", "", leap),
        score(f"velocity error, {where}", "m/s", np.where(asked, np.linalg.norm(miss, axis=-1), np.nan)),
        score(f"lost share, {where}", "", np.where(asked, np.isnan(miss[:, 0]), np.nan).astype(float)),
    )
