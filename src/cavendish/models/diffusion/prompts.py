"""Every way of prompting as one value: which pixels are given, and from which noise level every frame starts.

    from nothing     nothing given, all levels 0            extend     a beginning, an end or one image given
    join             both ends given                        inpaint    all but a hole in space-time given
    edit             nothing kept, all levels 1 - strength  (SDEdit, Meng et al. 2022, section 3)
    loop             a film's ends are its middle, joined   image      one frame
and any size or duration is the size or duration of the film. The schedule is a table of steps x frames,
    level(step, frame) = start + (1 - start) clip((1 + lag) step / steps - lag frame / last, 0, 1):
with lag 0 all frames rise together, with lag > 0 earlier ones are clean earlier (diffusion forcing, Chen et al. 2024).
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import final

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from cavendish.errors import BadInputError
from cavendish.motion import World
from cavendish.video import Clip, Imagined, check_frames

MOST_PIXELS = 2**28  # of all frames of a batch: a typing mistake in a size must not ask for all memory
IMAGE_TICK = 0.1  # s between an image and what fills its tubelet, which nobody will see


@final
@dataclass(frozen=True)
class Prompt:
    """A film of which some is given, with the level that every frame starts from."""

    film: Clip  # what is not given may hold anything
    given: Bool[Tensor, "t h w"]  # pixels that stay as they are
    start: Float[Tensor, " t"]
    captions: tuple[str, ...] | None = None
    lag: float = 0.0

    def __post_init__(self) -> None:
        """Refuse a film that is none."""
        frames, time = check_frames(self.film.frames), self.film.time
        _check_cost(len(frames), frames.shape[1], (frames.shape[2], frames.shape[3]))
        if len(time) != frames.shape[1] or not bool(torch.isfinite(time).all()) or bool((time.diff() <= 0).any()):
            raise BadInputError(f"the clock of {frames.shape[1]} frames has {len(time)} times, expected rising ones")
        if self.captions is not None and len(self.captions) != len(frames):
            raise BadInputError(f"{len(self.captions)} captions for {len(frames)} clips")
        pixels = self.given.dtype, tuple(self.given.shape)
        if pixels != (torch.bool, tuple(frames.shape[1:4])):
            raise BadInputError(f"given pixels are {pixels}, expected bool {tuple(frames.shape[1:4])}")
        if self.start.shape != time.shape or not bool(((self.start >= 0) & (self.start <= 1)).all()):
            raise BadInputError(f"levels start at {self.start.tolist()}, expected {len(time)} between 0, noise, and 1")
        if not 0 <= self.lag < float("inf"):
            raise BadInputError(f"lag = {self.lag}, expected 0 or more")

    def padded(self, part: int) -> "Prompt":
        """Add frames to dream until the number of frames is a multiple of `part`."""
        more = -len(self.film.time) % part
        if not more:
            return self
        grown = extend(self.film, 0, more, None if len(self.film.time) > 1 else IMAGE_TICK)
        given = torch.cat([self.given, torch.zeros_like(self.given[:1]).expand(more, -1, -1)])
        start = torch.cat([self.start, self.start.new_zeros(more)])
        return replace(self, film=grown.film, given=given, start=start)

    def schedule(self, steps: int) -> list[Float[Tensor, " t"]]:
        """Return the level of every frame at the start and after every step."""
        count = len(self.start)
        late = self.lag * torch.arange(count, device=self.start.device) / max(count - 1, 1)
        rows = [((1 + self.lag) * share - late).clamp(0, 1) for share in torch.linspace(0, 1, steps + 1)]
        return [self.start + (1 - self.start) * row for row in rows]


def nothing(frames: int, size: tuple[int, int], step: float, world: World, clips: int = 1) -> Prompt:
    """Ask for clips (or images: 1 frame) of a height and width in pixels, out of pure noise."""
    if min(frames, clips, *size) < 1 or not 0.0 < step < float("inf"):
        raise BadInputError(f"{clips} clips of {frames} frames of {size} px every {step} s: expected more than 0")
    _check_cost(clips, frames, size)
    blank = torch.zeros(clips, frames, *size, 3, dtype=torch.uint8)
    return _ask(Clip(blank, step * torch.arange(frames), world), torch.zeros(frames, *size, dtype=torch.bool))


def extend(given: Clip, before: int, after: int, step: float | None = None) -> Prompt:
    """Invent frames before and after given ones, at their own rate; one image needs the time step."""
    b, t, h, w, c = check_frames(given.frames).shape
    if min(before, after) < 0 or (t == 1 and step is None):
        raise BadInputError(f"extend {t} frames by {before} and {after}: expected 0 or more, and a time step for one")
    _check_cost(b, t + before + after, (h, w))
    tick = given.time[-1] - given.time[-2] if step is None else given.time.new_tensor(step)
    count = torch.arange(1, max(before, after) + 1, device=tick.device)
    time = torch.cat(
        [(given.time[0] - tick * count[:before]).flip(0), given.time, given.time[-1] + tick * count[:after]]
    )
    blank = given.frames.new_zeros(b, max(before, after), h, w, c)
    frames = torch.cat([blank[:, :before], given.frames, blank[:, :after]], 1)
    known = torch.zeros(before + t + after, h, w, dtype=torch.bool, device=frames.device)
    known[before : before + t] = True
    return _ask(Clip(frames, time, given.world), known)


def join(first: Clip, last: Clip, between: int) -> Prompt:
    """Invent what happens between two clips of one size, world and rate."""
    sizes = [check_frames(clip.frames).shape for clip in (first, last)]
    if sizes[0][2:] != sizes[1][2:] or first.world != last.world:
        raise BadInputError("clips to be joined must have one size in pixels and one in metres")
    if sizes[0][0] != sizes[1][0]:
        raise BadInputError(f"{sizes[0][0]} beginnings and {sizes[1][0]} ends: expected as many of both")
    if len(first.time) < 2 or between < 1:
        raise BadInputError(f"join needs 2 frames in the first clip and 1 or more between, got {between} between")
    ticks = [clip.tick for clip in (first, last) if clip.tick is not None]
    if max(ticks) > 1.01 * min(ticks):
        raise BadInputError(f"clips to be joined have a frame every {ticks[0]:g} and {ticks[1]:g} s, expected one rate")
    after = len(last.time)
    asked = extend(first, 0, between + after)
    frames, given = asked.film.frames.clone(), asked.given.clone()
    frames[:, -after:] = last.frames
    given[-after:] = True
    return _ask(replace(asked.film, frames=frames), given)


def inpaint(film: Clip, hole: Bool[Tensor, "t h w"]) -> Prompt:
    """Invent what is inside a hole in space-time; all other pixels stay exactly."""
    if hole.dtype != torch.bool or hole.shape != film.frames.shape[1:4] or not bool(hole.any()):
        raise BadInputError(
            f"hole of {int(hole.sum())} pixels, {hole.dtype} {tuple(hole.shape)}: "
            f"expected some pixels, bool {tuple(film.frames.shape[1:4])}"
        )
    return _ask(film, ~hole)


def edit(film: Clip, strength: float) -> Prompt:
    """Dream a film again from as far back as `strength`: 0 returns it, 1 forgets it."""
    if not 0.0 <= strength <= 1.0:
        raise BadInputError(f"strength = {strength}, expected 0 to 1")
    nowhere = torch.zeros(film.frames.shape[1:4], dtype=torch.bool, device=film.frames.device)
    return replace(_ask(film, nowhere), start=torch.full_like(film.time, 1.0 - strength))


def closing(film: Clip) -> Prompt:
    """Turn a film by half, so that its end meets its beginning in the middle, and invent that middle again."""
    count = film.frames.shape[1]
    quarter, turned = count // 4, film.frames.roll(count // 2, 1)
    if quarter < 2:
        raise BadInputError(f"a loop of {count} frames: expected 8 or more, of which a half is dreamt again")
    clock = film.time[:quarter]  # of both: frames that were turned have left their own
    first, last = (Clip(frames, clock, film.world) for frames in (turned[:, :quarter], turned[:, -quarter:]))
    return join(first, last, count - 2 * quarter)


def loop(dream: Callable[[Prompt], Imagined], film: Clip) -> Clip:
    """Close a film: its last frame is followed by its first, and the quarters on either side of that seam are new."""
    closed = dream(closing(film)).film
    return replace(film, frames=closed.roll(-(closed.shape[1] // 2), 1))


def rollout(dream: Callable[[Prompt], Imagined], given: Clip, horizon: int, window: int) -> Clip:
    """Continue far past the trained length: a window slides on, half of it given, half of it new."""
    keep = min(max(window // 2, 2), len(given.time))
    if keep >= window or len(given.time) < 2:
        raise BadInputError(f"a window of {window} frames cannot slide: expected more than {keep}, and 2 given frames")
    frames, total = given.frames, len(given.time) + horizon
    tick, count = given.time[-1] - given.time[-2], torch.arange(1, horizon + 1, device=given.time.device)
    time = torch.cat([given.time, given.time[-1] + tick * count])
    while frames.shape[1] < total:
        keep = min(max(window // 2, 2), frames.shape[1])
        end = frames.shape[1]
        seen = Clip(frames[:, end - keep :], time[end - keep : end], given.world)
        dreamt = dream(extend(seen, 0, min(window - keep, total - end))).film
        frames = torch.cat([frames, dreamt[:, keep:]], 1)
    return Clip(frames, time, given.world)


def _check_cost(clips: int, frames: int, size: tuple[int, int]) -> None:
    """Refuse what no memory holds, before it is asked for."""
    if clips * frames * size[0] * size[1] > MOST_PIXELS:
        raise BadInputError(
            f"{clips} clips of {frames} frames of {size[0]} x {size[1]} px: more than {MOST_PIXELS} pixels"
        )


def _ask(film: Clip, given: Bool[Tensor, "t h w"]) -> Prompt:
    """Let wholly given frames start clean and all others as noise."""
    return Prompt(film, given, given.all(2).all(1).to(film.time.dtype))
