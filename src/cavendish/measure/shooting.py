"""Fitting a law of motion to tracks by shooting: free starts for every stretch, shared constants for all.

A law is q'' = sum_j theta_j phi_j(q, q'), integrated from the start z = (q, q') of every stretch by the classical
Runge-Kutta method (three steps a frame). Gauss-Newton with the starts eliminated: with r the residuals of a stretch
in metres, J = [Z | T] their slopes along start and constants, and P the projection off the columns of Z (QR),
    (sum T' P T) d theta = sum T' P r,     dz = Z^+ (r - T d theta)      (variable projection, Golub, Pereyra 1973),
damped after Marquardt (1963). A clip counts once: leaving clip i out moves the constants by
    theta_(-i) - theta = -(A - A_i)^-1 b_i,     A_i = sum over its stretches of T' P T,  b_i of T' P r,
so p_i = theta - (n - 1) (theta_(-i) - theta) are jackknife pseudo-values (Tukey 1958): their mean and its t
interval over clips are the constant and its interval, whatever the noise within a clip is like.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from scipy import stats

from cavendish.measure.tracks import Stretches

SUBSTEPS = 3
SUBSTEPS_WITH_FRICTION = 12  # where the law jumps when the motion turns back, every step may hide the instant
ROUNDS = 30
START_ROUNDS = 12
NUDGE = 1e-6
FLOOR = 1e-3  # m; no reader tells less, and no law is asked to

Acceleration = Callable[..., list[np.ndarray]]  # (q..., q'..., given..., theta...) -> one array per coordinate


@dataclass(frozen=True)
class Fit:
    """A law fitted to stretches."""

    theta: Float[np.ndarray, " p"]
    start: Float[np.ndarray, "s z"]
    residual: Float[np.ndarray, "s t q"]  # m, 0 where nothing was seen
    count: int  # numbers seen less numbers spent on starts
    pseudo: Float[np.ndarray, "clips p"]  # one row per clip

    @property
    def rms(self) -> float:
        """Return the residual per coordinate and frame in metres, freed of what the starts have absorbed."""
        total = _sum(self.residual)
        return float(np.sqrt(total / max(self.count, 1)))

    @property
    def criterion(self) -> float:
        """Return the Bayesian information criterion without its prior over structures (Schwarz 1978)."""
        variance = self.rms**2 + FLOOR**2
        return float(self.count * np.log(variance) + len(self.theta) * np.log(max(self.count, 2)))

    def errors(self) -> Float[np.ndarray, " p"]:
        """Return the standard errors of the constants over clips."""
        return np.asarray(self.pseudo.std(0, ddof=1) / np.sqrt(len(self.pseudo)))

    def intervals(self) -> Float[np.ndarray, "p 2"]:
        """Return the 95 % t intervals of the constants over clips."""
        half = stats.t.ppf(0.975, len(self.pseudo) - 1) * self.errors()
        return np.stack([self.theta - half, self.theta + half], -1)


def shoot(law: Acceleration, tracks: Stretches, theta: Float[np.ndarray, " p"]) -> Fit:
    """Fit starts and constants from a first guess of the constants."""
    seen = np.isfinite(tracks.place)
    aim = np.nan_to_num(tracks.place)
    start = np.concatenate([tracks.smooth(0)[:, 0], tracks.smooth(1)[:, 0]], -1)
    damping, best = 1e-6, np.inf
    with np.errstate(all="ignore"):
        slopes, residual = _slopes(law, tracks, start, theta, aim, seen)
        best = _sum(residual)
        for _ in range(ROUNDS):
            d_theta, d_start = _step(slopes, residual, start.shape[1], damping)
            trial = (start + d_start, theta + d_theta)
            after, missed = _slopes(law, tracks, *trial, aim, seen)
            if not _sum(missed) < best:
                damping = max(10 * damping, 1e-4)
                if damping > 1e6 or not np.isfinite(best) or _sum(missed) <= best * (1 + 1e-9):
                    break
                continue
            gain, best = best - _sum(missed), _sum(missed)
            (start, theta), slopes, residual, damping = trial, after, missed, damping / 10
            if gain < 1e-7 * best + 1e-14:
                break
        pseudo = _pseudo(slopes, residual, start.shape[1], tracks, theta)
    count = int(seen.sum()) - start.size
    return Fit(theta, start, residual, count, pseudo)


def start_free(law: Acceleration, tracks: Stretches) -> Fit:
    """Fit nothing but the start of every stretch; each finds its own way, whatever the others do."""
    seen, aim = np.isfinite(tracks.place), np.nan_to_num(tracks.place)
    none = np.zeros(0)
    start = np.concatenate([tracks.smooth(0)[:, 0], tracks.smooth(1)[:, 0]], -1)
    with np.errstate(all="ignore"):
        slopes, residual = _slopes(law, tracks, start, none, aim, seen)
        for _ in range(START_ROUNDS):
            trial = start + _step(slopes, residual, start.shape[1], 0.0)[1]
            bent, missed = _slopes(law, tracks, trial, none, aim, seen)
            total = np.nan_to_num((missed**2).sum((1, 2)), nan=np.inf)
            better = total < (1 - 1e-6) * np.nan_to_num((residual**2).sum((1, 2)), nan=np.inf)
            start[better], slopes[better], residual[better] = trial[better], bent[better], missed[better]
            if not better.any():
                break
    clips = np.unique(tracks.clip)
    return Fit(none, start, residual, int(seen.sum()) - start.size, np.zeros((len(clips), 0)))


def scores(
    law: Acceleration, fit: Fit, tracks: Stretches, theta: Float[np.ndarray, " p"], fixed: int
) -> Float[np.ndarray, " l"]:
    """Return by how much each constant beyond the first `fixed` ones, now 0, would lower the sum of squares.

    The score test of Rao (1948): the residual's share along the new slope, freed of all slopes in use.
    """
    seen, aim = np.isfinite(tracks.place), np.nan_to_num(tracks.place)
    z = fit.start.shape[1]
    with np.errstate(all="ignore"):
        slopes, residual = _slopes(law, tracks, fit.start, theta, aim, seen)
        freed, off, _, _ = _project(slopes, residual, z)
        flat = freed.reshape(off.size, len(theta))
        used, new = flat[:, :fixed], flat[:, fixed:]
        if fixed:
            q, _ = np.linalg.qr(used)
            before = (new**2).sum(0)
            new = new - q @ (q.T @ new)
            new[:, (new**2).sum(0) < 1e-8 * before] = 0.0  # already told by the terms in use
        gain = (new.T @ off.reshape(-1)) ** 2 / np.maximum((new**2).sum(0), 1e-18)
    return np.asarray(np.nan_to_num(gain, nan=0.0, posinf=0.0))


def _sum(residual: Float[np.ndarray, "s t q"]) -> float:
    with np.errstate(all="ignore"):
        total = float((residual**2).sum())
    return total if np.isfinite(total) else np.inf


def _slopes(
    law: Acceleration,
    tracks: Stretches,
    start: Float[np.ndarray, "s z"],
    theta: Float[np.ndarray, " p"],
    aim: Float[np.ndarray, "s t q"],
    seen: np.ndarray,
) -> tuple[Float[np.ndarray, "s tq zp"], Float[np.ndarray, "s t q"]]:
    """Return the slopes of the paths along every start and constant, and the residuals, in metres."""
    z, p = start.shape[1], len(theta)
    starts = np.repeat(start[None], 1 + z + p, 0)
    thetas = np.repeat(theta[None], 1 + z + p, 0)
    for k in range(z):
        starts[1 + k, :, k] += NUDGE
    size = NUDGE * np.maximum(1.0, np.abs(theta))
    thetas[1 + z + np.arange(p), np.arange(p)] += size
    paths = roll(law, tracks, starts, thetas) * tracks.metres[:, None, None]
    aim = aim * tracks.metres[:, None, None]
    bent = (paths[1:] - paths[0]) / np.concatenate([np.full(z, NUDGE), size])[:, None, None, None]
    bent = np.where(seen, bent, 0.0)
    slopes = np.moveaxis(bent, 0, -1).reshape(len(start), -1, z + p)
    return slopes, np.where(seen, aim - paths[0], 0.0)


def roll(
    law: Acceleration, tracks: Stretches, start: Float[np.ndarray, "k s z"], theta: Float[np.ndarray, "k p"]
) -> Float[np.ndarray, "k s t q"]:
    """Integrate k copies of all stretches, each copy with its own starts and constants."""
    z = np.moveaxis(start, -1, 0).copy()
    d = len(z) // 2
    given = list(tracks.given.values())
    constants = [column[:, None] for column in theta.T]
    frames = tracks.place.shape[1]
    paths = np.empty((frames, d, *start.shape[:2]))
    substeps = SUBSTEPS_WITH_FRICTION if tracks.names == ("s",) else SUBSTEPS
    h = tracks.step / substeps

    def rate(state: Float[np.ndarray, "z k s"]) -> Float[np.ndarray, "z k s"]:
        out = np.empty_like(state)
        out[:d] = state[d:]
        for row, push in enumerate(law(*state, *given, *constants)):
            out[d + row] = push
        return out

    paths[0] = z[:d]
    for frame in range(1, frames):
        for _ in range(substeps):
            a = rate(z)
            b = rate(z + 0.5 * h * a)
            c = rate(z + 0.5 * h * b)
            z = z + h / 6 * (a + 2 * b + 2 * c + rate(z + h * c))
        paths[frame] = z[:d]
    return np.moveaxis(paths, (0, 1), (2, 3))


def _project(
    slopes: Float[np.ndarray, "s tq zp"], residual: Float[np.ndarray, "s t q"], z: int
) -> tuple[Float[np.ndarray, "s tq p"], Float[np.ndarray, "s tq"], np.ndarray, np.ndarray]:
    """Take out of slopes and residuals what other starts would explain; return also Q and R of the starts."""
    q, r = np.linalg.qr(np.nan_to_num(slopes[..., :z]))
    miss = residual.reshape(len(residual), -1)
    along = np.nan_to_num(slopes[..., z:])
    freed = along - q @ (np.swapaxes(q, 1, 2) @ along)
    off = miss - (q @ (np.swapaxes(q, 1, 2) @ miss[..., None]))[..., 0]
    return freed, off, q, r


def _step(
    slopes: Float[np.ndarray, "s tq zp"], residual: Float[np.ndarray, "s t q"], z: int, damping: float
) -> tuple[Float[np.ndarray, " p"], Float[np.ndarray, "s z"]]:
    freed, off, q, r = _project(slopes, residual, z)
    normal = np.einsum("skp,skr->pr", freed, freed)
    normal += damping * np.diag(np.diag(normal))
    d_theta = _solve(normal, np.einsum("skp,sk->p", freed, off))
    left = residual.reshape(len(residual), -1) - np.nan_to_num(slopes[..., z:]) @ d_theta
    target = (np.swapaxes(q, 1, 2) @ left[..., None])[..., 0]
    return d_theta, _solve(np.swapaxes(r, 1, 2) @ r, (np.swapaxes(r, 1, 2) @ target[..., None])[..., 0]) / (1 + damping)


def _solve(normal: Float[np.ndarray, "*b p p"], along: Float[np.ndarray, "*b p"]) -> Float[np.ndarray, "*b p"]:
    """Solve normal equations, in balanced units, leaving what they do not fix at 0."""
    size = np.sqrt(np.maximum(np.nan_to_num(np.diagonal(normal, axis1=-2, axis2=-1)), 1e-30))
    balanced = np.nan_to_num(normal / size[..., None] / size[..., None, :], posinf=0.0, neginf=0.0)
    inverse = np.linalg.pinv(balanced, rcond=1e-13, hermitian=True)
    return np.asarray((inverse @ (np.nan_to_num(along) / size)[..., None])[..., 0] / size)


def _pseudo(
    slopes: Float[np.ndarray, "s tq zp"],
    residual: Float[np.ndarray, "s t q"],
    z: int,
    tracks: Stretches,
    theta: Float[np.ndarray, " p"],
) -> Float[np.ndarray, "clips p"]:
    """Return one jackknife pseudo-value of the constants per clip."""
    freed, off, _, _ = _project(slopes, residual, z)
    each = np.einsum("skp,skr->spr", freed, freed)
    pull = np.einsum("skp,sk->sp", freed, off)
    clips, owner = np.unique(tracks.clip, return_inverse=True)
    normal = np.zeros((len(clips), len(theta), len(theta)))
    slope = np.zeros((len(clips), len(theta)))
    np.add.at(normal, owner, each)
    np.add.at(slope, owner, pull)
    moved = -_solve(normal.sum(0) - normal, slope)
    return np.asarray(theta - (len(clips) - 1) * moved)
