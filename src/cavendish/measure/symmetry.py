"""Does a model's world look the same from another place, in a mirror, on its side, from a moving train?

A symmetry moves every state: x -> R (x - c) + c + a + u t, with c the middle of the world. Imagining after the move
must be the same as moving what was imagined (equivariance; Noether 1918, Galilei 1632):
    error = mean |S^-1 imagine(S context) - imagine(context)|     over frames in which both are in view.
Which symmetries a scene has is not listed but asked of its own law: exact motion, moved, must still obey it.
"""

from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float

from cavendish.measure.discovery import cut, exact, reference, with_constants
from cavendish.measure.score import Score, score
from cavendish.measure.shooting import FLOOR, start_free
from cavendish.motion import Trajectory
from cavendish.scenes import Scene
from cavendish.scenes.looks import in_view


@dataclass(frozen=True)
class Symmetry:
    """A move of all states."""

    name: str
    turn: tuple[tuple[float, float], tuple[float, float]] = ((1.0, 0.0), (0.0, 1.0))
    shift: tuple[float, float] = (0.0, 0.0)  # m
    boost: tuple[float, float] = (0.0, 0.0)  # m/s

    def move(self, scene: Scene, moving: Trajectory) -> Trajectory:
        """Move a trajectory."""
        turn, middle = np.array(self.turn), _middle(scene)
        position = (moving.position - middle) @ turn.T + middle + self._way(moving.time)
        return replace(moving, position=position, velocity=moving.velocity @ turn.T + np.array(self.boost))

    def undo(self, scene: Scene, moving: Trajectory) -> Trajectory:
        """Move it back."""
        turn, middle = np.array(self.turn), _middle(scene)
        position = (moving.position - self._way(moving.time) - middle) @ turn + middle
        return replace(moving, position=position, velocity=(moving.velocity - np.array(self.boost)) @ turn)

    def _way(self, time: Float[np.ndarray, " t"]) -> Float[np.ndarray, "t 1 d"]:
        return np.asarray((np.array(self.shift) + time[:, None] * np.array(self.boost))[:, None])


SYMMETRIES = (
    Symmetry("translation", shift=(0.5, -0.5)),
    Symmetry("mirror", turn=((-1.0, 0.0), (0.0, 1.0))),
    Symmetry("rotation", turn=((0.0, -1.0), (1.0, 0.0))),
    Symmetry("boost", boost=(-0.5, 0.0)),
)


def _middle(scene: Scene) -> Float[np.ndarray, " d"]:
    return np.array([scene.world.width, scene.world.height]) / 2


def symmetries(scene: Scene) -> tuple[Symmetry, ...]:
    """Return the symmetries under which the scene's exact motion still obeys its law."""
    known = reference(scene)
    return () if known is None else tuple(s for s in SYMMETRIES if _holds(scene, s))


def _holds(scene: Scene, symmetry: Symmetry) -> bool:
    known = reference(scene)
    assert known is not None
    truth = symmetry.move(scene, exact(scene))
    tracks = cut(scene, truth, np.ones((len(truth.position), scene.bodies), bool))
    if len(tracks.clip) == 0:
        return False
    return start_free(with_constants(known[0].structure, tracks, known[1].theta), tracks).rms < FLOOR


def equivariance(scene: Scene, symmetry: Symmetry, plain: Trajectory, moved: Trajectory) -> Score:
    """Compare what was imagined from a context with what was imagined from the moved context."""
    back = symmetry.undo(scene, moved)
    seen = in_view(scene.draw(plain)) & in_view(scene.draw(moved)) & ~plain.lost & ~moved.lost
    seen[:, : scene.context] = False
    apart = np.where(seen, np.linalg.norm(back.position - plain.position, axis=-1), 0.0)
    count = seen.sum((1, 2))
    mean = np.where(count > 0, apart.sum((1, 2)) / np.maximum(count, 1), np.nan)
    return score(f"equivariance error, {symmetry.name}", "m", mean)
