"""The evaluation grids of Kang et al. 2024 for one ball: 160 clips inside the training ranges, 992 outside.

Read off their released generators: linear grids of radius x velocity, six groups outside the ranges.
Starting positions are drawn by the scene's own placement rule, from the given generator.
"""

import numpy as np
from jaxtyping import Float

from cavendish.errors import BadInputError
from cavendish.scenes import Scene

Axis = tuple[float, float, int]  # first, last, number

INSIDE: tuple[tuple[Axis, Axis], ...] = (((0.7, 1.4, 10), (1.0, 4.0, 16)),)
SMALL, LARGE = (0.3, 0.6, 8), (1.5, 2.0, 8)
SLOW, FAST = (0.0, 0.8, 16), (4.5, 6.0, 16)
OUTSIDE: tuple[tuple[Axis, Axis], ...] = (
    (SMALL, (1.0, 4.0, 8)),
    ((0.7, 1.4, 8), SLOW),
    (SMALL, SLOW),
    (LARGE, (1.0, 4.0, 16)),
    ((0.7, 1.4, 10), FAST),
    (LARGE, FAST),
    (SMALL, FAST),
    (LARGE, SLOW),
)


def study_grid(
    scene: Scene, groups: tuple[tuple[Axis, Axis], ...], rng: np.random.Generator
) -> Float[np.ndarray, "b f"]:
    """Return the factors of one grid (INSIDE or OUTSIDE) for a scene of one ball."""
    names = [factor.name for factor in scene.factors]
    if names != ["radius", "velocity", "x", "y"]:
        raise BadInputError(f"{scene.name()}: the study's one-ball grid needs factors radius, velocity, x, y")
    rows = []
    for radii, speeds in groups:
        for radius in np.linspace(*radii):
            for speed in np.linspace(*speeds):
                chosen = {"radius": float(radius), "velocity": float(speed)}
                scene.place(chosen, "train", rng)
                rows.append([chosen[name] for name in names])
    return np.array(rows)
