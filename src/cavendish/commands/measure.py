"""`cavendish measure VIDEOS --scene SCENE`: weigh a folder of films against their true states."""

import json
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import tyro
from rich.console import Console
from rich.table import Table

from cavendish.artefact import commit_file
from cavendish.codec import to_json
from cavendish.data.media import clips_in, read_clip
from cavendish.data.states import read_states
from cavendish.errors import BadInputError
from cavendish.measure import Scorecard, scorecard
from cavendish.readout import Reader
from cavendish.readout.perspective import lift
from cavendish.scenes import scene_named


@dataclass(frozen=True)
class Options:
    """Weigh videos against their true states."""

    videos: tyro.conf.Positional[Path]
    """Folder of clips: mp4 or gif files, or one folder of numbered PNG images each."""
    scene: str
    """Name of the scene that the videos show."""
    states: Path | None = None
    """The true states; by default states.npz in the folder of the videos."""
    fps: float | None = None
    """Frames per second; by default the clock of the states."""
    world: float | None = None
    """Metres across the frame; by default the scene's own."""
    out: Path | None = None
    """Folder for scorecard.json; by default nothing is written."""


def main(arguments: list[str]) -> None:
    """Read every clip, score them together, print the card."""
    options = tyro.cli(Options, args=arguments, prog="cavendish measure")
    scene = scene_named(options.scene)()
    truth = read_states(options.states or options.videos / "states.npz")
    paths = clips_in(options.videos)
    if len(paths) != len(truth.position):
        raise BadInputError(f"{options.videos}: {len(paths)} clips, but states for {len(truth.position)}")
    if options.fps is not None and not np.allclose(np.diff(truth.time), 1 / options.fps):
        raise BadInputError(f"fps = {options.fps:g}, but the states are {1 / np.diff(truth.time)[0]:g} per second")
    if options.world is not None and options.world != scene.world.width:
        raise BadInputError(f"world = {options.world:g} m, but {scene.name()} is {scene.world.width:g} m across")
    reader = Reader.of(scene.draw(truth))
    frames = [read_clip(path) for path in paths]
    for path, film in zip(paths, frames, strict=True):
        if film.shape != frames[0].shape or len(film) != len(truth.time):
            raise BadInputError(
                f"{path}: {film.shape[0]} frames of {film.shape[1]} x {film.shape[2]}, expected "
                f"{len(truth.time)} of {frames[0].shape[1]} x {frames[0].shape[2]}"
            )
    card = scorecard(scene, truth, lift(scene, truth, reader.read(np.stack(frames), truth.time)))
    if options.out is not None:
        content = {"scene": scene.name(), "clips": [path.name for path in paths], "scores": to_json(card)["scores"]}
        commit_file(options.out / "scorecard.json", json.dumps(content, indent=1).encode())
        sys.stdout.write(f"scorecard: {options.out / 'scorecard.json'}\n")
    Console().print(table(card))


def table(card: Scorecard) -> Table:
    """Lay a scorecard out for a terminal."""
    shown = Table("measurement", "value", "95 % interval", "clips")
    for score in card:
        unit = f" {score.unit}" if score.unit else ""
        shown.add_row(
            score.name, f"{score.value:.4g}{unit}", f"{score.low:.4g} to {score.high:.4g}", f"{score.n}/{score.clips}"
        )
    return shown
