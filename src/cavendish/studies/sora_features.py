"""One video transformer, every way of prompting: one checkpoint answers all questions of the Sora report.

What is blended (weights in shares of clips) is what the questions need: balls of two colours in uniform motion, with
and without captions, in three shapes of frame, at two rates and lengths; a parabola; a ball behind a screen; spheres
before a moving camera; single images.
"""

from typing import ClassVar, final

from cavendish.data import Blend, Picture, Share, Split
from cavendish.data.captions import spoken
from cavendish.measure.score import Score
from cavendish.models import DiffusionConfig, WorldModel
from cavendish.models.diffusion import Lexicon, Mixture
from cavendish.scenes import AttributeConflict, Occlusion, Parabola, RollingSpheres
from cavendish.studies.experiment import Cell, Experiment
from cavendish.studies.study import Study, Weighing
from cavendish.training import TrainingConfig

COLOURED = ("colour-size", "colour-size-swapped")  # together: every size in either colour
MIXTURE = Mixture(leap=0.35, prefix=0.0, subset=0.45, whole=0.2, context=4, masked=0.1, silent=0.0, bare=0.5)


def blend(side: int) -> Blend:
    """Mix the lessons; `side` is that of a square frame in pixels, and spheres are filmed twice as large."""
    picture, near = Picture(side, side), Picture(2 * side, 2 * side)
    balls = [Split(AttributeConflict(), region, 3_000_000, picture=picture, flip=0.5) for region in COLOURED]
    shares = [share for ball in balls for share in (
        Share(ball, 5, 16, 2),
        Share(ball, 4, 16, 2, told="terse"),
        Share(ball, 1, 16),
        Share(ball, 1, 8, 2),
        Share(ball, 1, 16, 2, (side, side // 2)),
        Share(ball, 1, 16, 2, (side // 2, side)),
        Share(ball, 1, 1, told="terse"),
    )]  # fmt: skip
    falling, hidden, turning = (
        Split(scene, size=3_000_000, picture=how, flip=flip)
        for scene, how, flip in (
            (Parabola(), picture, 0.5),
            (Occlusion(), picture, 0.5),
            (RollingSpheres(), near, 0.0),
        )
    )
    others = (Share(falling, 2, 16, 2), Share(hidden, 4, 16, 2), Share(turning, 2, 8, 4))
    return Blend((*shares, *others))


def study(size: str, training: TrainingConfig, side: int = 32) -> Study:
    """Build the study of one size."""
    scenes = (AttributeConflict, Parabola, Occlusion, RollingSpheres)
    model = DiffusionConfig(size, side // 4, 4, mixture=MIXTURE, text=Lexicon(spoken(scenes)))
    return Study("sora-features", blend(side), model, training, Weighing(("interpolation",)))
