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
        with np.errstate(all="ignore"):
            return np.asarray(self.pseudo.std(0, ddof=1) / np.sqrt(len(self.pseudo)))

    def intervals(self) -> Float[np.ndarray, "p 2"]:
        """Return the 95 % t intervals of the constants over clips."""
        half = stats.t.ppf(0.975, len(self.pseudo) - 1) * self.errors()
        return np.stack([self.theta - half, self.theta + half], -1)


@dataclass(frozen=True)
class Linear:
    """Residuals about a guess, and slopes along the constants, freed of what other starts would explain."""

    residual: Float[np.ndarray, "s t q"]
    along: Float[np.ndarray, "s tq p"]
    freed: Float[np.ndarray, "s tq p"]
    off: Float[np.ndarray, "s tq"]  # residuals, freed
    q: Float[np.ndarray, "s tq z"]  # Q and R of the slopes along the starts
    r: Float[np.ndarray, "s z z"]

    def step(self, damping: float) -> tuple[Float[np.ndarray, " p"], Float[np.ndarray, "s z"]]:
        """Return Gauss and Newton's step of constants and starts."""
        normal = np.einsum("skp,skr->pr", self.freed, self.freed)
        theta = _solve(normal + damping * np.diag(np.diag(normal)), np.einsum("skp,sk->p", self.freed, self.off))
        left = self.residual.reshape(self.off.shape) - self.along @ theta
        back = np.swapaxes(self.r, 1, 2)
        target = back @ (np.swapaxes(self.q, 1, 2) @ left[..., None])
        return theta, _solve(back @ self.r, target[..., 0]) / (1 + damping)

    def pseudo(self, tracks: Stretches, theta: Float[np.ndarray, " p"]) -> Float[np.ndarray, "clips p"]:
        """Return one jackknife pseudo-value of the constants per clip."""
        clips, owner = np.unique(tracks.clip, return_inverse=True)
        normal, slope = np.zeros((len(clips), len(theta), len(theta))), np.zeros((len(clips), len(theta)))
        np.add.at(normal, owner, np.einsum("skp,skr->spr", self.freed, self.freed))
        np.add.at(slope, owner, np.einsum("skp,sk->sp", self.freed, self.off))
        return np.asarray(theta + (len(clips) - 1) * _solve(normal.sum(0) - normal, slope))


def shoot(law: Acceleration, tracks: Stretches, theta: Float[np.ndarray, " p"]) -> Fit:
    """Fit starts and constants from a first guess of the constants."""
    start, damping = _first(tracks), 1e-6
    with np.errstate(all="ignore"):
        now = _linear(law, tracks, start, theta)
        best = _sum(now.residual)
        for _ in range(ROUNDS):
            d_theta, d_start = now.step(damping)
            then = _linear(law, tracks, start + d_start, theta + d_theta)
            gain = best - _sum(then.residual)
            if not gain > 0:
                damping = max(10 * damping, 1e-4)
                if damping > 1e6 or not np.isfinite(best) or gain >= -1e-9 * best:
                    break
                continue
            start, theta, now, best, damping = start + d_start, theta + d_theta, then, best - gain, damping / 10
            if gain < 1e-7 * best + 1e-14:
                break
        return Fit(theta, start, now.residual, _count(tracks, start), now.pseudo(tracks, theta))


def start_free(law: Acceleration, tracks: Stretches) -> Fit:
    """Fit nothing but the start of every stretch; each finds its own way, whatever the others do."""
    start, none = _first(tracks), np.zeros(0)
    with np.errstate(all="ignore"):
        residual = _miss(tracks, roll(law, tracks, start[None], none[None])[0])
        for _ in range(START_ROUNDS):
            trial = start + _linear(law, tracks, start, none).step(0.0)[1]
            missed = _miss(tracks, roll(law, tracks, trial[None], none[None])[0])
            after = np.nan_to_num((missed**2).sum((1, 2)), nan=np.inf)
            better = after < (1 - 1e-6) * np.nan_to_num((residual**2).sum((1, 2)), nan=np.inf)
            start[better], residual[better] = trial[better], missed[better]
            if not better.any():
                break
    return Fit(none, start, residual, _count(tracks, start), np.zeros((len(np.unique(tracks.clip)), 0)))


