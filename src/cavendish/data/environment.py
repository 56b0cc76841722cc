"""A playable world as a gymnasium environment: what an agent sees is a rendered frame, what it does is a button.

Observation: uint8 h x w x 3, the frame of the moment. Action: Discrete, a number of `scene.controls`, held until the
next frame. Reward: the metres of progress that a step adds (`Playable.progress`: towards the middle of the table, or
to the right). An episode is over (`terminated`) where the scene says so, and cut (`truncated`) at its last frame.
The state of an episode is `state`, a trajectory of one instant; the frame is all that the agent is given.
A step is the scene's own `simulate` from that state, on the scene's own clock, so an episode equals the clip with
the same factors and actions (see `playable`). Reset with options {"factors": row} to start a known clip.
"""

from dataclasses import replace
from typing import Any, final

import numpy as np
from jaxtyping import UInt8

from cavendish.data.split import Picture
from cavendish.errors import BadInputError, needs_extra, unknown
from cavendish.motion import Trajectory
from cavendish.render import render
from cavendish.scenes import Playable

with needs_extra("an environment", "gym"):
    import gymnasium


@final
class Environment(gymnasium.Env[UInt8[np.ndarray, "h w c"], np.int64]):
    """One playable scene in one region, filmed at one size."""

    def __init__(self, scene: Playable, region: str = "train", picture: Picture | None = None) -> None:
        if region not in scene.regions():
            raise unknown(f"region of {scene.name()}", region, scene.regions())
        self.scene, self.region, self.picture = scene, region, picture or Picture(64, 64)
        shape = (self.picture.height, self.picture.width, 3)
        self.observation_space = gymnasium.spaces.Box(0, 255, shape, np.uint8)
        self.action_space = gymnasium.spaces.Discrete(len(scene.controls))
        self.render_mode = "rgb_array"
        self.metadata = {"render_modes": ["rgb_array"], "render_fps": round(1 / scene.step)}
        self._clock, self._frame = scene.clock(), 0
        self._state: Trajectory | None = None

    @property
    def state(self) -> Trajectory:
        """Return the true state of the moment; learning from pixels does not need it."""
        if self._state is None:
            raise BadInputError(f"{self.scene.name()}: reset the environment before its first step")
        return self._state

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[UInt8[np.ndarray, "h w c"], dict[str, Any]]:
        """Begin an episode: drawn from the region by the seed, or the one whose factors are given."""
        super().reset(seed=seed)
        for name in options or {}:
            if name != "factors":
                raise unknown("reset option", name, ["factors"])
        given = (options or {}).get("factors")
        factors = self.scene.sample(self.region, self.np_random) if given is None else np.asarray(given, dtype=float)
        self._frame, self._state = 0, self.scene.simulate(np.atleast_2d(factors), self._clock[:1])
        return self.render(), {}

    def step(self, action: np.int64 | int) -> tuple[UInt8[np.ndarray, "h w c"], float, bool, bool, dict[str, Any]]:
        """Hold a button until the next frame."""
        before, last = self.state, len(self._clock) - 1
        if self._frame == last:
            raise BadInputError(f"{self.scene.name()}: the episode ended at frame {last}, expected a reset")
        factors = before.factors if self._frame == 0 else self.scene.resume(before)
        actions = np.array([[[float(action)], [0.0]]])
        moved = self.scene.simulate(factors, self._clock[self._frame : self._frame + 2], actions)
        self._frame += 1
        self._state = _last(moved)
        reward = float(self.scene.progress(self._state)[0, -1] - self.scene.progress(before)[0, -1])
        return self.render(), reward, bool(self.scene.finished(self._state)[0, -1]), self._frame == last, {}

    def render(self) -> UInt8[np.ndarray, "h w c"]:
        """Return the frame of the moment."""
        frames = render(self.scene.draw(self.state), self.picture.height, self.picture.width)
        return np.asarray(frames[0, -1])


def _last(moving: Trajectory) -> Trajectory:
    """Return the last instant of a trajectory."""
    return replace(
        moving,
        time=moving.time[-1:],
        position=moving.position[:, -1:],
        velocity=moving.velocity[:, -1:],
        radius=moving.radius[:, -1:],
        confidence=moving.confidence[:, -1:],
    )
