"""What a model's features know: position, velocity and mass read out of every layer by a linear probe.

    y = W f' + y0,  f' = (f - mean) / spread,  W = argmin |y - y0 - W f'|^2 + penalty n |W|^2   (Hoerl & Kennard 1970)
over n samples. The penalty is the one with which the even clips foretell the odd ones (frames of one clip are too
alike to be held out singly); then the probe is fitted on all of them, and judged on yet other clips: 1 - (squared
error) / (variance), and the rms error in SI units. A linear probe has no power to compute: what it finds, the layer
holds.
"""

from dataclasses import dataclass
from typing import final

import numpy as np
from jaxtyping import Bool, Float

from cavendish.errors import BadInputError
from cavendish.motion import Trajectory

PENALTIES = np.logspace(-6, 3, 10)
WAVES, LENGTHS = 384, (0.7, 2.0)  # lengths in units of the spread of all features together


@final
@dataclass(frozen=True)
class Probe:
    """A linear map from features to quantities."""

    weight: Float[np.ndarray, "k q"]
    offset: Float[np.ndarray, " q"]

    def read(self, features: Float[np.ndarray, "*b k"]) -> Float[np.ndarray, "*b q"]:
        """Read the quantities."""
        return np.asarray(features @ self.weight + self.offset)


def fit_probe(features: Float[np.ndarray, "*b k"], target: Float[np.ndarray, "*b q"], penalty: float) -> Probe:
    """Fit a probe by ridge regression."""
    x, y = features.reshape(-1, features.shape[-1]).astype(np.float64), target.reshape(-1, target.shape[-1])
    if len(x) < 2 or not (np.isfinite(x).all() and np.isfinite(y).all()):
        raise BadInputError(f"a probe of {len(x)} samples: expected 2 or more, all of them finite")
    mean, spread = x.mean(0), x.std(0)
    spread = np.where(spread > 1e-9 * max(float(spread.max()), 1e-30), spread, np.inf)  # a dead feature says nothing
    z = (x - mean) / spread
    gram = z.T @ z / len(z) + penalty * np.eye(z.shape[1])
    weight = np.linalg.solve(gram, z.T @ (y - y.mean(0)) / len(z)) / spread[:, None]
    return Probe(weight, y.mean(0) - mean @ weight)


def choose_probe(
    features: Float[np.ndarray, "b t k"],
    target: Float[np.ndarray, "b t q"],
    counted: Bool[np.ndarray, "b t"] | None = None,
) -> Probe:
    """Fit a probe with the penalty that carries over best from one half of the clips to the other.

    Frames that are not counted are left out.
    """
    return _chosen(features, target, np.ones(features.shape[:2], bool) if counted is None else counted)[1]


def _chosen(
    features: Float[np.ndarray, "b t k"], target: Float[np.ndarray, "b t q"], counted: Bool[np.ndarray, "b t"]
) -> tuple[float, Probe]:
    """Return the error across the halves and the probe on all."""
    (x, y), (fresh_x, fresh_y) = ((features[n::2][counted[n::2]], target[n::2][counted[n::2]]) for n in (0, 1))
    errors = [((fit_probe(x, y, penalty).read(fresh_x) - fresh_y) ** 2).mean() for penalty in PENALTIES]
    best = int(np.argmin(errors))
    return float(errors[best]), fit_probe(features[counted], target[counted], float(PENALTIES[best]))


@final
@dataclass(frozen=True)
class CurvedProbe:
    """A linear map from features and random waves of them (Rahimi & Recht 2007) to quantities: it can compute a little.

    f' -> (f', cos(f' F + phase)), with normal F / length: ridge regression with a Gaussian kernel of that length.
    """

    mean: Float[np.ndarray, " k"]
    scale: Float[np.ndarray, " k"]
    frequency: Float[np.ndarray, "k m"]
    phase: Float[np.ndarray, " m"]
    probe: Probe

    def read(self, features: Float[np.ndarray, "*b k"]) -> Float[np.ndarray, "*b q"]:
        """Read the quantities."""
        return self.probe.read(_waved((features - self.mean) * self.scale, self.frequency, self.phase))


def choose_curved_probe(
    features: Float[np.ndarray, "b t k"], target: Float[np.ndarray, "b t q"], counted: Bool[np.ndarray, "b t"]
) -> CurvedProbe:
    """Fit a curved probe with the length and the penalty that carry over best."""
    mean, spread = features[counted].mean(0), features[counted].std(0)
    scale = np.where(spread > 1e-9 * max(float(spread.max()), 1e-30), 1 / np.maximum(spread, 1e-30), 0.0)
    rng, width = np.random.default_rng(0), features.shape[-1]
    normal, phase = rng.normal(size=(width, WAVES)), rng.uniform(0, 2 * np.pi, WAVES)
    found = []
    for length in LENGTHS:
        frequency = normal / (length * width**0.5)
        error, probe = _chosen(_waved((features - mean) * scale, frequency, phase), target, counted)
        found.append((error, CurvedProbe(mean, scale, frequency, phase, probe)))
    return min(found, key=lambda pair: pair[0])[1]


def _waved(
    features: Float[np.ndarray, "*b k"], frequency: Float[np.ndarray, "k m"], phase: Float[np.ndarray, " m"]
) -> Float[np.ndarray, "*b q"]:
    return np.concatenate([features, np.cos(features @ frequency + phase)], -1)


@final
@dataclass(frozen=True)
class Probed:
    """What a layer knows of a quantity, on clips that the probe has not seen."""

    layer: int
    quantity: str
    unit: str
    explained: float  # share of the variance
    error: float  # rms


def probe_layers(
    layers: Float[np.ndarray, "layer b t k"], truth: Trajectory, fitted: Bool[np.ndarray, " b"]
) -> list[Probed]:
    """Fit probes on the chosen clips and judge them on the others, layer by layer."""
    area = np.broadcast_to(np.pi * truth.radius**2, truth.position.shape[:-1])[..., None]
    asked = {"position": ("m", truth.position), "velocity": ("m/s", truth.velocity), "mass / density": ("m^2", area)}
    if fitted.sum() < 2 or fitted.all():
        raise BadInputError(f"probes need 2 clips to fit and others to judge, got {fitted.sum()} of {len(fitted)}")
    found = []
    for number, features in enumerate(layers):
        for quantity, (unit, values) in asked.items():
            target = values.reshape(*values.shape[:2], -1)
            probe = choose_probe(features[fitted], target[fitted])
            fresh = target[~fitted]
            square = float(((probe.read(features[~fitted]) - fresh) ** 2).mean())
            variance = float(((fresh - fresh.mean((0, 1))) ** 2).mean())
            found.append(Probed(number, quantity, unit, 1 - square / max(variance, 1e-30), square**0.5))
    return found
