"""An export is a list of shards, and shard k is a pure function of (split, format, k).

Shard k holds the clips [k s, min((k + 1) s, N)). It is written in a private folder, flushed, and moved into place
file by file; then its receipt `.shards/k.json` (sizes and SHA-256) is committed by one rename. A shard is done when its
receipt lies there, so whatever kills the writer, the same command writes what is missing, to the same bytes, and any
process or machine may write any shard: nothing is shared between two of them. The last step joins what needs all
shards and commits MANIFEST.json; only then is the export whole. One writer at a time holds the folder.
"""

import json
import os
import shutil
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, final

import numpy as np
import torch
from jaxtyping import Float, UInt8

from cavendish.artefact import (
    MANIFEST,
    TEMPORARY,
    commit_file,
    disk_errors,
    read_json,
    seal,
    sole_writer,
    verify_folder,
)
from cavendish.codec import from_json, to_json
from cavendish.data.split import Split
from cavendish.errors import BadInputError, chosen, needs_extra
from cavendish.motion import Trajectory
from cavendish.video import Clip

DESCRIPTION, PARTS = "dataset.json", ".shards"
BATCH = 8  # clips rendered at a time: memory does not depend on the size of a shard
STATES = ("position", "velocity", "radius", "factors")


class Format(ABC):
    """How clips lie in files; leaves are frozen dataclasses."""

    @classmethod
    def name(cls) -> str:
        """Return the name on the command line."""
        return cls.__name__.lower()

    @abstractmethod
    def write(self, job: "Export", number: int, folder: Path) -> None:
        """Write the files of one shard; what lies under `.shards` is for `finish` and then removed."""

    @abstractmethod
    def finish(self, job: "Export", whole: Path, folder: Path) -> None:
        """Write what needs all shards, which lie in `whole`, into another folder."""

    @abstractmethod
    def read(self, job: "Export", folder: Path) -> Iterator[Clip]:
        """Return the clips in order, with their states."""


