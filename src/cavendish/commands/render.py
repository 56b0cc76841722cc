"""`cavendish render SCENE`: film true clips, with their states and a contact sheet."""

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import tyro

from cavendish.artefact import committed_folder
from cavendish.data import Picture, Split
from cavendish.data.media import contact_sheet, write_clip
from cavendish.data.states import write_states
from cavendish.errors import BadInputError
from cavendish.scenes import scene_named


@dataclass(frozen=True)
class Options:
    """Film true clips of a scene."""

    scene: tyro.conf.Positional[str]
    """Name of the scene in kebab case."""
    region: str = "train"
    """Where the factors are drawn from."""
    count: int = 8
    """Number of clips."""
    out: Path = Path("clips")
    """New folder for the clips, states.npz and sheet.png."""
    format: Literal["mp4", "gif", "png"] = "mp4"
    """Lossless H.264 in RGB, animated GIF, or one folder of PNG images per clip."""
    size: int = 128
    """Height and width of a frame in pixels."""
    seed: int = 0
    """Seed of the draw."""


def main(arguments: list[str]) -> None:
    """Film, and say where the films are."""
    options = tyro.cli(Options, args=arguments, prog="cavendish render")
    if options.count < 1:
        raise BadInputError(f"count = {options.count}, expected at least 1")
    scene = scene_named(options.scene)()
    split = Split(scene, options.region, options.count, options.seed, Picture(options.size, options.size))
    refuse_existing(options.out)
    clip = split.clips(np.arange(options.count))
    truth = clip.trajectory
    assert truth is not None
    frames = clip.frames.numpy()
    with committed_folder(options.out) as private:
        for number, film in enumerate(frames):
            write_clip(film, private / f"clip_{number:04d}", options.format, 1 / scene.step)
        contact_sheet(frames).save(private / "sheet.png")
        write_states(private / "states.npz", truth, scene)
    sys.stdout.write(f"{options.count} clips of {scene.name()} ({options.region}) in {options.out}\n")


def refuse_existing(folder: Path) -> None:
    """Refuse to write over an earlier result."""
    if folder.exists():
        raise BadInputError(f"{folder}: exists already; choose another --out or remove it")
