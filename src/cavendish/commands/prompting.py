"""What a person asks of a trained model on the command line, turned into a prompt.

Pictures keep the scale of training: W pixels across show W times the metres per pixel that the model has learnt, so
another size or aspect is a larger or smaller window on the same world. Beyond the trained duration a window slides on,
without the caption, which tells of the beginning. Films keep their own clock, pictures without one take the model's.
"""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal, TypeVar

import torch
from torch import Tensor

from cavendish.data.decoding import Decoder
from cavendish.errors import BadInputError
from cavendish.models.diffusion import Diffusion, Sampling, prompts
from cavendish.models.diffusion.prompts import Prompt
from cavendish.motion import Seconds, World
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
    """Seconds in all; by default as trained. Forwards, a window slides on beyond that."""
    how: Literal["forward", "backward", "join", "loop", "inpaint", "edit"] = "forward"
    """What to invent: what comes next, what was before, what is between --clip and --then, a film that ends where it
    begins, what is inside --hole, or a variation of --strength."""
    then: Path | None = None
    """With --how join: the film to end with."""
    hole: tuple[float, float, float, float, float, float] | None = None
    """With --how inpaint: from and to in seconds, left and right, bottom and top in metres."""
    strength: float | None = None
    """With --how edit, or before a clip is closed to a loop: 0 keeps the clip, 1 forgets it; by default 0.5."""
    text_guidance: float = 1.0
    """Strength of the caption; 1: none added."""
    history_guidance: float = 1.0
    """Strength of the given frames; 1: none added."""


def answer(asked: Asked, study: Study, model: Diffusion, count: int, how: tuple[int, int]) -> Clip:
    """Dream `count` answers; `how` is denoising steps and seed."""
    _refuse_unused(asked)
    steps, seed = how
    generator = seeded(seed)
    sampling = Sampling(steps, asked.text_guidance, asked.history_guidance)
    said = None if asked.caption is None else (asked.caption,) * count

    def dream(prompt: Prompt) -> Imagined:
        return model.dream(prompt, generator, sampling)

    given = _given(asked, study, count)
    total = _frames(asked.duration, study.data.frames, _tick(given, study))
    prompt = _from_nothing(asked, study, count, total) if given is None else _from_film(asked, study, given, total)
    if asked.how == "loop":
        prompts.closing(prompt.film)  # refuse what cannot be closed before it is dreamt
    dreamt = dream(replace(prompt, captions=said))
    clip, more = Clip(dreamt.film, dreamt.time, dreamt.world), total - dreamt.film.shape[1]
    if asked.how == "loop":
        return prompts.loop(dream, clip)
    if asked.how != "forward" or more <= 0:
        return clip
    return prompts.rollout(dream, clip, more, study.data.frames)


def _refuse_unused(asked: Asked) -> None:
    """Refuse what the way of asking does not use: an option that is ignored looks like one that does nothing."""
    filmed = asked.image is not None or asked.clip is not None
    unlooked = not filmed and asked.how == "forward" and asked.duration is None  # no window slides, no loop is closed
    kept = asked.how in ("inpaint", "edit") or (asked.how == "loop" and filmed)
    unused = {
        "--then: only --how join ends with another film": asked.then is not None and asked.how != "join",
        "--hole: only --how inpaint has one": asked.hole is not None and asked.how != "inpaint",
        "--strength: only --how edit, or loop with --clip, dreams a film again": (
            asked.strength is not None and asked.how != "edit" and not (asked.how == "loop" and filmed)
        ),
        f"--duration: --how {asked.how} keeps the film's own": asked.duration is not None and kept,
        "--text-guidance: there is no --caption": asked.text_guidance != 1.0 and asked.caption is None,
        "--history-guidance: no frames are given": asked.history_guidance != 1.0 and unlooked,
        "--size: pictures have their own": asked.size is not None and filmed,
        "--clip: expected one of --image and --clip": None not in (asked.image, asked.clip),
        f"--how {asked.how} needs --clip": not filmed and asked.how not in ("forward", "loop"),
    }
    for reason, wrong in unused.items():
        if wrong:
            raise BadInputError(reason)


