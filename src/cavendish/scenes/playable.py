"""Worlds that answer to buttons: one button is held from frame to frame, and the motion stays exact.

An action is the number of a button in `controls`, 0 being none: actions[b, k, 0] acts from time[k] to time[k + 1],
so the last one moves nothing, and the velocity at a frame is the one with which it is reached.
Any moment of a trajectory can be the beginning of another, which is how an environment steps:
    simulate(f, t_0..t_n, a_0..a_n) = simulate(resume(simulate(f, t_0..t_m, ..)), t_m..t_n, a_m..a_n)   to the bit.
Buttons are drawn afresh for every frame by default: if they were held, a pupil who is not told of them could
explain the video by inertia alone (Bruce et al. 2024, arXiv 2402.15391, repeat no actions either).
"""

from abc import abstractmethod
from typing import ClassVar

import numpy as np
from jaxtyping import Bool, Float, Int

from cavendish.errors import BadInputError
from cavendish.motion import Trajectory
from cavendish.scenes.scene import Scene


class Playable(Scene):
    """A scene whose motion somebody steers."""

    controls: ClassVar[tuple[str, ...]]  # the names of the buttons, "none" first
    frames: ClassVar[int] = 64
    context: ClassVar[int] = 4
    handed: ClassVar[bool] = True  # in a mirror, left and right would have to change places
    seen_whole: ClassVar[bool] = True  # places, sizes and speeds of the bodies are all of its state

    def policy(
        self, factors: Float[np.ndarray, " f"], region: str, rng: np.random.Generator
    ) -> Float[np.ndarray, "t a"]:
        """Draw the buttons of one clip: independent and evenly spread, unless the scene knows a player."""
        return rng.integers(len(self.controls), size=(self.frames, 1)).astype(float)

    @abstractmethod
    def resume(self, trajectory: Trajectory) -> Float[np.ndarray, "b f"]:
        """Return the factors of clips that begin where these end."""

    @abstractmethod
    def progress(self, trajectory: Trajectory) -> Float[np.ndarray, "*b t"]:
        """Return how far a player has come, in metres; the reward of a step is what it adds."""

    def finished(self, trajectory: Trajectory) -> Bool[np.ndarray, "*b t"]:
        """Tell where the game is over; most games have no end."""
        return np.zeros(trajectory.position.shape[:-2], bool)

    def buttons(
        self, actions: Float[np.ndarray, "..."] | None, clips: int, time: Float[np.ndarray, " t"]
    ) -> Int[np.ndarray, "b t"]:
        """Check the actions of a batch and return them as numbers of buttons; no actions press nothing."""
        if actions is None:
            return np.zeros((clips, len(time)), int)
        if actions.shape != (clips, len(time), 1):
            raise BadInputError(f"{self.name()}: actions have shape {actions.shape}, expected {(clips, len(time), 1)}")
        wrong = ~np.isin(actions, np.arange(len(self.controls)))
        if wrong.any():
            buttons = ", ".join(f"{number} {name}" for number, name in enumerate(self.controls))
            raise BadInputError(f"{self.name()}: action {actions[wrong][0]:g} is no button, expected {buttons}")
        return actions[..., 0].astype(int)
