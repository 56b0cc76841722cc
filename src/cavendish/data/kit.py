"""A prompt kit: true beginnings to hand to any image-to-video model, and the importer that takes its answers back.

A kit is a folder: first/NAME.png, context/NAME.mp4 and captions/NAME.txt for every clip, and kit.json, which says how
the true clips are made again (a split is a pure function, so the answers lie nowhere in the kit) and what was given
(SHA-256). With d(f, p) the rms difference of two frames in bytes, film i is refused unless
    it is the only one named after prompt i, and all prompts have one                        (fewer, or more)
    it has as many frames as the true clip; further ones are cut off                         (shorter)
    its file says the true frame rate, or says none, or the rate is told                     (re-timed)
    its context frames are not found at twice or half their time                             (re-timed)
    d(film i, prompt i) < d(film i, prompt j) for all j, and is small                        (swapped, or another world)
"""

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import final

import numpy as np
from jaxtyping import UInt8
from PIL import Image

from cavendish.artefact import committed_folder, read_json, verify_folder
from cavendish.codec import from_json, to_json
from cavendish.data.captions import describe
from cavendish.data.media import write_clip
from cavendish.data.split import Split
from cavendish.errors import BadInputError, CorruptDataError
from cavendish.motion import Trajectory

MANIFEST = "kit.json"
ALIKE = 0.5  # of the typical difference between two prompts
RATE = 0.02
PACES = (2, 3)


@final
@dataclass(frozen=True)
class Prompt:
    """What a model is given for one clip."""

    name: str
    caption: str
    first_sha256: str
    context_sha256: str


@final
@dataclass(frozen=True)
class Kit:
    """The prompts of a set of true clips."""

    split: Split
    prompts: tuple[Prompt, ...]

    @property
    def frames(self) -> int:
        """Return how many frames an answer has, the given ones included."""
        return self.split.scene.frames

    @property
    def fps(self) -> float:
        """Return the true frame rate."""
        return 1 / self.split.scene.step

    def truth(self) -> Trajectory:
        """Make the true motion of all clips."""
        return self.split.trajectories(np.arange(len(self.prompts)))

    def contexts(self) -> UInt8[np.ndarray, "b t h w c"]:
        """Film the given frames of all clips."""
        clips = self.split.clips(np.arange(len(self.prompts)))
        return np.asarray(clips.frames[:, : self.split.scene.context].numpy())


def write_kit(folder: Path, split: Split) -> Kit:
    """Film the beginnings of a split and commit them with their captions and hashes."""
    clips = split.clips(np.arange(split.size))
    frames, prompts = clips.frames.numpy(), []
    said = describe(split.scene, clips.truth, "paraphrase", np.random.default_rng(split.seed))
    across, rate = split.scene.world.width, 1 / split.scene.step
    with committed_folder(folder) as private:
        for part in ("first", "context", "captions"):
            (private / part).mkdir()
        for number, film in enumerate(frames):
            name = f"clip_{number:04d}"
            words = f"{said[number]} The picture is {across:g} m wide; {rate:g} frames per second; a still camera."
            Image.fromarray(film[0]).save(private / "first" / f"{name}.png")
            write_clip(film[: split.scene.context], private / "context" / name, "mp4", 1 / split.scene.step)
            (private / "captions" / f"{name}.txt").write_text(words + "\n")
            prompts.append(Prompt(name, words, _hash(film[:1]), _hash(film[: split.scene.context])))
        kit = Kit(split, tuple(prompts))
        (private / MANIFEST).write_text(json.dumps(to_json(kit), indent=1))
    return kit


def read_kit(folder: Path) -> Kit:
    """Read a kit, refusing altered files, and a kit whose clips this version would draw otherwise."""
    verify_folder(folder)
    kit = from_json(Kit, read_json(folder / MANIFEST), str(folder / MANIFEST))
    for prompt, film in zip(kit.prompts, kit.contexts(), strict=True):
        if _hash(film) != prompt.context_sha256:
            raise CorruptDataError(f"{folder}: {prompt.name} is drawn otherwise by this version; use that of the kit")
    return kit


