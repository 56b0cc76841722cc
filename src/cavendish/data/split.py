"""A data set is a function: clip i = f(split, i), so it needs no disk and any worker may make any clip.

Every clip has its own counter-based generator (Philox, Salmon et al. 2011):
    key = (seed, fingerprint of scene, constants and region),  counter = index * 2^192,
hence no clip depends on another, on the order of access, or on the number of workers, and two regions
never share a position by accident.
"""

import hashlib
import math
from dataclasses import dataclass, replace
from functools import partial
from typing import final

import numpy as np
import torch
from jaxtyping import Float, Int

from cavendish.codec import telling
from cavendish.data.backdrop import Backdrop
from cavendish.errors import BadInputError, unknown
from cavendish.motion import Seconds, Trajectory
from cavendish.render import render
from cavendish.render.tensors import Canvas, render_tensors
from cavendish.scenes import AnyScene, Playable
from cavendish.video import Clip


@final
@dataclass(frozen=True)
class Picture:
    """How a scene is filmed: the size of a frame in pixels, and what distracts behind it."""

    height: int = 128
    width: int = 128
    backdrop: Backdrop | None = None  # distractors; none: a plain ground


@final
@dataclass(frozen=True)
class Split:
    """A named, endless-to-the-eye set of clips of one scene in one region."""

    scene: AnyScene
    region: str = "train"
    size: int = 30_000
    seed: int = 0
    picture: Picture = Picture()
    flip: float = 0.0  # share of clips mirrored left to right; the study trains with 0.5
    grid: tuple[int, ...] = ()  # points per ranged factor, the last one fastest; none: random draws

    def __post_init__(self) -> None:
        """Refuse what could never yield a clip."""
        if self.region not in self.scene.regions():
            raise unknown(f"region of {self.scene.name()}", self.region, self.scene.regions())
        if self.size < 1:
            raise BadInputError(f"split size = {self.size}, expected at least 1")
        if not 0.0 <= self.flip <= 1.0:
            raise BadInputError(f"flip = {self.flip}, expected a share between 0 and 1")
        if self.flip > 0.0 and self.scene.handed:
            raise BadInputError(
                f"flip = {self.flip}: the mirror image of {self.scene.name()} is another world, expected 0"
            )
        if not 0 <= self.seed < 2**64:
            raise BadInputError(f"seed = {self.seed}, expected 0 to 2^64 - 1")
        ranged = [factor for factor in self.scene.factors if factor.ranges]
        if self.grid and (len(self.grid) != len(ranged) or min(self.grid) < 1 or math.prod(self.grid) != self.size):
            raise BadInputError(f"grid = {self.grid}, expected {len(ranged)} numbers whose product is size {self.size}")

    @property
    def lead(self) -> "Split":
        """Return the split that a model is weighed on: itself (a blend has many)."""
        return self

    @property
    def frames(self) -> int:
        """Return the trained length in frames."""
        return self.scene.frames

    @property
    def step(self) -> Seconds:
        """Return the time between frames."""
        return self.scene.step

    def __len__(self) -> int:
        """Return the number of clips."""
        return self.size

    def __getitem__(self, index: int) -> Clip:
        """Make clip `index`, without a batch axis."""
        batch = self.clips(np.array([index]))
        actions = None if batch.actions is None else batch.actions[0]
        return Clip(batch.frames[0], batch.time, batch.world, batch.truth[0], actions, batch.told)

    def clips(self, indices: Int[np.ndarray, " b"], device: str = "cpu") -> Clip:
        """Make a batch of clips, in the order of the indices; an accelerator draws its frames, to within one byte."""
        trajectory, actions = self._made(indices)
        drawing, backdrop = self.scene.draw(trajectory), self.picture.backdrop
        height, width = self.picture.height, self.picture.width
        if device != "cpu" and backdrop is None and drawing.stage is None:  # landscapes have too many edges for it
            frames = render_tensors(drawing, Canvas(height, width, device))
        else:
            drawn = render(drawing, height, width)
            if backdrop is not None:
                split = (self.seed + self._fingerprint()) % 2**64
                drawn = backdrop.behind(drawing, drawn, trajectory.time, [(split, int(i)) for i in indices])
            frames = torch.from_numpy(drawn).to(device)
        clock = torch.from_numpy(trajectory.time).float()
        pressed = None if actions is None else torch.from_numpy(actions).float()
        told = partial(self._captions, trajectory, indices)
        return Clip(frames, clock, self.scene.world, trajectory, pressed, told)

    def _captions(self, trajectory: Trajectory, indices: Int[np.ndarray, " b"]) -> tuple[str, ...]:
        """Describe every clip in a style and in words that are a function of the split and its index."""
        from cavendish.data.captions import DIGITS, describe

        styles, said = tuple(DIGITS), []
        for number, index in enumerate(np.asarray(indices).tolist()):
            rng = self.generator(index, 1)
            style = styles[rng.integers(len(styles))]
            said += describe(self.scene, trajectory[number : number + 1], style, rng)
        return tuple(said)

    def trajectories(self, indices: Int[np.ndarray, " b"]) -> Trajectory:
        """Make the motion of a batch of clips without filming it."""
        return self._made(indices)[0]

    def batches(self, step: int, batch: int, device: str = "cpu") -> tuple[Clip, ...]:
        """Make what one training step sees, with its frames on a device."""
        return (self.clips((np.arange(batch) + step * batch) % self.size, device),)

    def generator(self, index: int, lane: int) -> np.random.Generator:
        """Return one of the generators that belong to a clip."""
        return np.random.Generator(np.random.Philox(key=[self.seed, self._fingerprint()], counter=[0, 0, lane, index]))

    def _made(self, indices: Int[np.ndarray, " b"]) -> tuple[Trajectory, Float[np.ndarray, "b t a"] | None]:
        factors, mirrored, actions = [], [], []
        for index in np.asarray(indices).tolist():
            if not 0 <= index < self.size:
                raise IndexError(f"clip {index} of a split of {self.size}")
            rng = self.generator(index, 0)
            mirrored.append(rng.random() < self.flip)
            factors.append(self.scene.sample(self.region, rng, self._point(index)))
            if isinstance(self.scene, Playable):
                actions.append(self.scene.policy(factors[-1], self.region, rng))
        pressed = np.array(actions) if actions else None
        truth = self.scene.simulate(np.array(factors), self.scene.clock(), pressed)
        return mirror(truth, self.scene.world.width, np.array(mirrored)), pressed

    def _point(self, index: int) -> dict[str, float]:
        """Return the values of a clip's ranged factors on the grid; nothing where there is no grid."""
        point = {}
        for factor, count in reversed(list(zip((f for f in self.scene.factors if f.ranges), self.grid, strict=False))):
            (low, high), *_ = factor.intervals(self.region)
            index, number = divmod(index, count)
            point[factor.name] = float(np.linspace(low, high, count)[number])
        return point

    def _fingerprint(self) -> int:
        identity = f"{self.scene.name()} {sorted(telling(self.scene).items())} {self.region}"
        return int.from_bytes(hashlib.sha256(identity.encode()).digest()[:8], "big")


def mirror(trajectory: Trajectory, width: float, which: "np.ndarray[tuple[int], np.dtype[np.bool_]]") -> Trajectory:
    """Mirror the chosen clips left to right: x -> W - x, v_x -> -v_x, angle -> -angle.

    Factors keep their unmirrored values.
    """
    position, velocity = trajectory.position.copy(), trajectory.velocity.copy()
    position[which, ..., 0] = width - position[which, ..., 0]
    velocity[which, ..., 0] *= -1
    angle = trajectory.angle
    if angle is not None:
        angle = np.where(which[:, None, None], -angle, angle)
    return replace(trajectory, position=position, velocity=velocity, angle=angle)
