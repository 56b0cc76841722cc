"""WebDataset tars: `shard-00000.tar`, in which the members 0000017.mp4 and 0000017.npz are clip 17.

Plain POSIX tar with zeroed owners and times, so equal clips are equal bytes. Written by the standard library; read by
it or by `webdataset`, whose samples are the members that share a name up to the first dot.
"""

import io
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import final

import numpy as np

from cavendish.data.export.films import Pixels, decode, encode
from cavendish.data.export.shards import STATES, Export, Format, states_of
from cavendish.errors import CorruptDataError
from cavendish.video import Clip


@final
@dataclass(frozen=True)
class WebDataset(Format):
    """Tar files of films and states."""

    pixels: Pixels = "rgb"

    def write(self, job: Export, number: int, folder: Path) -> None:
        """Write one tar."""
        with tarfile.open(folder / f"shard-{number:05d}.tar", "w", format=tarfile.USTAR_FORMAT) as tar:
            for index, clip in job.clips(number):
                states = io.BytesIO()
                np.savez(states, time=clip.time.numpy(), **states_of(clip))
                film = encode(clip.frames.numpy(), job.fps, self.pixels, len(clip.time))
                for suffix, content in (("mp4", film), ("npz", states.getvalue())):
                    member = tarfile.TarInfo(f"{index:07d}.{suffix}")
                    member.size = len(content)
                    tar.addfile(member, io.BytesIO(content))

    def finish(self, job: Export, whole: Path, folder: Path) -> None:
        """Do nothing: every tar stands for itself."""

    def read(self, job: Export, folder: Path) -> Iterator[Clip]:
        """Read pair by pair."""
        for path in sorted(folder.glob("shard-*.tar")):
            with tarfile.open(path, "r:") as tar:
                contents = ((member.name, tar.extractfile(member)) for member in tar)
                for (name, film), (_, states) in zip(contents, contents, strict=True):
                    if film is None or states is None:
                        raise CorruptDataError(f"{path}: {name} is no pair of a film and its states")
                    with np.load(io.BytesIO(states.read()), allow_pickle=False) as stored:
                        yield job.clip(decode(film.read(), f"{path}: {name}"), {key: stored[key] for key in STATES})
