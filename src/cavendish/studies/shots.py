"""A world in which the next experiment can be chosen, learners of it, and ways to choose.

A red ball is shot at a blue one at rest: an experiment is u = (height, angle, speed) in the unit box and a little
outside. The centres meet where |c + v t| = R; along the line n of centres the red one then loses, the blue one gains
    J = (1 + e) (v . n) / (1 + 1 / q),   v' = v - J n,   w' = (J / q) n        (q: mass of blue / mass of red),
and what is seen is where both are after `LATE` seconds, to within `BLUR`. Most shots miss. In one corner of the box a
screen may flicker: what is seen there is chance (the noisy television of Burda et al. 2018).
Learner, the same for everybody: an ensemble of small networks u -> outcome, taught afresh after every round.
    random, sobol    uniform; space-filling (scrambled)          narrow    uniform in a tenth of every range
    disagreement     where the ensemble's answers differ most (Pathak et al. 2019)
    progress         near experiments whose error fell most with the last lessons (Oudeyer et al. 2007)
    laws             where laws (q, e) that explain what was seen so far differ most: query by committee
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import final

import numpy as np
import torch
from jaxtyping import Bool, Float
from scipy.optimize import least_squares
from scipy.spatial import KDTree
from scipy.stats import qmc

from cavendish.training import seeded

START, REACH, LATE, BLUR = 4.0, 0.4, 2.5, 0.01  # m to the blue ball, m between centres that touch, s, m
LOW, HIGH = np.array([-2.0, -0.6, 1.5]), np.array([2.0, 0.6, 3.0])  # m, rad, m/s
SCREEN, FLICKER = np.array([0.5, 0.5, 0.5]), 1.5  # the corner of the box where it stands; m
CANDIDATES, APART, NETS, LESSONS, LAWS = 512, 0.08, 5, 200, 600
Experiments = Float[np.ndarray, "n 3"]
Outcomes = Float[np.ndarray, "n 4"]


@final
@dataclass(frozen=True)
class Shots:
    """The world: what blue weighs and how it bounces, and whether a screen flickers."""

    ratio: float = 3.0
    restitution: float = 0.8
    screen: bool = False

    def see(self, u: Experiments, rng: np.random.Generator) -> Outcomes:
        """Do experiments."""
        seen = outcome(u, self.ratio, self.restitution) + BLUR * rng.standard_normal((len(u), 4))
        chance = FLICKER * rng.standard_normal((len(u), 4))
        return np.where(self.flickers(u)[:, None], chance, seen)

    def flickers(self, u: Experiments) -> Bool[np.ndarray, " n"]:
        """Tell which experiments are looked at through the screen."""
        return np.asarray((u > SCREEN).all(1) & (u <= 1).all(1) & self.screen)


def outcome(u: Experiments, ratio: Float[np.ndarray, "*l"] | float, restitution: float | np.ndarray) -> np.ndarray:
    """Return where red and blue are at the end, about where blue stood, for every experiment and, behind, law."""
    height, angle, speed = (LOW + u * (HIGH - LOW)).T
    c = np.stack([np.full(len(u), -START), height], -1)
    v = speed[:, None] * np.stack([np.cos(angle), np.sin(angle)], -1)
    along, square = (c * v).sum(-1), (v * v).sum(-1)
    under = along**2 - square * ((c * c).sum(-1) - REACH**2)
    meet = np.where((under > 0) & (along < 0), (-along - np.sqrt(np.maximum(under, 0))) / square, np.inf)
    meet = np.where(meet < LATE, meet, LATE)[:, None]
    n = -(c + v * meet) / REACH
    push = np.where(meet < LATE, (v * n).sum(-1, keepdims=True), 0.0) * n * (LATE - meet)
    laws = (np.asarray(ratio), np.asarray(restitution))
    given = ((1 + laws[1]) / (1 + 1 / laws[0]))[..., None, None]
    red, blue = c + v * LATE - given * push, given / laws[0][..., None, None] * push
    return np.concatenate([red, blue], -1)


def touching(u: Experiments) -> Bool[np.ndarray, " n"]:
    """Tell which shots hit."""
    return np.asarray(np.abs(outcome(u, 1.0, 1.0)[:, 2:]).sum(-1) > 0)


@final
class Ensemble:
    """Several networks taught at once, each from its own start and its own resample of what was seen."""

    def __init__(self, u: Experiments, seen: Outcomes, seed: int) -> None:
        dice = seeded(seed, len(u))
        sizes = ((3, 64), (64, 64), (64, 4))
        self.weights = [torch.randn(NETS, a, b, generator=dice) * (2 / a) ** 0.5 for a, b in sizes]
        self.weights += [torch.zeros(NETS, 1, b) for _, b in sizes]
        own = torch.randint(len(u), (NETS, len(u)), generator=dice)
        x, y = torch.from_numpy(u).float()[own], torch.from_numpy(seen).float()[own]
        for weight in self.weights:
            weight.requires_grad_(True)
        optimiser = torch.optim.AdamW(self.weights, 1e-2, weight_decay=1e-3)
        schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, 1e-2, total_steps=LESSONS)
        for _ in range(LESSONS):
            optimiser.zero_grad()
            (self._forward(x) - y).square().mean((1, 2)).sum().backward()  # type: ignore[no-untyped-call]
            optimiser.step()
            schedule.step()

    @torch.no_grad()
    def foretell(self, u: Experiments) -> Float[np.ndarray, "m n 4"]:
        """Return every network's answer."""
        return self._forward(torch.from_numpy(u).float().expand(NETS, -1, -1)).double().numpy()

    def _forward(self, x: torch.Tensor) -> torch.Tensor:
        x = 2 * x - 1
        for k in range(3):
            x = torch.baddbmm(self.weights[3 + k], x, self.weights[k])
            x = torch.nn.functional.gelu(x) if k < 2 else x
        return x