@final
@dataclass(frozen=True)
class Export:
    """Which clips, in which files, how many to a shard."""

    split: Split
    format: Format
    shard: int = 100

    def __post_init__(self) -> None:
        """Refuse shards without clips."""
        if self.shard < 1:
            raise BadInputError(f"shard = {self.shard}, expected at least 1 clip")

    @property
    def shards(self) -> int:
        """Return the number of shards."""
        return -(-self.split.size // self.shard)

    @property
    def fps(self) -> float:
        """Return frames per second."""
        return 1 / self.split.scene.step

    def clips(self, number: int) -> Iterator[tuple[int, Clip]]:
        """Make the clips of a shard, with their indices."""
        last = min((number + 1) * self.shard, self.split.size)
        for start in range(number * self.shard, last, BATCH):
            batch = self.split.clips(np.arange(start, min(start + BATCH, last)))
            for k, frames in enumerate(batch.frames):
                yield start + k, Clip(frames, batch.time, batch.world, batch.truth[k])

    def parts(self, folder: Path, suffix: str) -> list[Path]:
        """List what the shards left for the last step, in order."""
        return [folder / PARTS / f"{number:05d}{suffix}" for number in range(self.shards)]

    def clip(self, frames: UInt8[np.ndarray, "t h w c"], states: dict[str, Float[np.ndarray, "..."]]) -> Clip:
        """Put a clip together from what a file held."""
        scene, time = self.split.scene, self.split.scene.clock()
        body = (len(time), scene.bodies)
        truth = Trajectory(
            time,
            states["position"].reshape(*body, -1),
            states["velocity"].reshape(*body, -1),
            states["radius"].reshape(body),
            np.ones(body),
            states["factors"],
        )
        return Clip(torch.from_numpy(frames), torch.from_numpy(time).float(), scene.world, truth)


def states_of(clip: Clip) -> dict[str, Any]:
    """Return the true states of a clip as plain arrays."""
    return {name: np.asarray(getattr(clip.trajectory, name)) for name in STATES}


Spread = Callable[[Export, Path, list[int]], None]


def export(job: Export, folder: Path, spread: Spread) -> int:
    """Write the shards that are missing and join them; return how many were missing."""
    next(job.clips(0))  # an impossible request leaves no trace
    with sole_writer(folder):
        _claim(job, folder)
        missing = [number for number, receipt in enumerate(job.parts(folder, ".json")) if not receipt.exists()]
        if (folder / MANIFEST).exists():
            missing = []
        else:
            spread(job, folder, missing)
            _join(job, folder)
        shutil.rmtree(folder / PARTS, ignore_errors=True)
    return len(missing)


def write_shard(job: Export, folder: Path, number: int) -> None:
    """Write one shard and then its receipt: all that a worker, here or elsewhere, is asked to do."""
    receipt = _moved_in(folder, f"shard-{number}", lambda private: job.format.write(job, number, private))
    commit_file(folder / PARTS / f"{number:05d}.json", json.dumps(receipt).encode())


def one_by_one(job: Export, folder: Path, missing: list[int]) -> None:
    """Write the missing shards in this process."""
    for number in missing:
        write_shard(job, folder, number)


def through_ray(address: str) -> Spread:
    """Write the missing shards as tasks of a Ray cluster (`local` starts one here); all see the same folder."""

    def spread(job: Export, folder: Path, missing: list[int]) -> None:
        with needs_extra("--ray", "ray"):
            import ray
        cluster = None if address == "local" else address
        ray.init(cluster, log_to_driver=False, include_dashboard=False, configure_logging=False)
        try:
            task = ray.remote(_remote_shard)
            ray.get([task.remote(to_json(job), str(folder.absolute()), number) for number in missing])
        finally:
            ray.shutdown()

    return spread


def read_export(folder: Path) -> Iterator[Clip]:
    """Return the clips of a finished export, one by one, after a look at its manifest."""
    job = _described(folder)
    if not (folder / MANIFEST).exists():
        raise BadInputError(f"{folder}: the export is not finished; the same command resumes it")
    verify_folder(folder)
    return job.format.read(job, folder)


def _remote_shard(job: Any, folder: str, number: int) -> None:
    write_shard(_job(job, folder), Path(folder), number)


def _job(content: Any, where: str) -> Export:
    from cavendish.data.export import FORMATS

    parts = content if isinstance(content, dict) else {}
    known = {kind.__name__: kind for kind in FORMATS}
    kind = chosen(f"format in {where}", str((parts.get("format") or {}).get("type")), known)
    form = from_json(kind, parts["format"], f"{where}: format")
    split = from_json(Split, parts.get("split"), f"{where}: split")
    return Export(split, form, from_json(int, parts.get("shard"), f"{where}: shard"))


def _described(folder: Path) -> Export:
    return _job(read_json(folder / DESCRIPTION), str(folder / DESCRIPTION))


def _claim(job: Export, folder: Path) -> None:
    """Take an empty folder, or one where the same export was begun."""
    if (folder / DESCRIPTION).exists():
        if _described(folder) != job:
            raise BadInputError(f"{folder}: holds another export (see {DESCRIPTION}); choose another --out")
    elif any(path.name != ".lock" for path in folder.iterdir()):
        raise BadInputError(f"{folder}: exists already and is no export; choose another --out or remove it")
    else:
        commit_file(folder / DESCRIPTION, json.dumps(to_json(job), indent=1).encode())


def _join(job: Export, folder: Path) -> None:
    """Write what needs all shards, and the manifest of everything."""
    files = _moved_in(folder, "whole", lambda private: job.format.finish(job, folder, private))
    for receipt in job.parts(folder, ".json"):
        files |= read_json(receipt)
    kept = {name: files[name] for name in sorted(files) if not name.startswith(PARTS)}
    commit_file(folder / MANIFEST, json.dumps({"files": kept}, indent=1).encode())


def _moved_in(folder: Path, what: str, write: Callable[[Path], None]) -> dict[str, dict[str, int | str]]:
    """Write files in a private folder, flush them, move them into place, and list them."""
    private = folder / f"{TEMPORARY}{what}-{os.getpid()}"
    with disk_errors(folder):
        try:
            (private / PARTS).mkdir(parents=True)
            write(private)
            files = seal(private)
            for name in files:
                (folder / name).parent.mkdir(parents=True, exist_ok=True)
                (private / name).replace(folder / name)
        finally:
            shutil.rmtree(private, ignore_errors=True)
    return files
