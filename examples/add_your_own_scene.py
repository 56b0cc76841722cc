"""A scene of your own in one file: a ball on a spring, x'' = -(k / m) x, read back from its own pictures.

In the package it would be this class in `scenes/spring.py` and two lines in `scenes/__init__.py`.
"""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from cavendish.measure import scorecard
from cavendish.motion import Drawing, Trajectory
from cavendish.readout import Reader
from cavendish.render import render
from cavendish.scenes.scene import RED, Factor, Law, Scene, assemble, draw_discs, placed


@dataclass(frozen=True)
class Spring(Scene):
    """A ball swings about the middle of the world."""

    stiffness: float = 4.0  # N/m, of a ball of 1 kg

    factors: ClassVar = (
        Factor("amplitude", "m", {"train": ((1.0, 3.0),), "ood-amplitude": ((3.0, 4.0),)}),
        placed("y"),
    )
    law: ClassVar = Law(("Eq(Derivative(x(t), t, t), -k*(x(t) - 5))",), {"t": "time [s]", "k": "stiffness [N/m]"})
    bodies: ClassVar = 1

    def place(self, chosen: dict[str, float], region: str, rng: np.random.Generator) -> bool:
        """Choose a height."""
        chosen["y"] = float(rng.uniform(2, 8))
        return True

    def simulate(self, factors: np.ndarray, time: np.ndarray, actions: np.ndarray | None = None) -> Trajectory:
        """Swing."""
        column, omega = self.columns(factors), self.stiffness**0.5
        x = 5 + column["amplitude"][:, None] * np.cos(omega * time)
        v = -omega * column["amplitude"][:, None] * np.sin(omega * time)
        y = np.broadcast_to(column["y"][:, None], x.shape)
        position, velocity = np.stack([x, y], -1)[:, :, None], np.stack([v, 0 * y], -1)[:, :, None]
        return assemble(time, position, velocity, np.full((len(x), 1), 0.8), factors)

    def draw(self, trajectory: Trajectory) -> Drawing:
        """Draw a red ball."""
        return draw_discs(trajectory, (RED,), self.world)

    def invariants(self, trajectory: Trajectory) -> dict[str, np.ndarray]:
        """Energy of the swing."""
        x, v = trajectory.position[..., 0, 0] - 5, trajectory.velocity[..., 0, 0]
        return {"energy [J]": 0.5 * v**2 + 0.5 * self.stiffness * x**2}


scene, rng = Spring(), np.random.default_rng(0)
truth = scene.simulate(np.array([scene.sample("train", rng) for _ in range(20)]), scene.clock())
drawing = scene.draw(truth)
for score in scorecard(scene, truth, Reader.of(drawing).read(render(drawing, 128, 128), truth.time)):
    print(f"{score.name:28s} {score.value:.2g} {score.unit}")
