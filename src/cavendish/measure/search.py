"""Which terms make up the law of motion that these tracks obey?

An ensemble of sparse regressions (SINDy; Brunton, Proctor, Kutz 2016; ensembles: Fasel et al. 2022) on smoothed states
proposes structures; every proposal is fitted by shooting; then terms are taken away where nothing is lost, added where
the score test asks for them, and exchanged one for one where neither helps, by the extended BIC
    N ln(RSS / N + floor^2) + P ln N + 2 P ln L      (Chen and Chen 2008; L terms in the library),
and a term enters only if its constant differs from 0 by SURE standard errors over clips. At last rows that share a
constant are tied (x'' = -c x'/m and y'' = ... - c y'/m become one c).
"""

import warnings
from itertools import combinations

import numpy as np
import sympy
from jaxtyping import Float, Int

from cavendish.measure.dynamics import Structure, TrueLaw, Vector, central, compiled, evaluate, fitted, guessed, library
from cavendish.measure.shooting import FLOOR, Acceleration, Fit, scores
from cavendish.measure.tracks import WINDOW, Stretches
from cavendish.scenes import Scene

THRESHOLDS = (0.03, 0.1, 0.3)  # of the sparse regression, in units of the accelerations' spread
MODELS = 10
SURE = 4.0
TRIED = 5  # terms
DETOUR = 6  # terms
LONGEST_SEARCH = 30
SPARSE = 6  # terms; a proposal of more is none


def search(scene: Scene, tracks: Stretches, known: TrueLaw) -> Structure:
    """Propose by sparse regression, then take away, add and exchange terms while the criterion improves."""
    terms = library(scene, tracks)
    proposals = [(central(tracks.names),)] if known.structure.central else _proposals(terms, tracks)
    found = [(Structure(p), fitted(Structure(p), tracks, guessed(Structure(p), tracks))) for p in proposals]
    best, fit = min(found, key=lambda pair: _criterion(pair[1], len(terms)))
    for _ in range(LONGEST_SEARCH):
        shorter = _shorter(best, fit, tracks, len(terms))
        move = shorter or _longer(best, fit, tracks, terms, SURE) or _roundabout(best, fit, tracks, terms)
        if move is None:
            break
        best, fit = move
    return best


def _proposals(terms: list[Vector], tracks: Stretches) -> list[tuple[Vector, ...]]:
    """Let sparse regressions propose: ensembles on resampled clips, and the best few terms; no term is one too."""
    q, u, a = (tracks.smooth(k) for k in range(3))
    seen = np.isfinite(a).all(-1)
    columns = evaluate(Structure(tuple(terms)), tracks, q[seen], u[seen], seen)
    owner = np.broadcast_to(tracks.clip[:, None], seen.shape)[seen]
    votes: list[list[Vector]] = [[] for _ in THRESHOLDS]
    best: list[list[Vector]] = []
    for row in range(a.shape[-1]):
        mine = [k for k, term in enumerate(terms) if term[row] != 0]
        target = a[seen][:, row] / max(float(np.sqrt((a[seen][:, row] ** 2).mean())), 1e-6)
        scaled = columns[:, row, mine] / np.maximum(np.sqrt((columns[:, row, mine] ** 2).mean(0)), 1e-9)
        best.append([terms[mine[k]] for k in _best_few(scaled, target)])
        for vote, threshold in zip(votes, THRESHOLDS, strict=True):
            vote += [terms[mine[k]] for k in _voted(scaled, target, owner, threshold)]
    proposals = [[], [term for row in best for term in row], *best, *votes]
    return list(dict.fromkeys(tuple(proposal) for proposal in proposals if len(proposal) <= SPARSE))


def _voted(
    columns: Float[np.ndarray, "k l"], target: Float[np.ndarray, " k"], owner: Int[np.ndarray, " k"], threshold: float
) -> list[int]:
    """Return the terms that more than half of the sparse regressions on resampled clips keep."""
    from pysindy import STLSQ

    rng, clips = np.random.default_rng(0), np.unique(owner)
    share = np.zeros(columns.shape[1])
    for _ in range(MODELS):
        bag = np.isin(owner, rng.choice(clips, len(clips)))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # a bag may want no term at all, and pysindy says so
            share += STLSQ(threshold=threshold, alpha=1e-3).fit(columns[bag], target[bag][:, None]).coef_[0] != 0
    return [int(k) for k in np.flatnonzero(share > MODELS / 2)]


def _best_few(columns: Float[np.ndarray, "k l"], target: Float[np.ndarray, " k"]) -> tuple[int, ...]:
    """Return the best regression on at most three terms, by the same criterion; smoothing has tied WINDOW numbers."""
    size, count = columns.shape[1], len(target) / WINDOW
    gram, along, total = columns.T @ columns / WINDOW, columns.T @ target / WINDOW, float(target @ target) / WINDOW
    best, chosen = count * np.log(total / count + 1e-12), ()
    for few in range(1, 4):
        picks = np.array(list(combinations(range(size), few)))
        part = gram[picks[:, :, None], picks[:, None, :]] + 1e-9 * count * np.eye(few)
        told = (along[picks] * np.linalg.solve(part, along[picks][..., None])[..., 0]).sum(-1)
        k = int(told.argmax())
        cost = count * np.log(max(total - told[k], 0.0) / count + 1e-12) + few * (np.log(count) + 2 * np.log(size))
        if cost < best:
            best, chosen = cost, tuple(picks[k].tolist())
    return chosen


