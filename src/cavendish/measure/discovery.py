"""Which law do these tracks obey? Written out beside the true one, with intervals, and judged.

tracks -> gates -> stretches of free flight -> the structure that explains them best (`search`), found on three clips
of four; the residual is that of rolling the law out on the fourth; constants and their t intervals come from all clips.
Verdict: `not compared`, and no search, where the scene's law has forces, buttons or hidden constants; `no law` where
fewer than half the bodies can be judged or the residual is above LAWLESS times the noise; else same or other structure;
and whether every true constant lies in its interval or within TOLERATED of it.
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import sympy
from jaxtyping import Bool, Float

from cavendish.errors import BadInputError
from cavendish.measure.contacts import contact_law, landing_law, touched, touches
from cavendish.measure.dynamics import Structure, TrueLaw, compiled, fitted, guessed, true_law, written
from cavendish.measure.gates import admitted
from cavendish.measure.score import score
from cavendish.measure.search import search, tied
from cavendish.measure.shooting import Acceleration, Fit, start_free
from cavendish.measure.tracks import CARTESIAN, Stretches, coordinate_names, in_flight, stretches
from cavendish.motion import Metres, Trajectory
from cavendish.scenes import Scene

LAWLESS = 3.0
TOLERATED = 0.005
REFERENCE_CLIPS = 24
NOISE_FLOOR = 1e-3  # m
FEWEST_CLIPS = 3
UNREADABLE = 0.01  # m; a law that leaves more on exact motion is not one that this instrument can read
SAME, CONSTANTS, OTHER = "same structure and covered", "same structure, other constants", "other structure"
NO_LAW, NOT_COMPARED = "no law", "not compared"


@dataclass(frozen=True)
class Constant:
    """A constant of the printed law, with its 95 % interval over clips."""

    name: str  # as the true law spells it, or the term that it stands before
    value: float
    low: float
    high: float
    true: float  # NaN where the true law has no such term
    values: tuple[float, ...]  # jackknife pseudo-values, one per clip

    @property
    def covered(self) -> bool:
        """Tell whether the truth lies in the interval, or so near to it that the ruler cannot tell."""
        slack = TOLERATED * (abs(self.true) if abs(self.true) > 1e-9 else 1.0)  # 0 is read as 1e-16
        return bool(self.low - slack <= self.true <= self.high + slack)


@dataclass(frozen=True)
class Discovery:
    """The law that a set of clips obeys, beside the scene's own."""

    printed_law: str
    true_law: str
    parameters: tuple[Constant, ...]
    verdict: str
    residual: Metres  # rms on clips that had no part in the choice of the law
    noise: Metres
    clips: int
    discarded: float  # share of bodies that could not be judged

    @property
    def residual_ratio(self) -> float:
        """Return residual / noise; about 1 where the law explains all but the reader's error."""
        return self.residual / self.noise


def discover(scene: Scene, trajectories: Trajectory, noise: Metres | None = None) -> Discovery:
    """Read the law off tracks; `noise` is the reader's error, by default the jitter that the tracks show."""
    if trajectories.position.shape[-1] != len(CARTESIAN) or scene.space != len(CARTESIAN):
        raise BadInputError(f"{scene.name()}: laws are read from motion in a plane, got {trajectories.position.shape}")
    said = scene.law.readable()
    kept, lost = admitted(scene, trajectories)
    tracks = cut(scene, trajectories, kept)
    clips = len(np.unique(tracks.clip))
    jitter = max(tracks.jitter(), NOISE_FLOOR) if noise is None else noise
    jitter = NOISE_FLOOR if np.isnan(jitter) else jitter
    truth = reference(scene)
    if truth is None:
        why = "not looked for: the scene's law has parts that tracks alone do not tell"
        return Discovery(why, said, (), NOT_COMPARED, float("nan"), jitter, clips, lost)
    if lost > 0.5 or clips < FEWEST_CLIPS:
        why = f"none: {100 * lost:.0f} % of the bodies vanish, stand still or are doubled, {clips} clips remain"
        return Discovery(why, said, (), NO_LAW, float("nan"), jitter, clips, lost)
    learn, test = _halves(tracks)
    structure = search(scene, learn, truth[0])
    chosen = fitted(structure, learn, guessed(structure, learn))
    structure, chosen = tied(structure, learn, chosen)
    final = fitted(structure, tracks, chosen.theta)
    residual = _rolled_out(structure, test, final)
    constants = _constants(structure, final, truth, tracks.names)
    impacts = _impacts(scene, trajectories, constant_pull(structure, final))
    digits = [_digits(low, high) for low, high in final.intervals()]
    law = "; ".join(
        [
            written(structure, tracks.names, final.theta, digits),
            *(f"{c.name} = {c.value:.{_digits(c.low, c.high)}f}" for c in impacts),
        ]
    )
    constants = (*constants, *impacts)
    verdict = _verdict(structure, truth[0], constants, residual / jitter)
    return Discovery(law, said, constants, verdict, residual, jitter, clips, lost)


def cut(scene: Scene, moving: Trajectory, kept: Bool[np.ndarray, "b n"]) -> Stretches:
    """Cut tracks at contacts, leaving out bodies that may not be judged."""
    free = in_flight(scene, moving, touched(scene, moving)) & kept[:, None]
    return stretches(scene, coordinate_names(scene), moving, free)