def check_names(kit: Kit, paths: list[Path], films: Path) -> None:
    """Refuse answers that are fewer or more than the prompts, or named otherwise."""
    wanted, given = [prompt.name for prompt in kit.prompts], [path.stem for path in paths]
    for name in wanted:
        if given.count(name) != 1:
            raise BadInputError(
                f"{films}: {given.count(name)} films named {name}, expected one for each of {len(wanted)} prompts"
            )
    for name in given:
        if name not in wanted:
            raise BadInputError(f"{films}: film {name} answers no prompt of the kit")


def check_answers(kit: Kit, films: list[UInt8[np.ndarray, "t h w c"]], rate: float | None) -> None:
    """Refuse answers that are shorter, re-timed or swapped, by name; `rate` is what the files say of themselves."""
    names = [prompt.name for prompt in kit.prompts]
    if len(films[0]) < kit.frames:
        raise BadInputError(f"{names[0]}: {len(films[0])} frames, expected {kit.frames}, the given ones included")
    if rate is not None and abs(rate / kit.fps - 1) > RATE:
        raise BadInputError(
            f"{names[0]}: re-timed to {rate:.4g} frames per second, the prompts have {kit.fps:g}; "
            f"if only the file says so, tell the true rate with --fps {kit.fps:g}"
        )
    given = kit.contexts()
    height, width = given.shape[2:4]
    count = max(PACES) * (given.shape[1] - 1) + 1
    starts = np.stack([[_resized(frame, height, width) for frame in film[:count]] for film in films])
    apart = np.array([[_rms(start[0], prompt[0]) for prompt in given] for start in starts])
    between = [_rms(a[0], b[0]) for k, a in enumerate(given) for b in given[:k]]
    alike = ALIKE * float(np.median(between)) if between else 30.0
    for k, name in enumerate(names):
        nearest = int(apart[k].argmin())
        if apart[k, nearest] < min(apart[k, k], alike):
            raise BadInputError(f"{name}: swapped, it begins like {names[nearest]}")
        if apart[k, k] > alike:
            raise BadInputError(f"{name}: does not begin with its prompt (rms difference {apart[k, k]:.0f} bytes)")
        pace = _pace(starts[k], given[k])
        if pace != 1:
            raise BadInputError(f"{name}: re-timed, it shows its context at {pace:g} times its pace")


def _pace(film: UInt8[np.ndarray, "t h w c"], given: UInt8[np.ndarray, "t h w c"]) -> float:
    """Return the pace at which a film shows the given frames; 1 unless another is certain."""
    own = np.mean([_rms(film[k], given[k]) for k in range(1, len(given))]) if len(given) > 1 else 0.0
    floor = _rms(film[0], given[0])
    for step in PACES:
        slow = [_rms(film[step * k], given[k]) for k in range(1, len(given))]
        fast = [_rms(film[k], given[step * k]) for k in range(1, len(given)) if step * k < len(given)]
        for misses, pace in ((slow, 1 / step), (fast, float(step))):
            if misses and np.mean(misses) < min(0.25 * own, 2 * floor + 2):
                return pace
    return 1.0


def _resized(frame: UInt8[np.ndarray, "h w c"], height: int, width: int) -> UInt8[np.ndarray, "h w c"]:
    return np.asarray(Image.fromarray(frame).resize((width, height), Image.Resampling.BOX))


def _rms(a: UInt8[np.ndarray, "h w c"], b: UInt8[np.ndarray, "h w c"]) -> float:
    return float(np.sqrt(((a.astype(np.float32) - b) ** 2).mean()))


def _hash(frames: UInt8[np.ndarray, "t h w c"]) -> str:
    return hashlib.sha256(np.ascontiguousarray(frames).tobytes()).hexdigest()
