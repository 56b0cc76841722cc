"""A law is read from features alone, through a probe that knows only true films; a blind probe judges nothing."""

from dataclasses import replace
from functools import lru_cache

import numpy as np
import pytest
import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from cavendish.data import Picture, Split
from cavendish.errors import BadInputError
from cavendish.measure.discovery import NOT_COMPARED, SAME
from cavendish.measure.featured import Encoder, FeatureReader, discover_in_features, learn_to_read
from cavendish.measure.results import MODEL
from cavendish.models import DiffusionConfig
from cavendish.scenes import Parabola
from cavendish.studies import Study
from cavendish.studies.controls import NearestCase, reader_of
from cavendish.studies.marks import PROBED, law_of
from cavendish.studies.sighted import Sighted
from cavendish.studies.study import Weighing
from cavendish.studies.weigh import weigh
from cavendish.training import TrainingConfig, seeded
from cavendish.video import Clip, Imagined

TAUGHT = Split(Parabola(), picture=Picture(32, 32))


class RandomEyes:
    """A fixed random convolution, rectified and pooled into 8 x 8 cells."""

    def __init__(self, channels: int = 8) -> None:
        draw = seeded(0)
        self.weight = torch.randn(channels, 3, 5, 5, generator=draw) / 9
        self.bias = torch.randn(channels, generator=draw) / 2

    def encode(self, clip: Clip) -> Float[Tensor, "b t k"]:
        """See every frame by itself."""
        frames = clip.frames.float().movedim(-1, -3) / 127.5 - 1
        seen = functional.conv2d(frames.flatten(0, 1), self.weight, self.bias, padding=2).relu()
        return functional.adaptive_avg_pool2d(seen, 8).reshape(*frames.shape[:2], -1)


class Mean:
    """Sees nothing but the mean of a frame."""

    def encode(self, clip: Clip) -> Float[Tensor, "b t k"]:
        """Average over all pixels."""
        return clip.frames.float().mean((2, 3))


@lru_cache
def reader() -> FeatureReader:
    """Teach the probe once."""
    return learn_to_read(TAUGHT, RandomEyes(), 300)


def dreamt(clip: Clip, eyes: Encoder) -> tuple[np.ndarray, np.ndarray]:
    """Pretend that a model imagined these films' features."""
    return eyes.encode(clip).double().numpy(), clip.time.double().numpy()


def test_gravity_is_read_off_features_with_the_probes_own_error() -> None:
    assert isinstance(RandomEyes(), Encoder)
    assert reader().explained > 0.99
    assert reader().error < 0.15
    clip = Split(Parabola(), "interpolation", picture=Picture(32, 32)).clips(np.arange(24))
    found = discover_in_features(TAUGHT, reader(), *dreamt(clip, RandomEyes()))
    assert found.verdict == SAME
    assert found.noise == reader().error
    (g,) = found.parameters
    assert g.low < 2.5 < g.high
    assert g.value == pytest.approx(2.5, rel=0.03)


def test_wrong_gravity_is_read_off_features_too() -> None:
    clip = Split(Parabola(gravity=1.25), "interpolation", picture=Picture(32, 32)).clips(np.arange(24))
    found = discover_in_features(TAUGHT, reader(), *dreamt(clip, RandomEyes()))
    assert found.parameters[0].value == pytest.approx(1.25, rel=0.1)
    assert not found.parameters[0].covered


def test_where_a_body_is_not_shown_it_is_lost() -> None:
    clip = TAUGHT.clips(np.arange(400, 420))
    seen = reader().read(*dreamt(clip, RandomEyes()))
    below = clip.trajectory.position[..., 0, 1] < -clip.trajectory.radius[..., 0]
    assert below.any()
    assert seen.lost[below].all()


def test_a_probe_that_explains_little_judges_nothing() -> None:
    blind = learn_to_read(TAUGHT, Mean(), 40)
    assert blind.explained < 0.5
    clip = TAUGHT.clips(np.arange(20))
    found = discover_in_features(TAUGHT, blind, *dreamt(clip, Mean()))
    assert found.verdict == NOT_COMPARED
    assert "R^2" in found.printed_law
    with pytest.raises(BadInputError, match="clips = 3"):
        learn_to_read(TAUGHT, Mean(), 3)


class Seer(RandomEyes):
    """Dreams what will happen, in features alone."""

    def __init__(self, future: Clip) -> None:
        super().__init__()
        self.future = future

    def imagine(self, context: Clip, horizon: int, generator: torch.Generator) -> Imagined:
        """See the future."""
        return Imagined(None, self.encode(self.future), self.future.time, context.world, context.frames.shape[1])

    def surprise(self, clip: Clip, generator: torch.Generator) -> Float[Tensor, "b t"]:
        """Take everything as it comes."""
        return torch.zeros(clip.frames.shape[:2])


def test_the_law_of_a_weighed_model_without_pixels_is_read_through_its_probe() -> None:
    study = Study("seer", TAUGHT, DiffusionConfig(), TrainingConfig(), Weighing(("interpolation",), 12, 50))
    seer = Seer(replace(TAUGHT, region="interpolation", size=12, seed=study.weighing.seed).clips(np.arange(12)))
    cases = NearestCase(TAUGHT, 50, reader_of(TAUGHT))
    weighed = weigh(study, "interpolation", Sighted(Parabola(), seer, reader()), cases)
    told = weighed.result.of(MODEL)
    assert told[PROBED].value == reader().explained
    assert told.law.verdict == SAME
    assert told.law.noise == reader().error
    bent = law_of(Parabola(), weighed.readings[MODEL], replace(reader(), explained=0.9))
    assert bent.verdict == NOT_COMPARED
    assert "R^2 = 0.900" in bent.printed_law
