"""Laws of motion as lists of terms: the true one taken from the scene's sympy, and a library of possible others.

    q'' = sum_j theta_j phi_j(q, q', m, L),     phi_j a vector of sympy expressions, one per coordinate.
Masses and lengths are given per clip; everything else in the true law is a constant of nature. A true constant is
not looked up but fitted to exact simulations by the same shooting that judges a model, so the instrument cannot
expect what it would not itself read. A pull towards the middle of the world, mu r^p, has an exponent to fit.
"""

from dataclasses import dataclass
from functools import lru_cache
from itertools import product

import numpy as np
import sympy
from jaxtyping import Float
from sympy.core.function import AppliedUndef

from cavendish.measure.shooting import Acceleration, Fit, shoot
from cavendish.measure.tracks import Stretches, coordinate_names, law_names
from cavendish.scenes import Scene

Vector = tuple[sympy.Expr, ...]  # one expression per coordinate
POWER = sympy.Symbol("p")
ONE = sympy.Integer(1)


@dataclass(frozen=True)
class Structure:
    """A law without its constants: the terms, and the exponent's first guess where a pull has one."""

    terms: tuple[Vector, ...]

    @property
    def central(self) -> bool:
        """Tell whether a term holds an exponent."""
        return any(POWER in row.free_symbols for term in self.terms for row in term)

    def parts(self) -> frozenset[tuple[int, sympy.Expr]]:
        """Return rows and expressions, whatever ties there are between rows."""
        return frozenset((k, _unsigned(row)) for term in self.terms for k, row in enumerate(term) if row != 0)


@dataclass(frozen=True)
class TrueLaw:
    """The scene's own law: structure, and the scene's names for the constant before each part."""

    structure: Structure
    symbols: dict[tuple[int, sympy.Expr], sympy.Expr]


def state(names: tuple[str, ...]) -> tuple[sympy.Symbol, ...]:
    """Return the symbols of coordinates and speeds."""
    return (*(sympy.Symbol(n) for n in names), *(sympy.Symbol(f"{n}'") for n in names))


@lru_cache(maxsize=512)
def compiled(structure: Structure, names: tuple[str, ...], given: tuple[str, ...]) -> Acceleration:
    """Turn a structure into numpy code."""
    theta = [sympy.Dummy() for _ in structure.terms]
    rows = [
        sympy.Add(*(c * term[k] for c, term in zip(theta, structure.terms, strict=True))) for k in range(len(names))
    ]
    extra = [POWER] if structure.central else []
    arguments = [*state(names), *(sympy.Symbol(g) for g in given), *theta, *extra]
    function: Acceleration = sympy.lambdify(arguments, rows, "numpy", cse=True)
    return function


def fitted(structure: Structure, tracks: Stretches, theta: Float[np.ndarray, " p"]) -> Fit:
    """Shoot a structure."""
    return shoot(compiled(structure, tracks.names, tuple(tracks.given)), tracks, theta)


def guessed(structure: Structure, tracks: Stretches) -> Float[np.ndarray, " p"]:
    """Guess constants by regression on smoothed accelerations, the exponent of a pull on their logarithms."""
    q, u, a = (tracks.smooth(k) for k in range(3))
    seen = np.isfinite(a).all(-1)
    values, speed, push = q[seen], u[seen], a[seen]
    if structure.central:
        r = np.linalg.norm(values, axis=-1)
        pull = -(values * push).sum(-1) / r
        pulled = pull > 0
        if pulled.sum() < 2:
            return np.array([-1.0] * len(structure.terms) + [-1.0])
        p, log_mu = np.polyfit(np.log(r[pulled]), np.log(pull[pulled]), 1)
        rest = [0.0] * (len(structure.terms) - 1)
        return np.array([-float(np.exp(log_mu)), *rest, float(p)])
    if not structure.terms:
        return np.zeros(0)
    columns = evaluate(structure, tracks, values, speed, seen)
    return np.asarray(np.linalg.lstsq(columns.reshape(-1, columns.shape[-1]), push.reshape(-1), rcond=None)[0])


def evaluate(
    structure: Structure,
    tracks: Stretches,
    q: Float[np.ndarray, "k q"],
    u: Float[np.ndarray, "k q"],
    seen: np.ndarray,
) -> Float[np.ndarray, "k q p"]:
    """Return every term at given states."""
    given = [np.broadcast_to(value[:, None], seen.shape)[seen] for value in tracks.given.values()]
    symbols = [*state(tracks.names), *(sympy.Symbol(g) for g in tracks.given)]
    rows = [[term[k] for term in structure.terms] for k in range(len(tracks.names))]
    values = sympy.lambdify(symbols, rows, "numpy")(*q.T, *u.T, *given)
    return np.stack([np.stack([np.broadcast_to(np.asarray(v, float), len(q)) for v in row], -1) for row in values], 1)


