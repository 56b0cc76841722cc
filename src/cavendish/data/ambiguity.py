"""What a picture does not tell: the true distribution of outcomes of worlds that look the same.

Two clips whose lengths differ by less than a pixel cannot be told apart by a pupil who sees pixels, yet one ball may
pass a gap and the other not (Kang et al. 2024, arXiv 2411.02385, figure 10). The truth is then no single future but
    p(outcome | picture) = share of the worlds f + u,  u_i uniform in [-p/2, p/2] for every length f_i,
with the side p of a pixel in metres; worlds that cannot be are drawn again. Factors that are no lengths keep their
values, and so do lengths of zero: what is absent is seen to be absent.
"""

import numpy as np
from jaxtyping import Float

from cavendish.data.split import Picture
from cavendish.errors import BadInputError
from cavendish.motion import Trajectory
from cavendish.scenes import Scene

TRIES = 20  # draws per world that is asked for


def outcomes(
    scene: Scene, factors: Float[np.ndarray, " f"], picture: Picture, count: int, rng: np.random.Generator
) -> Trajectory:
    """Return the futures of `count` worlds that agree with one clip to within half a pixel in every length."""
    if count < 1:
        raise BadInputError(f"count = {count}, expected at least 1")
    scene.simulate(factors[None], scene.clock()[:1])  # the clip itself must be possible
    pixel = max(scene.world.width / picture.width, scene.world.height / picture.height)
    blurred = np.array([factor.unit == "m" for factor in scene.factors]) & (factors != 0)
    rows: list[Float[np.ndarray, " f"]] = []
    for _ in range(TRIES * count):
        row = factors + blurred * rng.uniform(-pixel / 2, pixel / 2, len(factors))
        try:
            scene.simulate(row[None], scene.clock()[:1])
        except BadInputError:
            continue
        rows.append(row)
        if len(rows) == count:
            return scene.simulate(np.array(rows), scene.clock())
    raise BadInputError(f"{scene.name()}: only {len(rows)} of {TRIES * count} neighbouring worlds are possible")