def _criterion(fit: Fit, size: int) -> float:
    value = fit.criterion + 2 * len(fit.theta) * np.log(max(size, 2))
    return value if np.isfinite(value) else np.inf


def _shorter(best: Structure, fit: Fit, tracks: Stretches, size: int) -> tuple[Structure, Fit] | None:
    """Take away the least sure term if the criterion, or its interval, lets it go."""
    if len(best.terms) == best.central:
        return None
    sureness = np.abs(fit.theta[best.central : len(best.terms)]) / np.maximum(
        fit.errors()[best.central : len(best.terms)], 1e-12
    )
    weakest = int(np.argmin(sureness)) + best.central
    less = Structure(best.terms[:weakest] + best.terms[weakest + 1 :])
    trial = fitted(less, tracks, np.delete(fit.theta, weakest))
    gone = _criterion(trial, size) < _criterion(fit, size) or sureness.min() < SURE
    return (less, trial) if gone else None


def _longer(
    best: Structure, fit: Fit, tracks: Stretches, terms: list[Vector], sure: float
) -> tuple[Structure, Fit] | None:
    """Add, of the terms that the score test asks for most, the best one that the criterion and the clips agree on."""
    unused = [term for term in terms if term not in best.terms]
    names, given = tracks.names, tuple(tracks.given)
    fixed = len(best.terms)
    wide = Structure(best.terms + tuple(unused))
    theta = np.concatenate([fit.theta[:fixed], np.zeros(len(unused)), fit.theta[fixed:]])
    law = compiled(wide, names, given)
    if best.central:  # compiled code takes the exponent last; here it is one of the constants in use
        fixed += 1
        theta = np.concatenate([fit.theta, np.zeros(len(unused))])
        law = _reordered(law, fixed, len(theta))
    gain = scores(law, fit, tracks, theta, fixed)
    asked = gain > (np.log(fit.count) + 2 * np.log(len(terms))) * (fit.rms**2 + FLOOR**2)
    tried = []
    for k in [int(k) for k in np.argsort(-gain)[:TRIED] if asked[k]]:
        more = Structure((*best.terms, unused[k]))
        trial = fitted(more, tracks, np.insert(fit.theta, len(best.terms), 0.0))
        told = abs(trial.theta[len(best.terms)]) > sure * trial.errors()[len(best.terms)]
        tried += [(more, trial)] if told else []
    better = [pair for pair in tried if _criterion(pair[1], len(terms)) < _criterion(fit, len(terms))]
    return min(better, key=lambda pair: _criterion(pair[1], len(terms)), default=None)


def _roundabout(best: Structure, fit: Fit, tracks: Stretches, terms: list[Vector]) -> tuple[Structure, Fit] | None:
    """Add terms that are not sure yet, then take away what is not sure: a way if the criterion improves in the end.

    A wrong term that resembles a right one on these clips can come first (in honey x' decays as y' approaches its
    limit), and while the right pair is not whole, neither of the two is sure by itself.
    """
    now = (best, fit)
    for _ in range(DETOUR):
        now = _longer(*now, tracks, terms, 0.0) or now
    while shorter := _shorter(*now, tracks, len(terms)):
        now = shorter
    return now if _criterion(now[1], len(terms)) < _criterion(fit, len(terms)) else None


def tied(structure: Structure, tracks: Stretches, fit: Fit) -> tuple[Structure, Fit]:
    """Give terms of two rows that mirror each other one constant, where the criterion does not suffer."""
    names = tracks.names
    if len(names) != 2 or structure.central:
        return structure, fit
    swap = {
        sympy.Symbol(f"{a}{tick}"): sympy.Symbol(f"{b}{tick}") for a, b in (names, names[::-1]) for tick in ("", "'")
    }
    swap |= {sympy.Symbol(f"m{a}"): sympy.Symbol(f"m{b}") for a, b in ((1, 2), (2, 1))}
    for i, first in enumerate(structure.terms):
        for j, second in enumerate(structure.terms):
            if first[1] != 0 or second[0] != 0 or first[0] == 1:
                continue
            if first[0].xreplace(swap) != second[1]:
                continue
            sign = 1 if fit.theta[i] * fit.theta[j] > 0 else -1
            rest = [k for k in range(len(structure.terms)) if k not in (i, j)]
            both = Structure(((first[0], sign * second[1]), *(structure.terms[k] for k in rest)))
            trial = fitted(both, tracks, np.array([fit.theta[i], *fit.theta[rest]]))
            if _criterion(trial, 2) < _criterion(fit, 2):
                return tied(both, tracks, trial)
    return structure, fit


def _reordered(law: Acceleration, fixed: int, count: int) -> Acceleration:
    def moved(*arguments: np.ndarray) -> list[np.ndarray]:
        states, theta = arguments[:-count], arguments[-count:]
        return law(*states, *theta[: fixed - 1], *theta[fixed:], theta[fixed - 1])

    return moved
