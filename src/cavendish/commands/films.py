"""A folder of films as `render` and `imagine` leave it: clips, the true states, and a contact sheet."""

from pathlib import Path
from typing import Literal

import numpy as np
from jaxtyping import Float, UInt8

from cavendish.artefact import committed_folder
from cavendish.data.media import contact_sheet, write_clip
from cavendish.data.states import write_states
from cavendish.errors import BadInputError
from cavendish.motion import Trajectory
from cavendish.scenes import Scene

Format = Literal["mp4", "gif", "png"]


def check_request(count: int, folder: Path) -> None:
    """Refuse to film nothing, or to write over an earlier result."""
    if count < 1:
        raise BadInputError(f"count = {count}, expected at least 1")
    if folder.exists():
        raise BadInputError(f"{folder}: exists already; choose another --out or remove it")


def commit_films(
    folder: Path,
    frames: UInt8[np.ndarray, "b t h w c"],
    truth: Trajectory | None,
    scene: Scene,
    kind: Format,
    actions: Float[np.ndarray, "b t a"] | None = None,
) -> None:
    """Write all films of a folder, or none; dreams of no true motion have no states."""
    with committed_folder(folder) as private:
        for number, film in enumerate(frames):
            write_clip(film, private / f"clip_{number:04d}", kind, 1 / scene.step)
        contact_sheet(frames).save(private / "sheet.png")
        if truth is not None:
            write_states(private / "states.npz", truth, scene, actions)