def single(row: int, expression: sympy.Expr, size: int) -> Vector:
    """Make a term that acts on one coordinate."""
    return tuple(expression if k == row else sympy.Integer(0) for k in range(size))


def central(names: tuple[str, ...]) -> Vector:
    """Make the pull towards the middle, r^p along the radius."""
    q = state(names)[: len(names)]
    r = sympy.sqrt(sum(x**2 for x in q))
    return tuple(x * r ** (POWER - 1) for x in q)


def library(scene: Scene, tracks: Stretches) -> list[Vector]:
    """List the terms from which a law may be made."""
    names = tracks.names
    symbols = state(names)
    if names == ("theta",):
        angle, turning = symbols
        plain = [sympy.sin(angle), angle, turning, ONE, sympy.cos(angle)]
    elif names == ("s",):
        plain = [ONE, *symbols, sympy.sign(symbols[1])]
    else:
        plain = [ONE, *symbols]
    # A given quantity that hardly varies cannot be told from a constant.
    varied = [sympy.Symbol(g) for g, v in tracks.given.items() if len(v) and v.std() > 0.02 * v.mean()]
    factors = [ONE, *(f for g in varied for f in (1 / g, g))]
    terms = [single(k, e * f, len(names)) for k, e, f in product(range(len(names)), plain, factors)]
    if names == ("x", "y"):
        speeds = symbols[2:]
        terms += [single(k, u * sympy.Abs(u), 2) for k, u in enumerate(speeds)]
    return terms


def true_law(scene: Scene) -> TrueLaw | None:
    """Take the law in flight apart; None where it is not of a form that can be compared."""
    names = coordinate_names(scene)
    if names != law_names(scene):
        return None
    if any("r(t)" in equation for equation in scene.law.equations):
        symbols = {(k, row): -sympy.Symbol("mu") for k, row in enumerate(central(names))}
        return TrueLaw(Structure((central(names),)), symbols)
    time = sympy.Symbol("t", real=True)
    functions = {n: sympy.Function(n)(time) for n in names}
    given = {g: sympy.Symbol(g) for g in ("m", "m1", "m2", "L") if g not in names}
    parts: dict[tuple[int, sympy.Expr], sympy.Expr] = {}
    for equation in scene.law.expressions():
        push = [d for d in equation.atoms(sympy.Derivative) if d.derivative_count == 2]
        if len(push) > 1:
            return None
        if not push:
            continue
        row = names.index(push[0].expr.func.__name__)
        pushed = sympy.Dummy()
        balance = (equation.lhs - equation.rhs).subs(push[0], pushed)
        for f, speed in zip(functions.values(), state(names)[len(names) :], strict=True):
            balance = balance.subs(f.diff(time), speed)
        balance = balance.subs(dict(zip(functions.values(), state(names), strict=False)))
        balance = sympy.expand(balance.subs({s: given[s.name] for s in balance.free_symbols if s.name in given}))
        answer = sympy.expand(-balance.subs(pushed, 0) / balance.coeff(pushed))
        if answer.atoms(AppliedUndef) or time in answer.free_symbols:
            return None
        for term in sympy.Add.make_args(answer):
            constant, feature = term.as_independent(*state(names), *given.values())
            if constant != 0:
                parts[row, feature] = parts.get((row, feature), sympy.Integer(0)) + constant
    terms = tuple(single(row, feature, len(names)) for row, feature in parts)
    return TrueLaw(Structure(terms), parts)


def written(structure: Structure, names: tuple[str, ...], theta: Float[np.ndarray, " p"], digits: list[int]) -> str:
    """Write a law as a person would: y'' = -2.5 - 1.2 y'/m."""
    values = [f"{t:.{k}f}" for t, k in zip(theta.tolist(), digits, strict=True)]
    rows = []
    for k, name in enumerate(names):
        parts = [(v, term[k]) for v, term in zip(values, structure.terms, strict=False) if term[k] != 0]
        text = ""
        for value, feature in parts:
            bare = _unsigned(feature)
            number = value.removeprefix("-")
            minus = value.startswith("-") != (bare != feature)
            pull = f"{name} r^({values[-1]} - 1)" if POWER in feature.free_symbols else sympy.sstr(bare)
            text += (" - " if minus else " + ") + (number if bare == 1 else f"{number} {pull}")
        text = "-" + text[3:] if text.startswith(" - ") else text[3:]
        rows.append(f"{name}'' = {text or '0'}")
    return "; ".join(rows)


def _unsigned(expression: sympy.Expr) -> sympy.Expr:
    return -expression if expression.could_extract_minus_sign() else expression
