"""`cavendish scenes`: every scene with its law, factors, units and regions."""

import json
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import tyro

from cavendish.scenes import SCENES, Playable, Scene
from cavendish.scenes.scene import Intervals


@dataclass(frozen=True)
class Options:
    """List every scene."""

    json: bool = False
    """Print JSON instead of text."""
    gallery: Path | None = None
    """Write a page with every scene moving, instead of the list."""


def main(arguments: list[str]) -> None:
    """Print the catalogue."""
    options = tyro.cli(Options, args=arguments, prog="cavendish scenes")
    if options.gallery is not None:
        from cavendish.report.gallery import write_gallery

        sys.stdout.write(f"gallery: {write_gallery(options.gallery)}\n")
        return
    cards = [card(scene) for scene in SCENES]
    sys.stdout.write(json.dumps(cards, indent=2) + "\n" if options.json else "\n".join(map(_text, cards)))


def card(kind: type[Scene]) -> dict[str, object]:
    """Describe a scene in plain values."""
    return {
        "name": kind.name(),
        "about": (kind.__doc__ or "").strip(),
        "law": list(kind.law.equations),
        "parameters": dict(kind.law.parameters),
        "constants": kind().constants(),
        "world": {"width": kind.world.width, "height": kind.world.height, "unit": "m"},
        "clock": {"frames": kind.frames, "step": kind.step, "unit": "s", "context": kind.context},
        "regions": list(kind.regions()),
        "buttons": list(kind.controls) if issubclass(kind, Playable) else [],
        "factors": [
            {"name": f.name, "unit": f.unit, "ranges": _spans(f.ranges), "lessons": _spans(f.lessons)}
            for f in kind.factors
        ],
    }


def _spans(ranges: Mapping[str, Intervals]) -> dict[str, list[list[float]]]:
    return {region: [list(span) for span in spans] for region, spans in ranges.items()}


def _text(card: dict[str, object]) -> str:
    lines = [f"{card['name']}: {card['about']}"]
    lines += [f"    law      {equation}" for equation in card["law"]]  # type: ignore[attr-defined]
    lines += [f"    regions  {', '.join(card['regions'])}"]  # type: ignore[arg-type]
    if card["buttons"]:
        lines += [f"    buttons  {', '.join(card['buttons'])}"]  # type: ignore[arg-type]
    for factor in card["factors"]:  # type: ignore[attr-defined]
        ranges = [
            f"{region} {' or '.join(f'{low:g} to {high:g}' for low, high in spans)}"
            for region, spans in factor["ranges"].items()
        ]
        lines.append(f"    factor   {factor['name']} [{factor['unit']}]: {'; '.join(ranges) or 'placed by the scene'}")
    return "\n".join(lines) + "\n"
