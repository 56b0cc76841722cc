"""A game that nobody here wrote: titles of the Arcade Learning Environment, played at random and filmed.

Episode e of a seed is played with buttons drawn independently and evenly (no button is repeated by chance or by the
console), each held for `HELD` frames of the console, 60 / s; only whole episodes' parts are kept, so no clip crosses a
reset. Clip i is a piece of episode i mod `episodes`, from an instant drawn by (seed, i): a function of two integers
once the episodes are played, which takes about a millisecond per frame. Frames are averaged down to squares. The
buttons stay beside the clip, for scoring and for nothing else. There is no law, no truth in metres and no region: a
frame is 1 m wide by decree, and whoever asks for a scene is refused.
"""

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Literal, final

import numpy as np
import torch
from jaxtyping import Int, UInt8
from PIL import Image

from cavendish.data.split import Split
from cavendish.errors import BadInputError, needs_extra
from cavendish.motion import Seconds, World
from cavendish.video import Clip

HELD = 4  # frames of the console


@final
@dataclass(frozen=True)
class Arcade:
    """Random play of one title."""

    title: Literal["Breakout", "Pong", "Freeway"] = "Breakout"
    episodes: int = 64
    length: int = 96  # frames of an episode
    frames: int = 16  # of a clip
    side: int = 64  # px
    seed: int = 0
    size: int = 1_000_000  # clips

    def __post_init__(self) -> None:
        """Refuse what could never yield a clip."""
        if min(self.episodes, self.size) < 1 or not 1 <= self.frames <= self.length or self.side < 8:
            raise BadInputError(f"{self}: expected at least 1 episode and clip, clips within episodes, 8 px or more")

    @property
    def lead(self) -> Split:
        """Refuse: nobody wrote down the law of this game."""
        raise BadInputError(f"{self.title} is no scene: its law is not known, so it can be watched but not weighed")

    @property
    def step(self) -> Seconds:
        """Return the time between frames."""
        return HELD / 60

    def batches(self, step: int, batch: int, device: str = "cpu") -> tuple[Clip, ...]:
        """Make what one training step sees, with its frames on a device."""
        clip = self.clips((np.arange(batch) + step * batch) % self.size)
        return (replace(clip, frames=clip.frames.to(device)),)

    def clips(self, indices: Int[np.ndarray, " b"]) -> Clip:
        """Cut a batch of clips from the episodes."""
        films, pressed = self._played
        cut, buttons = [], []
        for index in np.asarray(indices).tolist():
            start = np.random.default_rng([self.seed, index]).integers(self.length - self.frames + 1)
            span = (index % self.episodes, slice(start, start + self.frames))
            cut.append(films[span])
            buttons.append(pressed[span])
        time = self.step * torch.arange(self.frames)
        actions = torch.from_numpy(np.stack(buttons)).float()[..., None]
        return Clip(torch.from_numpy(np.stack(cut)), time, World(1.0, 1.0), None, actions)

    @cached_property
    def _played(self) -> tuple[UInt8[np.ndarray, "e t h w c"], Int[np.ndarray, "e t"]]:
        with needs_extra("playing an arcade game", "arcade"):
            import ale_py
            import gymnasium
        ale_py.ALEInterface.setLoggerMode(ale_py.LoggerMode.Error)
        gymnasium.register_envs(ale_py)
        game = gymnasium.make(f"ALE/{self.title}-v5", frameskip=HELD, repeat_action_probability=0.0)
        rng = np.random.default_rng(self.seed)
        films: list[UInt8[np.ndarray, "t h w c"]] = []
        pressed: list[Int[np.ndarray, " t"]] = []
        while len(films) < self.episodes:
            frame, _ = game.reset(seed=int(rng.integers(2**31)))
            film, over = [], False
            buttons = rng.integers(game.action_space.n, size=self.length)  # type: ignore[attr-defined]
            for button in buttons:
                film.append(square(frame, self.side))
                frame, _, over, _, _ = game.step(int(button))
                if over:
                    break
            if len(film) == self.length:
                films.append(np.stack(film))
                pressed.append(buttons)
        game.close()
        return np.stack(films), np.stack(pressed)


def square(frame: UInt8[np.ndarray, "h w c"], side: int) -> UInt8[np.ndarray, "s s c"]:
    """Average a frame down to a square of `side` pixels."""
    return np.asarray(Image.fromarray(frame).resize((side, side), Image.Resampling.BOX))
