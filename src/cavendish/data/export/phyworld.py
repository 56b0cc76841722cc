"""The HDF5 layout of Kang et al. 2024 (arXiv 2411.02385, released generators), read and written.

Three groups with one child per shard, named "00000", "00001", ... of up to 1,000 clips each:
    video_streams     (n,) bytes of one mp4 each           position_streams  (n, t, [bodies,] 2) in world units
    init_streams      (n, k): radius and speed; of two balls r1, r2, v1, v2 (the second runs left)
Three more groups of ours, which the study's readers pass over, make the file whole: `velocity_streams`,
`radius_streams` and `factor_streams`. Frames stand upright. The study's own films are 4:2:0 and 5 per second.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, final

import numpy as np
from jaxtyping import Float, UInt8

from cavendish.data.export.films import Pixels, decode, encode
from cavendish.data.export.shards import PARTS, Export, Format, states_of
from cavendish.errors import BadInputError, CorruptDataError, needs_extra
from cavendish.video import Clip

LARGEST = 1000  # clips in a child
FILE = "data.hdf5"
OURS = {"velocity": "velocity_streams", "radius": "radius_streams", "factors": "factor_streams"}


@final
@dataclass(frozen=True)
class Phyworld(Format):
    """The study's HDF5 file."""

    pixels: Pixels = "rgb"

    def write(self, job: Export, number: int, folder: Path) -> None:
        """Write a child of every group into a file of its own."""
        if job.shard > LARGEST:
            raise BadInputError(f"shard = {job.shard}, expected at most {LARGEST}: the layout allows no more")
        films, rows = [], []
        for _, clip in job.clips(number):
            films.append(np.frombuffer(encode(clip.frames.numpy(), job.fps, self.pixels, len(clip.time)), np.uint8))
            rows.append(states_of(clip))
        stacked = {name: np.stack([row[name] for row in rows]) for name in rows[0]}
        one = stacked["position"].shape[2] == 1
        ranged = [k for k, factor in enumerate(job.split.scene.factors) if factor.ranges]
        hdf5 = library()
        with hdf5.File(folder / PARTS / f"{number:05d}.hdf5", "w") as file:
            child = f"{number:05d}"
            file[f"position_streams/{child}"] = stacked["position"][:, :, 0] if one else stacked["position"]
            file[f"init_streams/{child}"] = stacked["factors"][:, ranged]
            for name, group in OURS.items():
                file[f"{group}/{child}"] = stacked[name]
            streams = file.create_dataset(f"video_streams/{child}", (len(films),), hdf5.vlen_dtype(np.uint8))
            for k, film in enumerate(films):
                streams[k] = film

    def finish(self, job: Export, whole: Path, folder: Path) -> None:
        """Join the children in one file."""
        hdf5 = library()
        with hdf5.File(folder / FILE, "w") as joined:
            for part in job.parts(whole, ".hdf5"):
                with hdf5.File(part, "r") as file:
                    for group in file:
                        for child in file[group]:
                            file.copy(f"{group}/{child}", joined.require_group(group), name=child)

    def read(self, job: Export, folder: Path) -> Iterator[Clip]:
        """Read clip by clip."""
        with library().File(folder / FILE, "r") as file:
            for child in sorted(file["video_streams"]):
                for k in range(len(file["video_streams"][child])):
                    states = {name: file[group][child][k] for name, group in OURS.items()}
                    states["position"] = file["position_streams"][child][k]
                    where = f"{folder / FILE}: video_streams/{child}[{k}]"
                    yield job.clip(decode(file["video_streams"][child][k].tobytes(), where), states)


Study = tuple[UInt8[np.ndarray, "t h w c"], Float[np.ndarray, "t n 2"], Float[np.ndarray, " k"]]


def read_study(path: Path) -> Iterator[Study]:
    """Return frames, positions [m] and init vector of every clip of a file of the study's own making."""
    try:
        with library().File(path, "r") as file:
            for child in sorted(file["video_streams"]):
                for k, film in enumerate(file["video_streams"][child]):
                    position = np.asarray(file["position_streams"][child][k], float)
                    frames = decode(film.tobytes(), f"{path}: video_streams/{child}[{k}]")
                    yield (
                        frames,
                        position.reshape(len(position), -1, 2),
                        np.asarray(file["init_streams"][child][k], float),
                    )
    except (OSError, KeyError) as error:
        raise CorruptDataError(f"{path}: not a file of the study's layout ({error})") from error


def library() -> Any:
    """Import h5py, or say which extra brings it."""
    with needs_extra("the format phyworld", "export"):
        import h5py
    return h5py
