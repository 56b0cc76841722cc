"""A law is read from features alone, through a probe that knows only true films; a blind probe judges nothing."""

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
from cavendish.scenes import Parabola
from cavendish.training import seeded
from cavendish.video import Clip

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