@dataclass(frozen=True)
class Known:
    """All that a chooser may look at."""

    u: Experiments
    seen: Outcomes
    now: Ensemble
    before: Ensemble | None
    seed: int


Chooser = Callable[[Known, int, np.random.Generator], Experiments]


def anywhere(known: Known, count: int, rng: np.random.Generator) -> Experiments:
    """Choose at random."""
    return rng.random((count, 3))


def evenly(known: Known, count: int, rng: np.random.Generator) -> Experiments:
    """Go on with a scrambled Sobol sequence."""
    return np.asarray(qmc.Sobol(3, rng=known.seed).random_base2(10)[len(known.u) : len(known.u) + count])


def narrowly(known: Known, count: int, rng: np.random.Generator) -> Experiments:
    """Watch what happens to happen: a tenth of every range about the middle."""
    return 0.45 + 0.1 * rng.random((count, 3))


def where_unsure(known: Known, count: int, rng: np.random.Generator) -> Experiments:
    """Choose where the ensemble disagrees."""
    u = rng.random((CANDIDATES, 3))
    return _best(u, known.now.foretell(u).var(0).sum(-1), count)


def where_learning(known: Known, count: int, rng: np.random.Generator) -> Experiments:
    """Choose near experiments whose error fell; a quarter at random, else nothing new would ever be tried."""
    u, random = rng.random((CANDIDATES, 3)), rng.random((count // 4, 3))
    if known.before is None:
        return u[:count]
    errors = [((one.foretell(known.u).mean(0) - known.seen) ** 2).sum(-1) for one in (known.before, known.now)]
    _, near = KDTree(known.u).query(u, 5)
    return np.concatenate([random, _best(u, (errors[0] - errors[1])[near].mean(1), count - len(random))])


def where_laws_part(known: Known, count: int, rng: np.random.Generator) -> Experiments:
    """Choose where laws that are still possible foretell different things."""
    ratio, restitution, weight = possible_laws(known, rng)
    drawn = rng.choice(LAWS, 32, p=weight)
    u = rng.random((CANDIDATES, 3))
    return _best(u, outcome(u, ratio[drawn], restitution[drawn]).var(0).sum(-1), count)


CHOOSERS: Mapping[str, Chooser] = {
    "random": anywhere,
    "sobol": evenly,
    "disagreement": where_unsure,
    "progress": where_learning,
    "laws": where_laws_part,
    "passive, narrow": narrowly,
}


def possible_laws(known: Known, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return laws (q, e) drawn from a wide prior, and their weights: a robust likelihood of what was seen, tempered."""
    ratio, restitution = np.exp(rng.uniform(np.log(0.2), np.log(10), LAWS)), rng.uniform(0, 1, LAWS)
    miss = np.abs(outcome(known.u, ratio, restitution) - known.seen).sum(-1)
    cost = np.minimum(miss, 1.0).sum(1) / 0.1  # m; a screen cannot rule out every law
    weight = np.exp(-(cost - cost.min()))
    return ratio, restitution, weight / weight.sum()


def likeliest_law(known: Known, rng: np.random.Generator) -> tuple[float, float]:
    """Fit (q, e) from the likeliest of many starts; what no law explains, as through a screen, counts little."""

    def misses(law: Float[np.ndarray, " p"]) -> Float[np.ndarray, " m"]:
        return np.asarray((outcome(known.u, np.exp(law[0]), law[1]) - known.seen).ravel())

    ratio, restitution, weight = possible_laws(known, rng)
    start = [float(np.log(ratio[weight.argmax()])), float(restitution[weight.argmax()])]
    found = least_squares(misses, start, loss="soft_l1", f_scale=3 * BLUR).x
    return float(np.exp(found[0])), float(found[1])


def _best(u: Experiments, worth: Float[np.ndarray, " n"], count: int) -> Experiments:
    """Take the most worthwhile ones that are not too near to one another."""
    chosen: list[int] = []
    for k in np.argsort(-worth):
        if all(np.abs(u[k] - u[other]).max() > APART for other in chosen):
            chosen.append(int(k))
        if len(chosen) == count:
            break
    return u[chosen]
