"""A linear probe finds what features hold, and nothing else."""

import numpy as np
import pytest

from cavendish.data import Picture, Split
from cavendish.errors import BadInputError
from cavendish.models import DiffusionConfig
from cavendish.readout import choose_probe, probe_layers
from cavendish.scenes import UniformMotion
from cavendish.training import seeded


def test_what_was_planted_is_found_on_fresh_samples() -> None:
    rng = np.random.default_rng(0)
    hidden, mixing = rng.normal(size=(40, 10, 2)), rng.normal(size=(2, 30))
    features = hidden @ mixing + 0.05 * rng.normal(size=(40, 10, 30))
    probe = choose_probe(features[:20], hidden[:20] * 3 + 1)
    error = probe.read(features[20:]) - (hidden[20:] * 3 + 1)
    assert np.sqrt((error**2).mean()) < 0.1


def test_nothing_is_found_where_nothing_is() -> None:
    rng = np.random.default_rng(1)
    features, target = rng.normal(size=(24, 5, 100)), rng.normal(size=(24, 5, 1))
    probe = choose_probe(features[:12], target[:12])
    fresh = target[12:]
    assert ((probe.read(features[12:]) - fresh) ** 2).mean() < 1.3 * fresh.var()


def test_dead_features_do_no_harm() -> None:
    rng = np.random.default_rng(2)
    features = np.concatenate([rng.normal(size=(10, 5, 3)), np.full((10, 5, 2), 7.0)], 2)
    probe = choose_probe(features, features[..., :1])
    assert np.abs(probe.read(features + np.array([0, 0, 0, 5.0, -5.0])) - features[..., :1]).max() < 1e-2


def test_every_layer_is_asked_for_position_velocity_and_mass() -> None:
    model = DiffusionConfig(size="pico", patch=8, tubelet=4).build(seeded(0))
    clip = Split(UniformMotion(), picture=Picture(16, 16), flip=0.5).clips(np.arange(40))
    layers = model.layers(clip)
    assert layers.shape[:3] == (4, 40, 32)
    assert (model.encode(clip) == layers[2, ..., :96]).all()
    assert clip.trajectory is not None
    found = probe_layers(layers.numpy(), clip.trajectory, np.arange(40) < 26)
    assert {probed.quantity for probed in found} == {"position", "velocity", "mass / density"}
    assert len(found) == 12
    known = {(probed.layer, probed.quantity): probed.explained for probed in found}
    assert known[0, "position"] > 0.5  # even an untaught model shows where the ball is and how large
    assert known[0, "mass / density"] > 0.5
    assert known[0, "velocity"] < known[0, "position"]


def test_probes_without_fresh_clips_are_refused() -> None:
    clip = Split(UniformMotion(), picture=Picture(16, 16)).clips(np.arange(2))
    assert clip.trajectory is not None
    features = np.zeros((1, 2, 32, 4))
    with pytest.raises(BadInputError, match="others to judge"):
        probe_layers(features, clip.trajectory, np.array([True, True]))
    with pytest.raises(BadInputError, match="finite"):
        choose_probe(features[0] * np.nan, clip.trajectory.position[:, :, 0])
