"""Every scene on one self-contained page: a moving film, its law, constants, ranges per region and what it keeps."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np
from PIL import Image

from cavendish.artefact import commit_file
from cavendish.data import Picture, Split
from cavendish.report.films import webp
from cavendish.report.page import templates
from cavendish.scenes import SCENES, Factor, Scene
from cavendish.scenes.scene import Intervals

SIDE = 160  # px
CLIP = 3  # which clip of the training region is shown


@dataclass(frozen=True)
class Card:
    """What the page says of one scene."""

    name: str
    about: str
    film: str  # data URI
    law: list[str]
    symbols: Mapping[str, str]
    constants: list[str]
    factors: list[tuple[str, str, str]]  # name with unit, taught range, ranges outside
    lessons: list[str]
    kept: list[str]
    clock: str


def write_gallery(page: Path) -> Path:
    """Film every scene and write the page; return its path."""
    html = templates().get_template("gallery.html.j2").render(cards=[_card(kind) for kind in SCENES])
    commit_file(page, html.encode())
    return page


def _card(kind: type[Scene]) -> Card:
    scene = kind()
    split = Split(scene, size=CLIP + 1, picture=Picture(SIDE, SIDE))  # type: ignore[arg-type]
    clip = split[CLIP]
    kept = scene.invariants(split.trajectories(np.array([CLIP])))
    images = [Image.fromarray(frame) for frame in clip.frames.numpy()]
    return Card(
        kind.name(),
        (kind.__doc__ or "").strip().split("\n")[0],
        webp(images, kind.step),
        kind.law.readable().split("; "),
        kind.law.parameters,
        _constants(scene),
        [_ranges(factor) for factor in kind.factors],
        sorted({lesson for factor in kind.factors for lesson in factor.lessons}),
        list(kept),
        f"{kind.frames} frames, {kind.step:g} s apart; {kind.context} are given; {kind.world.width:g} m across",
    )


def _constants(scene: Scene) -> list[str]:
    """Write every constant of nature with the unit of its type."""
    written = []
    for field in fields(scene):  # type: ignore[arg-type]
        value, unit = getattr(scene, field.name), scene.unit(field.name)
        shown = f"{value:g}" if isinstance(value, int | float) else str(value)
        written.append(f"{field.name.replace('_', ' ')} {shown} {unit}".strip())
    return written


def _ranges(factor: Factor) -> tuple[str, str, str]:
    name = f"{factor.name.replace('_', ' ')} [{factor.unit}]" if factor.unit else factor.name.replace("_", " ")
    if not factor.ranges:
        return name, "placed by the scene", ""
    shown = {
        region: _spans(spans)
        for region, spans in factor.ranges.items()
        if region.startswith("ood") and not region.endswith(("-low", "-high", "-both"))
    }
    outside = "; ".join(f"{region}: {text}" for region, text in shown.items())
    return name, _spans(factor.ranges["train"]), outside


def _spans(spans: Intervals) -> str:
    return " or ".join(f"{low:g} to {high:g}" for low, high in spans)
