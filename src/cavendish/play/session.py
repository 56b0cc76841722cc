"""One player's game, without any network: a chain of moments, of which undoing drops the last.

A moment is all of an instant: the place in the played world, the place of the true simulator beside it, what the
reader sees in both pictures, and the state of chance, so that what was undone and is pressed again comes out the same.
Of every body the reader knows the place x_k and the radius r_k; its speed and energy over the last frame are
    v_k = |x_k - x_{k-1}| / step,   E_k = density pi r_k^2 v_k^2 / 2,
and a body that is not seen in one of the two frames is lost (NaN). The simulator starts from the state in which a true
beginning ends, from the bodies that the reader sees in any other picture, or not at all where there is none of both.
Moments and recorded frames are bounded: the oldest moments are forgotten, and a full recording stops.
"""

import tempfile
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, final

import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from cavendish.data.media import write_clip
from cavendish.errors import BadInputError
from cavendish.models.playing import Place, PlayedWorld
from cavendish.motion import Seconds
from cavendish.play.likeness import held
from cavendish.play.simulated import Beginning, Simulated, State
from cavendish.readout import Reader

MOMENTS, RECORDED = 256, 1200
FILM_SIDE = 256  # px, at least
PREVIEW = 3  # presses


@final
@dataclass(frozen=True)
class Stage:
    """What is played, and what is known about it."""

    title: str
    world: PlayedWorld[Any]
    beginnings: Callable[[int], Beginning]
    step: Seconds
    reader: Reader | None = None
    density: float = 1.0  # kg/m^2
    truth: Simulated | None = None  # runs beside a learnt world
    controls: tuple[str, ...] = ()  # what each button is called or acts like; "": nobody knows


@final
@dataclass(frozen=True)
class Glimpse:
    """What the reader says of one frame."""

    position: Float[np.ndarray, "n d"]  # m
    speed: Float[np.ndarray, " n"]  # m/s over the last frame; NaN: lost
    energy: Float[np.ndarray, " n"]  # J


@final
@dataclass(frozen=True)
class Moment:
    """An instant of a game."""

    place: Place[Any]
    seen: Glimpse | None
    truth: Place[State] | None
    truly: Glimpse | None
    chance: UInt8[Tensor, " k"]  # state of the generator


@final
class Session:
    """One player's game; methods take turns, they are never called at once."""

    def __init__(self, stage: Stage) -> None:
        self.stage, self.temperature = stage, 0.0
        self.generator = torch.Generator()
        self.moments: deque[Moment] = deque(maxlen=MOMENTS)
        self.presses = 0
        self.recording = False
        self.recorded: list[UInt8[Tensor, "h w c"]] = []
        self.start = stage.beginnings(0)
        self.begin(self.start)

    @property
    def now(self) -> Moment:
        """Return the moment that is shown."""
        return self.moments[-1]

    def begin(self, start: Beginning) -> None:
        """Begin anew; what cannot be entered changes nothing."""
        place, truth = self._enter(start), self._beside(start)
        self.start, self.presses = start, 0
        self.generator.manual_seed(self.generator.initial_seed())
        self.moments.clear()
        before = self._look(start.frames[-2], None) if len(start.frames) > 1 else None
        self._go(place, truth, (before, before))

    def reset(self) -> None:
        """Go back to where this game began."""
        self.begin(self.start)

    def press(self, button: int) -> None:
        """Play one frame on, in the world and in the simulator beside it."""
        if not 0 <= button < self.stage.world.buttons:
            raise BadInputError(f"button {button}, expected 0 to {self.stage.world.buttons - 1}")
        before = self.now
        place = self.stage.world.press(before.place, button, self.temperature, self.generator)
        self.presses += 1
        self._go(place, self._truth_after(before, button), (before.seen, before.truly))
        if self.recording:
            self.recorded.append(place.frame)
            self.recording = len(self.recorded) < RECORDED

    def undo(self) -> None:
        """Go back by one press, as far as is remembered."""
        if len(self.moments) > 1:
            self.moments.pop()
            self.presses -= 1
            self.generator.set_state(self.now.chance)

    def seed(self, number: int) -> None:
        """Let another chance answer from now on."""
        if number != self.generator.initial_seed():
            self.generator.manual_seed(number)

    def preview(self, place: Place[Any], button: int) -> UInt8[Tensor, "h w c"]:
        """Show what a button does from a place when it is held for a few frames."""
        return held(self.stage.world, place, button, PREVIEW).frame

    def record(self, on: bool) -> None:
        """Start a new recording with the frame that is shown, or end it."""
        self.recording = on
        self.recorded = [self.now.place.frame] if on else self.recorded

    def film(self, kind: Literal["mp4", "gif"], fps: float) -> bytes:
        """Make a film of the recorded frames, enlarged in whole pixels."""
        if not self.recorded:
            raise BadInputError("nothing is recorded yet")
        times = max(1, -(-FILM_SIDE // self.recorded[0].shape[0]))
        frames = torch.stack(self.recorded).numpy().repeat(times, 1).repeat(times, 2)
        with tempfile.TemporaryDirectory() as folder:
            return write_clip(frames, Path(folder) / "film", kind, fps).read_bytes()

    def _go(self, place: Place[Any], truth: Place[State] | None, before: tuple[Glimpse | None, Glimpse | None]) -> None:
        seen = self._look(place.frame, before[0])
        truly = None if truth is None else self._look(truth.frame, before[1])
        self.moments.append(Moment(place, seen, truth, truly, self.generator.get_state()))

    def _enter(self, start: Beginning) -> Place[Any]:
        world = self.stage.world
        if isinstance(world, Simulated) and start.state is not None:
            return world.stand(start.state)
        return world.enter(start.frames)

    def _beside(self, start: Beginning) -> Place[State] | None:
        truth = self.stage.truth
        if truth is None:
            return None
        try:
            return truth.enter(start.frames) if start.state is None else truth.stand(start.state)
        except BadInputError:
            return None

    def _truth_after(self, before: Moment, button: int) -> Place[State] | None:
        truth, controls = self.stage.truth, self.stage.controls
        if truth is None or before.truth is None or not controls[button]:
            return None
        return truth.press(before.truth, truth.scene.controls.index(controls[button]), 0.0, self.generator)

    def _look(self, frame: UInt8[Tensor, "h w c"], before: Glimpse | None) -> Glimpse | None:
        """Read a frame; what was not looked at before is taken to rest."""
        reader, step = self.stage.reader, self.stage.step
        if reader is None:
            return None
        read = reader.read(frame.numpy()[None], np.zeros(1))
        position, radius = read.position[0], read.radius[0]
        moved = position - (position if before is None else before.position)
        speed = np.linalg.norm(moved, axis=-1) / step
        return Glimpse(position, speed, 0.5 * self.stage.density * np.pi * radius**2 * speed**2)
