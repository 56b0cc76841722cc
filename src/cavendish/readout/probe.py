"""What a model's features know: position, velocity and mass read out of every layer by a linear probe.

    y = W f' + y0,  f' = (f - mean) / spread,  W = argmin |y - y0 - W f'|^2 + penalty |W|^2   (Hoerl & Kennard 1970)
with the penalty of least generalised cross-validation error (Golub, Heath & Wahba 1979, eq. 1.4), through one singular
value decomposition f' = U diag(s) V^T:
    GCV(penalty) = n |y - y_hat|^2 / (n - 1 - sum s^2 / (s^2 + penalty))^2.
A probe is fitted on some clips and judged on others: 1 - (squared error) / (variance) and the rms error in SI units.
A linear probe has no power to compute: what it finds, the layer holds.
"""

from dataclasses import dataclass
from typing import final

import numpy as np
from jaxtyping import Bool, Float

from cavendish.errors import BadInputError
from cavendish.motion import Trajectory

PENALTIES = np.logspace(-4, 6, 41)


@final
@dataclass(frozen=True)
class Probe:
    """A linear map from features to quantities."""

    weight: Float[np.ndarray, "k q"]
    offset: Float[np.ndarray, " q"]

    def read(self, features: Float[np.ndarray, "*b k"]) -> Float[np.ndarray, "*b q"]:
        """Read the quantities."""
        return np.asarray(features @ self.weight + self.offset)


def fit_probe(features: Float[np.ndarray, "s k"], target: Float[np.ndarray, "s q"]) -> Probe:
    """Fit a probe; its penalty is chosen from the same samples by generalised cross-validation."""
    count = len(features)
    if count < 3 or not (np.isfinite(features).all() and np.isfinite(target).all()):
        raise BadInputError(f"a probe of {count} samples: expected 3 or more, all of them finite")
    mean, spread, middle = features.mean(0), features.std(0), target.mean(0)
    spread = np.where(spread > 1e-9 * max(float(spread.max()), 1e-30), spread, np.inf)  # a dead feature says nothing
    u, s, vt = np.linalg.svd((features - mean) / spread, full_matrices=False)
    seen = u.T @ (target - middle)
    missed = ((target - middle) ** 2).sum() - (seen**2).sum()
    shrunk = s**2 / (s**2 + PENALTIES[:, None])
    error = missed + (((1 - shrunk)[..., None] * seen) ** 2).sum((1, 2))
    best = PENALTIES[np.argmin(error / np.maximum(count - 1 - shrunk.sum(1), 1e-9) ** 2)]
    weight = vt.T @ ((s / (s**2 + best))[:, None] * seen) / spread[:, None]
    return Probe(weight, middle - mean @ weight)


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
    if not fitted.any() or fitted.all():
        raise BadInputError(f"probes need clips to fit and others to judge, got {fitted.sum()} of {len(fitted)} to fit")
    found = []
    for number, features in enumerate(layers):
        for quantity, (unit, values) in asked.items():
            target = values.reshape(*values.shape[:2], -1)
            probe = fit_probe(*(part[fitted].reshape(-1, part.shape[-1]) for part in (features, target)))
            fresh = target[~fitted]
            square = float(((probe.read(features[~fitted]) - fresh) ** 2).mean())
            variance = float(((fresh - fresh.mean((0, 1))) ** 2).mean())
            found.append(Probed(number, quantity, unit, 1 - square / max(variance, 1e-30), square**0.5))
    return found
