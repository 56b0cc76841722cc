"""The grids of Kang et al. 2024, read off their released generators: what they teach and what they ask.

Taught: a grid over the ranged factors at three levels; 30 thousand, 300 thousand and 3 million clips for one ball
(radius x velocity), 28,224, 329,476 and 3,407,716 for a collision (both radii x both speeds).
Asked, one ball: 160 clips inside the training ranges, 992 outside. Asked, collision: 256 inside; outside 666 with small
or slow balls, 904 with large or fast ones and 636 with one of each, before clips that cannot be placed are dropped.
Starting positions are drawn by the scene's own placement rule, anew for every clip: the study repeats some 2,300
positions over all levels, and its evaluation draws from the same ones.
"""

import math
from itertools import product

import numpy as np
from jaxtyping import Float

from cavendish.data.split import Split
from cavendish.errors import BadInputError, chosen
from cavendish.scenes import AnyScene, Scene

Axis = tuple[float, float, int]  # first, last, number
Group = tuple[Axis, ...]  # one axis for every factor that has ranges

INSIDE: tuple[Group, ...] = (((0.7, 1.4, 10), (1.0, 4.0, 16)),)
SMALL, LARGE = (0.3, 0.6, 8), (1.5, 2.0, 8)
SLOW, FAST = (0.0, 0.8, 16), (4.5, 6.0, 16)
OUTSIDE: tuple[Group, ...] = (
    (SMALL, (1.0, 4.0, 8)),
    ((0.7, 1.4, 8), SLOW),
    (SMALL, SLOW),
    (LARGE, (1.0, 4.0, 16)),
    ((0.7, 1.4, 10), FAST),
    (LARGE, FAST),
    (SMALL, FAST),
    (LARGE, SLOW),
)


def _levels(radius: Axis, speed: Axis) -> tuple[Group, ...]:
    """Lead two balls out of the ranges: one radius, one speed, both radii, both speeds, one of each, all four."""
    r, v = (0.5, 1.5, 3), (1.0, 4.0, 3)
    return (
        (radius, r, v, v),
        (r, r, speed, v),
        (radius, radius, v, v),
        (r, r, speed, speed),
        (radius, r, speed, v),
        (radius, radius, speed, speed),
    )


TINY, HUGE, CREEPING, RUSHING = (0.3, 0.4, 3), (1.7, 2.0, 4), (0.0, 0.8, 4), (4.5, 6.0, 4)
COLLISION_INSIDE: tuple[Group, ...] = (((0.5, 1.5, 4), (0.5, 1.5, 4), (1.0, 4.0, 4), (1.0, 4.0, 4)),)
COLLISION_SMALL, COLLISION_LARGE = _levels(TINY, CREEPING), _levels(HUGE, RUSHING)
COLLISION_MIXED: tuple[Group, ...] = (
    (TINY, HUGE, (1.0, 4.0, 3), (1.0, 4.0, 3)),
    ((0.5, 1.5, 3), (0.5, 1.5, 3), CREEPING, RUSHING),
    (TINY, HUGE, CREEPING, RUSHING),
    (HUGE, TINY, CREEPING, RUSHING),
)

TAUGHT: dict[str, tuple[tuple[int, ...], ...]] = {  # for two and for four ranged factors
    "30K": ((100, 300), (8, 8, 21, 21)),
    "300K": ((300, 1000), (14, 14, 41, 41)),
    "3M": ((1000, 3000), (26, 26, 71, 71)),
}


def study_level(scene: AnyScene, level: str) -> Split:
    """Return the study's training grid of a scene at a level; `Split(scene, size=...)` draws at random instead."""
    known = chosen("level", level, TAUGHT)
    ranged = sum(bool(factor.ranges) for factor in scene.factors)
    for grid in known:
        if len(grid) == ranged:
            return Split(scene, size=math.prod(grid), grid=grid)
    raise BadInputError(
        f"{scene.name()}: the study's levels are grids of 2 or 4 ranged factors, this scene has {ranged}"
    )


def study_grid(scene: Scene, groups: tuple[Group, ...], rng: np.random.Generator) -> Float[np.ndarray, "b f"]:
    """Return the factors of one evaluation grid, less the clips for which there is no place.

    Where the rule of the training clips finds none, that of the unfamiliar ones is tried: less time before an impact.
    """
    names = [factor.name for factor in scene.factors if factor.ranges]
    rows = []
    for group in groups:
        if len(group) != len(names):
            raise BadInputError(
                f"{scene.name()}: a grid of {len(group)} axes, expected {len(names)}: {', '.join(names)}"
            )
        for values in product(*(np.linspace(*axis) for axis in group)):
            chosen = dict(zip(names, map(float, values), strict=True))
            if any(scene.place(chosen, rule, rng) for rule in ("train", "ood-both") for _ in range(20)):
                rows.append([chosen[factor.name] for factor in scene.factors])
    return np.array(rows)
