"""`cavendish render SCENE`: film true clips, with their states and a contact sheet; `--prompts`: a prompt kit."""

import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import tyro

from cavendish.commands.films import Format, check_request, commit_films
from cavendish.data import Picture, Split
from cavendish.data.kit import write_kit
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
    format: Format = "mp4"
    """Lossless H.264 in RGB, animated GIF, or one folder of PNG images per clip."""
    size: int = 128
    """Height and width of a frame in pixels."""
    seed: int = 0
    """Seed of the draw."""
    prompts: bool = False
    """Write a kit of first frames, context clips and captions for any image-to-video model instead of whole films."""


def main(arguments: list[str]) -> None:
    """Film, and say where the films are."""
    options = tyro.cli(Options, args=arguments, prog="cavendish render")
    scene = scene_named(options.scene)()
    check_request(options.count, options.out)
    split = Split(scene, options.region, options.count, options.seed, Picture(options.size, options.size))
    if options.prompts:
        write_kit(options.out, split)
        sys.stdout.write(f"{options.count} prompts of {scene.name()} ({options.region}) in {options.out}\n")
        return
    clip = split.clips(np.arange(options.count))
    actions = None if clip.actions is None else clip.actions.numpy()
    commit_films(options.out, clip.frames.numpy(), clip.truth, scene, options.format, actions)
    sys.stdout.write(f"{options.count} clips of {scene.name()} ({options.region}) in {options.out}\n")
