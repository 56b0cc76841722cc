"""A scene of your own in one file: a ball on a carousel, read back from its own pictures.

A scene that does not say how it looks (`draw`) shows its bodies as discs, the first one red.

In the package it would be this class in `scenes/carousel.py` and two lines in `scenes/__init__.py`.
"""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from cavendish.measure import scorecard
from cavendish.motion import Trajectory
from cavendish.readout import Reader
from cavendish.render import render
from cavendish.scenes.scene import Factor, Law, Scene, assemble


@dataclass(frozen=True)
class Carousel(Scene):
    """A ball goes round the middle of the world at constant angular speed."""

    rate: float = 2.0  # rad/s

    factors: ClassVar = (Factor("arm", "m", {"train": ((1.0, 3.0),), "ood-arm": ((3.0, 4.0),)}),)
    law: ClassVar = Law(("Eq(Derivative(phi(t), t), w)",), {"t": "time [s]", "w": "angular speed [rad/s]"})
    bodies: ClassVar = 1

    def place(self, chosen: dict[str, float], region: str, rng: np.random.Generator) -> bool:
        """Place nothing: every ball starts on the right."""
        return True

    def simulate(self, factors: np.ndarray, time: np.ndarray, actions: np.ndarray | None = None) -> Trajectory:
        """Go round."""
        arm, phi = self.begun(factors, time)["arm"][:, None, None, None], self.rate * time
        along = np.stack([np.cos(phi), np.sin(phi)], -1)[None, :, None]
        across = np.stack([-np.sin(phi), np.cos(phi)], -1)[None, :, None]
        return assemble(time, 5 + arm * along, self.rate * arm * across, np.full((len(arm), 1), 0.8), factors)

    def invariants(self, trajectory: Trajectory) -> dict[str, np.ndarray]:
        """Length of the arm."""
        return {"arm [m]": np.linalg.norm(trajectory.position[..., 0, :] - 5, axis=-1)}


scene, rng = Carousel(), np.random.default_rng(0)
truth = scene.simulate(np.array([scene.sample("train", rng) for _ in range(20)]), scene.clock())
for score in scorecard(
    scene, truth, Reader.of(scene.draw(truth)).read(render(scene.draw(truth), 128, 128), truth.time)
):
    print(f"{score.name:28s} {score.value:.2g} {score.unit}")
