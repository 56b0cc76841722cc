"""Records of video: what a model is shown and what it answers. Axis legend: see `motion`."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from cavendish.errors import BadInputError
from cavendish.motion import Seconds, Trajectory, World


@dataclass(frozen=True)
class Clip:
    """Frames with their clock and their scale; a batch of clips has one more axis in front."""

    frames: UInt8[Tensor, "*b t h w c"]  # sRGB
    time: Float[Tensor, " t"]  # s
    world: World  # metres across and up the frame
    trajectory: Trajectory | None = None  # the truth, where it is known; models never look at it
    actions: Float[Tensor, "*b t a"] | None = None  # the buttons pressed, where known; kept apart from learning
    told: Callable[[], tuple[str, ...]] | None = None  # makes a caption for every clip, where one is asked for

    @property
    def tick(self) -> Seconds | None:
        """Return the mean time between frames; a picture has none."""
        return float(self.time.diff().mean()) if len(self.time) > 1 else None

    @property
    def truth(self) -> Trajectory:
        """Return the true trajectory, or refuse films of which nobody knows it."""
        if self.trajectory is None:
            raise BadInputError("clips without a true trajectory, expected clips of a scene")
        return self.trajectory

    def first(self, count: int) -> "Clip":
        """Keep the first `count` frames: the context that a model is given. Captions tell the rest, so they go."""
        return Clip(self.frames[..., :count, :, :, :], self.time[:count], self.world)


@dataclass(frozen=True)
class Imagined:
    """A model's continuation of a context: the given frames, then `horizon` dreamt ones."""

    frames: UInt8[Tensor, "b t h w c"] | None  # None for a model that has no pixels
    features: Float[Tensor, "b t k"] | None
    time: Float[Tensor, " t"]  # s
    world: World
    context: int  # how many leading frames were given, not dreamt

    @property
    def film(self) -> UInt8[Tensor, "b t h w c"]:
        """Return the frames, or refuse what a model without pixels imagines."""
        if self.frames is None:
            raise BadInputError("this model imagines features, not pictures; nothing to film")
        return self.frames


def check_frames(frames: Tensor) -> UInt8[Tensor, "b t h w c"]:
    """Return the frames of a batch of clips; refuse what is no film."""
    if frames.ndim != 5 or frames.dtype != torch.uint8 or frames.shape[-1] != 3 or 0 in frames.shape:
        raise BadInputError(f"frames are {frames.dtype} {tuple(frames.shape)}, expected uint8 (b, t, h, w, 3)")
    return frames
