"""Truth, imagination and reading side by side, as animated lossless WebP inside the page."""

import base64
import io
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from cavendish.measure.results import RESULTS
from cavendish.motion import World
from cavendish.readout.overlay import READ, TRUE, enlarge, ring

SIDE = 160  # px
GAP = 8  # px


@dataclass(frozen=True)
class Film:
    """One clip of one region."""

    region: str
    caption: str
    source: str  # data URI


def films(run: Path, region: str, world: World, factor_names: list[str], count: int = 2) -> list[Film]:
    """Make the films of a region from the stored readings: truth | imagined | what the reader saw."""
    with np.load(run / RESULTS / f"{region}.npz", allow_pickle=False) as stored:
        arrays = {name: stored[name] for name in stored.files}
    made = []
    for clip in range(min(count, len(arrays["truth_frames"]))):
        true = enlarge(arrays["truth_frames"][clip], SIDE)
        dreamt = enlarge(arrays["model_frames"][clip], SIDE)
        seen = [image.copy() for image in dreamt]
        ring(seen, arrays["truth_position"][clip], arrays["truth_radius"][clip], world, TRUE)
        ring(seen, arrays["model_position"][clip], arrays["model_radius"][clip], world, READ)
        strips = [_side_by_side(images) for images in zip(true, dreamt, seen, strict=True)]
        values = zip(factor_names, arrays["factors"][clip], strict=True)
        caption = ", ".join(f"{name.replace('_', ' ')} {value:.2f}" for name, value in values if name[0] not in "xy")
        made.append(Film(region, caption, webp(strips, float(np.diff(arrays["time"])[0]))))
    return made


def _side_by_side(images: tuple[Image.Image, ...]) -> Image.Image:
    width, height = images[0].size
    strip = Image.new("RGB", (len(images) * width + (len(images) - 1) * GAP, height), (233, 238, 245))
    for k, image in enumerate(images):
        strip.paste(image, (k * (width + GAP), 0))
    return strip


def webp(images: list[Image.Image], step: float) -> str:
    """Return frames as an animated, lossless WebP in a data URI."""
    held = [*images, *[images[-1]] * 5]  # rest on the last frame before the film starts again
    content = io.BytesIO()
    held[0].save(
        content,
        "WEBP",
        save_all=True,
        append_images=held[1:],
        duration=round(1000 * step),
        loop=0,
        lossless=True,
        quality=60,
    )
    return "data:image/webp;base64," + base64.b64encode(content.getvalue()).decode()
