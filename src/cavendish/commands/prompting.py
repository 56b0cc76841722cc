"""What a person asks of a trained model on the command line, turned into a prompt.

Pictures keep the scale of training: W pixels across show W times the metres per pixel that the model has learnt, so
another size or aspect is a larger or smaller window on the same world. Beyond the trained duration a window slides on.
"""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal, TypeVar

import torch
from jaxtyping import UInt8
from torch import Tensor

from cavendish.data.decoding import Decoder
from cavendish.errors import BadInputError
from cavendish.models.diffusion import Diffusion, Sampling, prompts
from cavendish.models.diffusion.prompts import Prompt
from cavendish.motion import World
from cavendish.studies import Study
from cavendish.training import seeded
from cavendish.video import Clip, Imagined

T = TypeVar("T")


@dataclass(frozen=True)
class Asked:
    """Prompts; without any, true beginnings are continued."""

    image: Path | None = None
    """An image to animate."""
    clip: Path | None = None
    """A film, or a folder of numbered images: continued, or whatever --how says."""
    caption: str | None = None
    """A sentence, for a model that was trained with captions."""
    size: tuple[int, int] | None = None
    """Height and width in pixels, where no image or clip says it."""
    duration: float | None = None
    """Seconds in all; by default the scene's. Beyond it a window slides on."""
    how: Literal["forward", "backward", "join", "loop", "inpaint", "edit"] = "forward"
    """What to invent: what comes next, what was before, what is between --clip and --then, a film that ends where it
    begins, what is inside --hole, or a variation of --strength."""
    then: Path | None = None
    """With --how join: the film to end with."""
    hole: tuple[float, float, float, float, float, float] | None = None
    """With --how inpaint: from and to in seconds, left and right, bottom and top in metres."""
    strength: float = 0.5
    """With --how edit, or before a clip is closed to a loop: 0 keeps the clip, 1 forgets it."""
    text_guidance: float = 1.0
    """Strength of the caption; 1: none added."""
    history_guidance: float = 1.0
    """Strength of the given frames; 1: none added."""


def answer(
    asked: Asked, study: Study, model: Diffusion, count: int, how: tuple[int, int]
) -> UInt8[Tensor, "b t h w c"]:
    """Dream `count` answers; `how` is denoising steps and seed."""
    steps, seed = how
    generator = seeded(seed)
    sampling = Sampling(steps, asked.text_guidance, asked.history_guidance)
    said = None if asked.caption is None else (asked.caption,) * count

    def dream(prompt: Prompt) -> Imagined:
        return model.dream(replace(prompt, captions=said), generator, sampling)

    total, path = _frames(asked.duration, study), asked.image or asked.clip
    if path is not None and (asked.size is not None or None not in (asked.image, asked.clip)):
        raise BadInputError("expected one of --image and --clip, and with it no --size: pictures have their own")
    if path is None:
        prompt = _from_nothing(asked, study, count, total)
    else:
        prompt = _from_film(asked, study, _film(path, study, count), total)
    if asked.how == "loop":
        prompts.closing(prompt.film)  # refuse what cannot be closed before it is dreamt
    dreamt = dream(prompt)
    assert dreamt.frames is not None
    clip, more = Clip(dreamt.frames, dreamt.time, dreamt.world), total - dreamt.frames.shape[1]
    if asked.how == "loop":
        return prompts.loop(dream, clip).frames
    if asked.how != "forward" or more <= 0:
        return clip.frames
    return prompts.rollout(dream, clip, more, study.data.frames).frames


def _from_nothing(asked: Asked, study: Study, count: int, total: int) -> Prompt:
    if asked.how not in ("forward", "loop"):
        raise BadInputError(f"--how {asked.how} needs --clip")
    size = asked.size or (study.data.lead.picture.height, study.data.lead.picture.width)
    frames = min(total, study.data.frames) if asked.how == "forward" else total
    return prompts.nothing(frames, size, study.data.step, _world(study, *size), count)


def _from_film(asked: Asked, study: Study, given: Clip, total: int) -> Prompt:
    known, trained = len(given.time), study.data
    tick = trained.step if known == 1 else None
    match asked.how:
        case "forward":
            return prompts.extend(given, 0, min(total, max(trained.frames, known)) - known, tick)
        case "backward":
            return prompts.extend(given, total - known, 0, tick)
        case "join":
            then = _film(_needed(asked.then, "then"), study, len(given.frames))
            return prompts.join(given, then, total - known - len(then.time))
        case "inpaint":
            return prompts.inpaint(given, _hole(asked, given))
        case _:
            return prompts.edit(given, asked.strength)


def _film(path: Path, study: Study, count: int) -> Clip:
    with Decoder() as decoder:
        film = decoder.read(path)
    frames = torch.from_numpy(film.frames.copy())
    tick = study.data.step * torch.arange(len(frames))
    time = tick if film.time is None else torch.from_numpy(film.time).float()
    return Clip(frames.expand(count, -1, -1, -1, -1), time, _world(study, *frames.shape[1:3]))


def _hole(asked: Asked, given: Clip) -> Tensor:
    """Return the pixels whose middles are inside the hole."""
    begin, end, left, right, bottom, top = _needed(asked.hole, "hole")
    _, _, h, w, _ = given.frames.shape
    x = given.world.width * (torch.arange(w) + 0.5) / w
    y = given.world.height * (h - 0.5 - torch.arange(h)) / h
    inside = ((given.time >= begin) & (given.time <= end))[:, None, None]
    return inside & ((y > bottom) & (y < top))[:, None] & ((x > left) & (x < right))


def _needed(value: T | None, name: str) -> T:
    if value is None:
        raise BadInputError(f"--{name} is missing")
    return value


def _frames(duration: float | None, study: Study) -> int:
    trained = study.data
    if duration is None:
        return trained.frames
    if not trained.step <= duration <= 1000 * trained.frames * trained.step:
        raise BadInputError(f"duration = {duration:g} s, expected {trained.step:g} s or more, and no eternity")
    return round(duration / trained.step)


def _world(study: Study, height: int, width: int) -> World:
    """Show as many metres per pixel as in training."""
    seen, picture = study.data.lead.scene.world, study.data.lead.picture
    return World(seen.width * width / picture.width, seen.height * height / picture.height)
