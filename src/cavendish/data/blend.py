"""Several kinds of clips in one step: splits cut in many ways and mixed, still a function of two integers.

A share takes from every clip of its split `frames` frames, each `stride`-th one, in a window of its own size. Where
and when it looks is drawn by the clip's own counter-based generator. Captions tell of the beginning and of the whole
world, so captioned shares begin there, unless the caption is a mere name.
Step n of about B clips holds of share i, with weight w_i among W = sum w,
    the clips  floor(n B w_i / W)  to  floor((n + 1) B w_i / W) - 1:
none is left out or seen twice, no step has more than one clip of any kind too many, and nothing is padded.
"""

from dataclasses import dataclass
from functools import partial
from typing import Literal, final

import numpy as np
import torch
from jaxtyping import Int

from cavendish.data.split import Split
from cavendish.errors import BadInputError
from cavendish.motion import Seconds, Trajectory, World
from cavendish.video import Clip

Told = Literal["nothing", "name", "terse", "numeric", "paraphrase"]  # name: which world it is, and no more


@final
@dataclass(frozen=True)
class Share:
    """A kind of clip: of which split, how much of each, and how many among the others."""

    split: Split
    weight: int
    frames: int  # 1: images
    stride: int = 1
    window: tuple[int, ...] = ()  # height and width in px of what is cut out; none: whole frames
    told: Told = "nothing"  # style of the captions

    def __post_init__(self) -> None:
        """Refuse cuts that no clip allows."""
        scene, picture = self.split.scene, self.split.picture
        if min(self.weight, self.frames, self.stride) < 1 or self._spare() < 1:
            raise BadInputError(
                f"share of {scene.name()}: weight {self.weight}, {self.frames} frames {self.stride} apart, "
                f"expected 1 or more, within the scene's {scene.frames} frames"
            )
        if self.window and (
            len(self.window) != 2 or not all(1 <= w <= s for w, s in zip(self.window, self._whole(), strict=True))
        ):
            raise BadInputError(
                f"window = {self.window} px, expected height and width within {picture.height} x {picture.width}"
            )
        if self.window and self.told not in ("nothing", "name"):
            raise BadInputError(
                f"window = {self.window}: captions tell of whole frames, expected told = nothing or name"
            )

    @property
    def step(self) -> Seconds:
        """Return the time between frames."""
        return self.split.scene.step * self.stride

    @property
    def size(self) -> tuple[int, int]:
        """Return height and width in pixels."""
        height, width = self.window or self._whole()
        return height, width

    def clips(self, indices: Int[np.ndarray, " b"], device: str = "cpu") -> Clip:
        """Make a batch of clips, each cut at a place and an instant of its own."""
        whole = self.split.clips(indices, device)
        height, width = self.size
        lasting, cut = (self.frames - 1) * self.stride + 1, []
        for film, index in zip(whole.frames, np.asarray(indices).tolist(), strict=True):
            rng = self.split.generator(index, 2)
            begin = rng.integers(self._spare()) if self.told in ("nothing", "name") else 0
            top, left = (int(rng.integers(s - w + 1)) for s, w in zip(self._whole(), (height, width), strict=True))
            cut.append(film[begin : begin + lasting : self.stride, top : top + height, left : left + width])
        world = World(
            *(m * w / s for m, w, s in zip(self._metres(), (width, height), self._whole()[::-1], strict=True))
        )
        told = None if self.told == "nothing" else partial(self._captions, whole.truth, indices)
        time = self.step * torch.arange(self.frames, dtype=torch.float32)
        return Clip(torch.stack(cut), time, world, told=told)

    def _captions(self, moving: Trajectory, indices: Int[np.ndarray, " b"]) -> tuple[str, ...]:
        from cavendish.data.captions import describe

        if self.told == "name":
            return (self.split.scene.name(),) * len(indices)
        return tuple(
            describe(self.split.scene, moving[n : n + 1], self.told, self.split.generator(index, 3))[0]
            for n, index in enumerate(np.asarray(indices).tolist())
        )

    def _spare(self) -> int:
        return self.split.scene.frames - (self.frames - 1) * self.stride

    def _whole(self) -> tuple[int, int]:
        return self.split.picture.height, self.split.picture.width

    def _metres(self) -> tuple[float, float]:
        return self.split.scene.world.width, self.split.scene.world.height


@final
@dataclass(frozen=True)
class Blend:
    """Shares of many kinds; the first one leads: it sets the scale, the clock and what prompts take for granted."""

    shares: tuple[Share, ...]

    def __post_init__(self) -> None:
        """Refuse a blend of nothing."""
        if not self.shares:
            raise BadInputError("a blend needs at least one share")

    @property
    def lead(self) -> Split:
        """Return the split that a model is weighed on."""
        return self.shares[0].split

    @property
    def frames(self) -> int:
        """Return the trained length in frames."""
        return self.shares[0].frames

    @property
    def step(self) -> Seconds:
        """Return the usual time between frames."""
        return self.shares[0].step

    @property
    def size(self) -> int:
        """Return the number of clips of all splits."""
        return sum(share.split.size for share in self.shares)

    @property
    def turn(self) -> int:
        """Return the number of clips after which every kind has had its turns: the sum of the weights."""
        return sum(share.weight for share in self.shares)

    def batches(self, step: int, batch: int, device: str = "cpu") -> tuple[Clip, ...]:
        """Make what one training step sees, with its frames on a device: a batch of each kind that has its turn."""
        made = []
        for share in self.shares:
            first, end = (n * batch * share.weight // self.turn for n in (step, step + 1))
            if end > first:
                made.append(share.clips(np.arange(first, end) % share.split.size, device))
        if not made:
            enough = -(-self.turn // max(share.weight for share in self.shares))
            raise BadInputError(
                f"batch = {batch}: no kind of clip has its turn in step {step}, expected {enough} or more"
            )
        return tuple(made)