def _halves(tracks: Stretches) -> tuple[Stretches, Stretches]:
    """Keep every fourth clip for the roll-out; with fewer than eight clips use all of them twice."""
    clips = np.unique(tracks.clip)
    held = np.isin(tracks.clip, clips[3::4]) if len(clips) >= 8 else np.zeros(len(tracks.clip), bool)
    return tracks.of(~held), tracks.of(held if held.any() else ~held)


def with_constants(structure: Structure, tracks: Stretches, theta: Float[np.ndarray, " p"]) -> Acceleration:
    """Return the law with its constants put in."""
    law = compiled(structure, tracks.names, tuple(tracks.given))
    return lambda *arguments: law(*arguments, *theta)


def _rolled_out(structure: Structure, test: Stretches, final: Fit) -> Metres:
    """Return the residual of held-out clips under the law as printed, with only their starts free."""
    return start_free(with_constants(structure, test, final.theta), test).rms


@lru_cache(maxsize=64)
def exact(scene: Scene) -> Trajectory:
    """Simulate the clips from which the true constants are read."""
    rng = np.random.default_rng(0)
    return scene.simulate(np.array([scene.sample("train", rng) for _ in range(REFERENCE_CLIPS)]), scene.clock())


@lru_cache(maxsize=64)
def reference(scene: Scene) -> tuple[TrueLaw, Fit] | None:
    """Fit the true structure to exact simulations: what the constants are, as this instrument reads them.

    None where the law, or the motion without anybody's action, is not of a kind that can be compared.
    """
    known = true_law(scene)
    if known is None:
        return None
    tracks = cut(scene, exact(scene), np.ones(exact(scene).position.shape[::2][:2], bool))
    if len(np.unique(tracks.clip)) < FEWEST_CLIPS:
        return None
    fit = fitted(known.structure, tracks, guessed(known.structure, tracks))
    return (known, fit) if fit.rms < UNREADABLE else None


def _constants(
    structure: Structure, final: Fit, truth: tuple[TrueLaw, Fit], names: tuple[str, ...]
) -> tuple[Constant, ...]:
    """Name every constant as the true law does where it has that term, and set the true value beside it."""
    known = true_parts(*truth)
    bounds, made = final.intervals(), []
    for k, term in enumerate(structure.terms):
        row, feature = next((row, part) for row, part in enumerate(term) if part != 0)
        name, expected = known.get((row, feature), (f"{names[row]}'' per {sympy.sstr(feature)}", float("nan")))
        sign = -1.0 if name.startswith("-") else 1.0
        low, high = sorted(sign * bounds[k])
        values = tuple((sign * final.pseudo[:, k]).tolist())
        made.append(Constant(name.removeprefix("-"), sign * float(final.theta[k]), low, high, sign * expected, values))
    if structure.central:
        expected = truth[1].theta[-1] if truth[0].structure.central else float("nan")
        low, high = bounds[-1].tolist()
        values = tuple(final.pseudo[:, -1].tolist())
        made.append(Constant("p", float(final.theta[-1]), low, high, float(expected), values))
    return tuple(made)


def true_parts(known: TrueLaw, fit: Fit) -> dict[tuple[int, sympy.Expr], tuple[str, float]]:
    """Return the scene's name of, and the true number before, every part of the true law."""
    parts = {}
    for value, term in zip(fit.theta, known.structure.terms, strict=False):
        for row, feature in enumerate(term):
            if feature != 0:
                symbol = sympy.factor(known.symbols[row, feature])
                minus = symbol.could_extract_minus_sign()
                parts[row, feature] = (("-" if minus else "") + sympy.sstr(-symbol if minus else symbol), float(value))
    return parts


def _impacts(scene: Scene, moving: Trajectory, pull: Float[np.ndarray, " d"]) -> tuple[Constant, ...]:
    """Return restitution, friction and the share of momentum that impacts hand on, against exact simulations."""
    if not contact_law(scene):
        return ()
    expected = touches(scene, exact(scene), pull)
    seen, made = touches(scene, moving, pull), []
    for wall, where in ((False, "between bodies"), (True, "at walls")):
        for quantity in ("restitution", "friction", "momentum"):
            values = np.array([getattr(t, quantity) for t in seen if t.with_wall == wall])
            true = np.array([getattr(t, quantity) for t in expected if t.with_wall == wall])
            if landing_law(scene) and wall and quantity == "restitution":
                true = np.zeros(1)  # so that a ball that bounces where it should lie is found out
            if np.isfinite(values).any() and np.isfinite(true).any():
                found = score(quantity, "", values)
                name = f"{'momentum handed on' if quantity == 'momentum' else quantity} {where}"
                made.append(Constant(name, found.value, found.low, found.high, float(np.nanmedian(true)), found.values))
    return tuple(made)


def _verdict(structure: Structure, known: TrueLaw, constants: tuple[Constant, ...], ratio: float) -> str:
    if not ratio <= LAWLESS:
        return NO_LAW
    if structure.parts() != known.structure.parts():
        return OTHER
    return SAME if all(constant.covered for constant in constants) else CONSTANTS


def _digits(low: float, high: float) -> int:
    """Return to how many decimals a constant is known."""
    half = (high - low) / 2
    return int(np.clip(1 - np.floor(np.log10(half)), 0, 6)) if half > 0 and np.isfinite(half) else 4


def constant_pull(structure: Structure, fit: Fit) -> Float[np.ndarray, " d"]:
    """Return the constant part of the acceleration, which is all that worlds with contacts have."""
    pull = np.zeros(2)
    for value, term in zip(fit.theta, structure.terms, strict=False):
        for row, part in enumerate(term[:2]):
            pull[row] += float(value) * float(part) if part.is_number else 0.0
    return pull
