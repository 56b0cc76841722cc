"""A folder of films as `render` and `imagine` leave it: clips, the true states, and a contact sheet."""

from pathlib import Path
from typing import Literal

import numpy as np
from jaxtyping import Float, UInt8

from cavendish.artefact import committed_folder, disk_errors
from cavendish.data.media import contact_sheet, write_clip
from cavendish.data.states import write_states
from cavendish.errors import BadInputError
from cavendish.motion import Seconds, Trajectory
from cavendish.scenes import Scene
from cavendish.video import Clip

Format = Literal["mp4", "gif", "png"]


def check_request(count: int, folder: Path) -> None:
    """Refuse to film nothing, or to write over an earlier result."""
    if count < 1:
        raise BadInputError(f"count = {count}, expected at least 1")
    with disk_errors(folder):
        if folder.exists():
            raise BadInputError(f"{folder}: exists already; choose another --out or remove it")


def commit_films(
    folder: Path,
    frames: UInt8[np.ndarray, "b t h w c"],
    truth: Trajectory,
    scene: Scene,
    kind: Format,
    actions: Float[np.ndarray, "b t a"] | None = None,
) -> None:
    """Write all films of a folder and what is true of them, or none."""
    with committed_folder(folder) as private:
        _write(private, frames, kind, scene.step)
        write_states(private / "states.npz", truth, scene, actions)


def commit_answers(folder: Path, answers: Clip, kind: Format) -> None:
    """Write all answers to a prompt, or none, at their own rate; nothing is known to be true of them."""
    with committed_folder(folder) as private:
        _write(private, answers.frames.numpy(), kind, answers.tick or 1.0)  # a picture has no rate


def _write(folder: Path, frames: UInt8[np.ndarray, "b t h w c"], kind: Format, step: Seconds) -> None:
    for number, film in enumerate(frames):
        write_clip(film, folder / f"clip_{number:04d}", kind, 1 / step)
    contact_sheet(frames).save(folder / "sheet.png")
