"""One video transformer, every way of prompting: one checkpoint answers all questions of the Sora report.

What is blended (weights in shares of clips) is what the questions need: balls of two colours in uniform motion, with
and without captions, in three shapes of frame, at two rates and lengths; a parabola; two balls that meet; a ball behind
a screen; a spring; spheres before a moving camera; single images.
"""

from dataclasses import replace
from typing import ClassVar, final

from cavendish.data import Blend, Picture, Share, Split
from cavendish.data.captions import spoken
from cavendish.measure.score import Score
from cavendish.models import DiffusionConfig, WorldModel
from cavendish.models.diffusion import Diffusion, Lexicon, Mixture
from cavendish.scenes import AttributeConflict, Collision, Occlusion, Parabola, RollingSpheres, Spring
from cavendish.studies.exam import Dreams, Pupil, Replay, Standstill
from cavendish.studies.experiment import Cell, Experiment, Row
from cavendish.studies.sora_checks import CHECKS, COLOURED, SWING, Exam
from cavendish.studies.study import Study, Weighing
from cavendish.training import TrainingConfig

EXAM_CLIPS = 128  # per question
TUBELET = 2  # frames; a small model draws four frames of a patch in fewer numbers than sharp edges need (docs/log.md)
MIXTURE = Mixture(
    leap=0.52,
    prefix=0.0,
    context=4,
    cap=2.0,
    subset=0.3,
    whole=0.18,
    masked=0.08,
    silent=0.0,
    bare=0.3,
    ends=0.4,
    holes=0.5,
)


def blend(side: int) -> Blend:
    """Mix the lessons; `side` is that of a square frame in pixels, and spheres are filmed twice as large."""
    picture, near = Picture(side, side), Picture(2 * side, 2 * side)
    balls = [Split(AttributeConflict(), region, 3_000_000, picture=picture, flip=0.5) for region in COLOURED]
    shares = [share for ball in balls for share in (
        Share(ball, 4, 16, 2),
        Share(ball, 5, 16, 2, told="terse"),
        Share(ball, 1, 16, 1, (side, side // 2)),
        Share(ball, 1, 8, 2, (side // 2, side)),
        Share(ball, 1, 1, told="terse"),
    )]  # fmt: skip
    falling, meeting, hiding, hidden, swinging, turning = (
        Split(scene, size=3_000_000, picture=near if scene.handed else picture, flip=0.0 if scene.handed else 0.5)
        for scene in (Parabola(), Collision(), Occlusion(), Occlusion(shown=0.6), SWING, RollingSpheres())
    )
    others = (
        Share(falling, 5, 16, 2),
        Share(meeting, 4, 16, 2),
        Share(hiding, 4, 16, 2),
        Share(hidden, 16, 16, 2),  # seen in four frames before, five times as many of these come out in time
        Share(swinging, 5, 16, 2),
        Share(swinging, 4, 16, 2, told="name"),
        Share(turning, 6, 8, 4),
        Share(turning, 4, 8, 4, (side, side)),
    )
    return Blend((*shares, *others))


def study(size: str, training: TrainingConfig, side: int = 32) -> Study:
    """Build the study of one size."""
    scenes = (AttributeConflict, Spring)
    model = DiffusionConfig(size, side // 4, TUBELET, mixture=MIXTURE, text=Lexicon(spoken(scenes), 64))
    return Study("sora-features", blend(side), model, training, Weighing(("interpolation",)))


@final
class SoraFeatures(Experiment):
    """Questions, targets and pupils: one trained model, the same model untrained, the truth, and a still picture.

    Asked for by caption, speed and size should follow with slope 1 +- 0.1; seams should be no worse than what is
    inside; a ball should leave its screen within 10 % of the right time and speed. `truth` replays the true film
    through the same marking, so it must score perfectly; `standstill` repeats the nearest given frame.
    """

    name: ClassVar = "sora-features"
    question: ClassVar = "does one checkpoint answer every way of prompting?"

    def presets(self) -> dict[str, tuple[Cell, ...]]:
        """Give the sizes from two cores to a large accelerator."""
        return {
            "quick": _cells("pico-hourglass", TrainingConfig(23_000, 16, 1.5e-3, ema=0.998, save_every=250)),
            "laptop": _cells("nano", TrainingConfig(12_000, 32, 1.5e-3, ema=0.998, save_every=500)),
            "h100": _cells("S", TrainingConfig(30_000, 256, 1e-3, ema=0.9995, save_every=1000), 64),
            "paper": _cells("B", TrainingConfig(200_000, 512, 5e-4, ema=0.9999, save_every=2000), 128),
        }

    def ask(self, study: Study, model: WorldModel) -> tuple[Score, ...]:
        """Let the model sit the exam."""
        assert isinstance(model, Diffusion)
        return _sat(Dreams(model), study)

    def controls(self, preset: str) -> tuple[Row, ...]:
        """Let the truth sit it, and who knows no motion."""
        study = self.cells(preset)[0].study
        return Row("truth", _sat(Replay(), study)), Row("standstill", _sat(Standstill(), study))


def _cells(size: str, training: TrainingConfig, side: int = 32) -> tuple[Cell, ...]:
    taught = study(size, training, side)
    return Cell("model", taught), Cell("untrained", replace(taught, training=replace(training, steps=1)))


def _sat(pupil: Pupil, study: Study) -> tuple[Score, ...]:
    exam = Exam(pupil, EXAM_CLIPS, study.data.lead.picture.width)
    return tuple(score for check in CHECKS for score in check(exam))