def scores(
    law: Acceleration, fit: Fit, tracks: Stretches, theta: Float[np.ndarray, " p"], fixed: int
) -> Float[np.ndarray, " l"]:
    """Return by how much each constant beyond the first `fixed` ones, now 0, would lower the sum of squares.

    The score test of Rao (1948): the residual's share along the new slope, freed of all slopes in use.
    """
    with np.errstate(all="ignore"):
        now = _linear(law, tracks, fit.start, theta)
        flat = now.freed.reshape(now.off.size, len(theta))
        used, new = flat[:, :fixed], flat[:, fixed:]
        if fixed:
            q, _ = np.linalg.qr(used)
            before = (new**2).sum(0)
            new = new - q @ (q.T @ new)
            new[:, (new**2).sum(0) < 1e-8 * before] = 0.0  # already told by the terms in use
        gain = (new.T @ now.off.reshape(-1)) ** 2 / np.maximum((new**2).sum(0), 1e-18)
    return np.asarray(np.nan_to_num(gain, nan=0.0, posinf=0.0))


def _first(tracks: Stretches) -> Float[np.ndarray, "s z"]:
    return np.concatenate([tracks.smooth(0)[:, 0], tracks.smooth(1)[:, 0]], -1)


def _count(tracks: Stretches, start: Float[np.ndarray, "s z"]) -> int:
    return int(np.isfinite(tracks.place).sum()) - start.size


def _sum(residual: Float[np.ndarray, "s t q"]) -> float:
    with np.errstate(all="ignore"):
        total = float((residual**2).sum())
    return total if np.isfinite(total) else np.inf


def _miss(tracks: Stretches, path: Float[np.ndarray, "s t q"]) -> Float[np.ndarray, "s t q"]:
    seen = np.isfinite(tracks.place)
    return np.where(seen, (tracks.place - path) * tracks.metres[:, None, None], 0.0)


def _linear(
    law: Acceleration, tracks: Stretches, start: Float[np.ndarray, "s z"], theta: Float[np.ndarray, " p"]
) -> Linear:
    """Roll the law out from a guess and from guesses beside it, and take the starts' share out."""
    z, p = start.shape[1], len(theta)
    size = np.concatenate([np.full(z, NUDGE), NUDGE * np.maximum(1.0, np.abs(theta))])
    starts, thetas = np.repeat(start[None], 1 + z + p, 0), np.repeat(theta[None], 1 + z + p, 0)
    starts[1 + np.arange(z), :, np.arange(z)] += size[:z, None]
    thetas[1 + z + np.arange(p), np.arange(p)] += size[z:]
    paths = roll(law, tracks, starts, thetas)
    bent = (paths[1:] - paths[0]) * tracks.metres[:, None, None] / size[:, None, None, None]
    bent = np.where(np.isfinite(tracks.place), np.nan_to_num(bent), 0.0)
    slopes = np.moveaxis(bent, 0, -1).reshape(len(start), -1, z + p)
    residual, along = _miss(tracks, paths[0]), slopes[..., z:]
    q, r = np.linalg.qr(slopes[..., :z])
    back, miss = np.swapaxes(q, 1, 2), residual.reshape(len(start), -1)
    off = miss - (q @ (back @ miss[..., None]))[..., 0]
    return Linear(residual, along, along - q @ (back @ along), off, q, r)


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


def _solve(normal: Float[np.ndarray, "*b p p"], along: Float[np.ndarray, "*b p"]) -> Float[np.ndarray, "*b p"]:
    """Solve normal equations, in balanced units, leaving what they do not fix at 0."""
    size = np.sqrt(np.maximum(np.nan_to_num(np.diagonal(normal, axis1=-2, axis2=-1)), 1e-30))
    balanced = np.nan_to_num(normal / size[..., None] / size[..., None, :], posinf=0.0, neginf=0.0)
    inverse = np.linalg.pinv(balanced, rcond=1e-13, hermitian=True)
    return np.asarray((inverse @ (np.nan_to_num(along) / size)[..., None])[..., 0] / size)
