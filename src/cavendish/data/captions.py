"""Sentences about clips, and clips from sentences: a small grammar that covers every scene by its factors.

    terse       parabola: radius 1.1, velocity 2.3, x 1.5, y 7.9                            2 digits
    numeric     parabola: radius = 1.103412 m, velocity = 2.271005 m/s, ..., mirrored       7 digits
    paraphrase  A red ball leaves ... and falls. The pace is 2.27 m/s, a size of 1.1 m.     3 digits, any order
A caption is a head (the scene's name, or its description) and clauses between commas. A clause is a bag of words: one
value, perhaps its unit, and words that name one factor of the scene, among fillers. So `describe` and `understand`
are inverse to within half a unit of the last printed digit: a relative error of at most 0.5 * 10^(1 - digits).
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from jaxtyping import Float

from cavendish.errors import BadInputError, unknown
from cavendish.motion import Trajectory
from cavendish.scenes import SCENES, AnyScene, Factor, Scene, scene_named

Style = Literal["terse", "numeric", "paraphrase"]
DIGITS: dict[str, int] = {"terse": 2, "numeric": 7, "paraphrase": 3}

SYNONYMS = {
    "radius": ("radius", "size"),
    "velocity": ("velocity", "speed", "pace"),
    "speed": ("speed", "velocity", "pace"),
    "x": ("x", "abscissa"),
    "y": ("y", "ordinate"),
    "colour": ("colour", "tint"),
    "shape": ("shape", "form"),
    "distance": ("distance", "separation"),
    "heading": ("heading", "course"),
    "density": ("density", "heaviness"),
}
MEANING = {synonym: min(words) for words in SYNONYMS.values() for synonym in words}
PHRASES = ("the {} is {}", "{} {}", "a {} of {}", "its {} measures {}", "with {} equal to {}")
FILLERS = set(" ".join(PHRASES).replace("{}", "").split()) | {"and", "an", "in", "seen"}
MIRRORED = {"mirrored", "mirror"}
NUMBER = re.compile(r"(?<![\w.^-])[-+]?\d+(?:\.\d+)?(?:e[-+]?\d+)?(?![\w])")
WORD = re.compile(r"[a-z][\w/^-]*|1/s")


@dataclass(frozen=True)
class Understood:
    """What a caption asks for."""

    scene: type[AnyScene]
    factors: Float[np.ndarray, " f"]
    mirrored: bool


def describe(scene: Scene, moving: Trajectory, style: str, rng: np.random.Generator) -> list[str]:
    """Describe every clip of a batch from its state; only paraphrases use the generator."""
    if style not in DIGITS:
        raise unknown("caption style", style, get_args(Style))
    turned = _mirrored(scene, moving)
    return [_sentence(scene, row, bool(flip), style, rng) for row, flip in zip(moving.factors, turned, strict=True)]


def understand(caption: str) -> Understood:
    """Read a caption of any style; every word must be known, and every factor named once."""
    scene, clauses = _head(caption.strip().lower())
    values: dict[str, float] = {}
    mirrored = False
    for clause in filter(None, (part.strip(" .") for part in clauses.split(","))):
        words = NUMBER.sub(" ", clause)
        known = [word for word in WORD.findall(words) if word not in FILLERS]
        for word in known:
            if word not in VOCABULARY:
                raise unknown("word in a caption", word, VOCABULARY)
        if set(known) <= MIRRORED:
            mirrored = True
            continue
        factor, value = _clause(scene, clause, known)
        if factor.name in values:
            raise BadInputError(f"caption: factor '{factor.name}' is named twice")
        values[factor.name] = value
    for factor in scene.factors:
        if factor.name not in values:
            raise BadInputError(f"caption: factor '{factor.name}' of {scene.name()} is not named")
    return Understood(scene, np.array([values[factor.name] for factor in scene.factors]), mirrored)


def _sentence(scene: Scene, row: Float[np.ndarray, " f"], mirrored: bool, style: str, rng: np.random.Generator) -> str:
    said = [(f, _shown(f, float(value), DIGITS[style])) for f, value in zip(scene.factors, row, strict=True)]
    if style == "paraphrase":
        phrases = [
            PHRASES[rng.integers(len(PHRASES))].format(" ".join(_wording(f, rng)), f"{shown} {_unit(f)}".strip())
            for f, shown in (said[k] for k in rng.permutation(len(said)))
        ]
        text = re.sub(r"\ba (?=[aeiou])", "an ", ", ".join([*phrases, *["seen in a mirror"] * mirrored]))
        return f"{_about(type(scene))} {text[0].upper()}{text[1:]}."
    if style == "numeric":
        clauses = [f"{' '.join(_tokens(f))} = {shown} {_unit(f)}".strip() for f, shown in said]
    else:
        clauses = [f"{' '.join(_tokens(f))} {shown}" for f, shown in said]
    return f"{scene.name()}: {', '.join([*clauses, *['mirrored'] * mirrored])}"


def _head(caption: str) -> tuple[type[AnyScene], str]:
    """Find the scene that a caption begins with, and the rest of the caption."""
    described = [kind for kind in SCENES if caption.startswith(_about(kind).lower())]
    if described:
        scene = max(described, key=lambda kind: len(_about(kind)))
        return scene, caption[len(_about(scene)) :]
    name, _, clauses = caption.partition(":")
    return scene_named(name.strip()), clauses


def _clause(scene: type[Scene], clause: str, words: list[str]) -> tuple[Factor, float]:
    """Find the factor that a clause names, and its value."""
    numbers = NUMBER.findall(clause)
    units = [word for word in words if word in UNITS]
    for factor in scene.factors:
        rest = {MEANING.get(word, word) for word in words if word not in units}
        options = _options(factor)
        chosen = (rest - _meant(factor)) & set(options)
        if rest != _meant(factor) | chosen:
            continue
        if units and " ".join(units) != _unit(factor):
            raise BadInputError(f"caption: '{clause}' is in {' '.join(units)}, expected {_unit(factor)}")
        values = [options[option] for option in chosen] if options else [float(number) for number in numbers]
        if len(values) != 1:
            raise BadInputError(f"caption: '{clause}' gives {len(values)} values, expected 1")
        return factor, values[0]
    names = ", ".join(" ".join(_tokens(factor)) for factor in scene.factors)
    raise BadInputError(f"caption: '{clause}' names no factor of {scene.name()}, expected {names}")


def _mirrored(scene: Scene, moving: Trajectory) -> "np.ndarray[tuple[int], np.dtype[np.bool_]]":
    """Tell which clips show the mirror image of what their factors say."""
    if scene.handed:
        return np.zeros(len(moving.factors), bool)
    told, shown = scene.simulate(moving.factors, moving.time[:2]).position[..., 0], moving.position[:, :2, :, 0]
    return np.asarray(np.abs(shown - told).max((1, 2)) > np.abs(scene.world.width - shown - told).max((1, 2)))


def _shown(factor: Factor, value: float, digits: int) -> str:
    options = {number: word for word, number in _options(factor).items()}
    return options[value] if options else f"{value:.{digits}g}"


def _options(factor: Factor) -> dict[str, float]:
    """Return the words of a factor that counts kinds: its unit reads '0 red, 1 blue'."""
    pairs = re.findall(r"(\d+) (\w+)", factor.unit)
    return {word: float(number) for number, word in pairs}


def _unit(factor: Factor) -> str:
    return "" if _options(factor) else factor.unit


def _tokens(factor: Factor) -> list[str]:
    return re.sub(r"_(\d)", r"-\1", factor.name).split("_")


def _wording(factor: Factor, rng: np.random.Generator) -> list[str]:
    """Name a factor with other words, its owner first: blue speed."""
    kind, *owner = _tokens(factor)
    words = SYNONYMS.get(kind, (kind,))
    return [*owner, words[rng.integers(len(words))]]


def _meant(factor: Factor) -> set[str]:
    return {MEANING.get(token, token) for token in _tokens(factor)}


def _about(scene: type[Scene]) -> str:
    return " ".join((scene.__doc__ or "").split())


_ALL = [factor for scene in SCENES for factor in scene.factors]
UNITS = {word for factor in _ALL for word in _unit(factor).split()}
VOCABULARY = {*UNITS, *MIRRORED, *FILLERS, *MEANING}.union(*({*_tokens(f), *_options(f)} for f in _ALL))


def spoken(scenes: Iterable[type[Scene]]) -> tuple[str, ...]:
    """Return every word of every caption of some scenes."""
    words = {*MIRRORED, *FILLERS}
    for scene in scenes:
        words.update(WORD.findall(f"{scene.name()} {_about(scene)}".lower()))
        for factor in scene.factors:
            known = {*_tokens(factor), *_options(factor), *_unit(factor).split()}
            words.update(known.union(*(SYNONYMS.get(token, ()) for token in known)))
    return tuple(sorted(words))


SPOKEN = spoken(SCENES)