def _from_nothing(asked: Asked, study: Study, count: int, total: int) -> Prompt:
    size = asked.size or (study.data.lead.picture.height, study.data.lead.picture.width)
    frames = min(total, study.data.frames) if asked.how == "forward" else total
    return prompts.nothing(frames, size, study.data.step, _world(study, *size), count)


def _from_film(asked: Asked, study: Study, given: Clip, total: int) -> Prompt:
    known, step = len(given.time), _tick(given, study)
    if asked.how in ("forward", "backward") and total <= known:
        raise BadInputError(
            f"what is given lasts {known * step:g} s, the answer {total * step:g} s: expected a longer --duration"
        )
    tick = step if known == 1 else None
    match asked.how:
        case "forward":
            return prompts.extend(given, 0, min(total, max(study.data.frames, known)) - known, tick)
        case "backward":
            return prompts.extend(given, total - known, 0, tick)
        case "join":
            then = _film(_needed(asked.then, "then"), study, len(given.frames))
            return prompts.join(given, then, total - known - len(then.time))
        case "inpaint":
            return prompts.inpaint(given, _hole(asked, given))
        case _:
            return prompts.edit(given, 0.5 if asked.strength is None else asked.strength)


def _given(asked: Asked, study: Study, count: int) -> Clip | None:
    path = asked.image or asked.clip
    if path is None:
        return None
    film = _film(path, study, count)
    if asked.image is not None and len(film.time) > 1:
        raise BadInputError(f"{path}: {len(film.time)} images, expected one with --image, or --clip")
    return film


def _film(path: Path, study: Study, count: int) -> Clip:
    with Decoder() as decoder:
        film = decoder.read(path)
    frames = torch.from_numpy(film.frames.copy())
    tick = study.data.step * torch.arange(len(frames))
    time = tick if film.time is None else torch.from_numpy(film.time).float()
    return Clip(frames.expand(count, -1, -1, -1, -1), time, _world(study, *frames.shape[1:3]))


def _tick(given: Clip | None, study: Study) -> Seconds:
    """Return the time between frames: a film's own, or the model's."""
    return (given and given.tick) or study.data.step


def _hole(asked: Asked, given: Clip) -> Tensor:
    """Return the pixels whose middles are inside the hole."""
    begin, end, left, right, bottom, top = _needed(asked.hole, "hole")
    _, _, h, w, _ = given.frames.shape
    x = given.world.width * (torch.arange(w) + 0.5) / w
    y = given.world.height * (h - 0.5 - torch.arange(h)) / h
    inside = ((given.time >= begin) & (given.time <= end))[:, None, None]
    hole = inside & ((y > bottom) & (y < top))[:, None] & ((x > left) & (x < right))
    if not bool(hole.any()):
        asked_for = " ".join(f"{number:g}" for number in (begin, end, left, right, bottom, top))
        raise BadInputError(
            f"--hole {asked_for}: no pixel lies in it; expected times within {float(given.time[-1]):g} s, "
            f"then metres within {given.world.width:g} across and {given.world.height:g} up"
        )
    return hole


def _needed(value: T | None, name: str) -> T:
    if value is None:
        raise BadInputError(f"--{name} is missing")
    return value


def _frames(duration: float | None, trained: int, tick: Seconds) -> int:
    if duration is None:
        return trained
    if not tick <= duration <= 1000 * trained * tick:
        raise BadInputError(f"duration = {duration:g} s, expected {tick:g} s or more, and no eternity")
    return round(duration / tick)


def _world(study: Study, height: int, width: int) -> World:
    """Show as many metres per pixel as in training."""
    seen, picture = study.data.lead.scene.world, study.data.lead.picture
    return World(seen.width * width / picture.width, seen.height * height / picture.height)
