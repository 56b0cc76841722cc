"""The LeRobot v3.0 layout: tables of frames, films of many episodes end to end, and JSON about both.

    data/chunk-000/file-000.parquet                       a row per frame: state, timestamp, indices
    videos/observation.image/chunk-000/file-000.mp4       the episodes of the same shard, one after another
    meta/info.json  stats.json  tasks.parquet  episodes/chunk-000/file-000.parquet
An episode is a clip, and shard k is file k mod 1000 of chunk k div 1000. `observation.state` of a frame holds, body
after body, position, velocity and radius in metres and seconds, as float64 so that nothing is rounded.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, final

import numpy as np
from jaxtyping import Float, UInt8

from cavendish.data.export.films import Pixels, decode, encode
from cavendish.data.export.parquet import library
from cavendish.data.export.shards import PARTS, Export, Format
from cavendish.video import Clip

CHUNK = 1000  # files
CAMERA = "observation.image"
DATA, VIDEO, EPISODES = "data/{}.parquet", f"videos/{CAMERA}/{{}}.mp4", "meta/episodes/{}.parquet"
COUNTERS = ("frame_index", "episode_index", "index", "task_index")


def place(number: int) -> str:
    """Return where a shard lies, in every folder of the layout."""
    return f"chunk-{number // CHUNK:03d}/file-{number % CHUNK:03d}"


@final
@dataclass(frozen=True)
class LeRobot(Format):
    """Tables, films and metadata of LeRobot v3.0."""

    pixels: Pixels = "rgb"

    def write(self, job: Export, number: int, folder: Path) -> None:
        """Write the table, the film and the episodes of one shard."""
        arrow, tables = library(self.name())
        states, factors, indices = [], [], []

        def frames() -> Iterator[UInt8[np.ndarray, "h w c"]]:
            for index, clip in job.clips(number):
                truth = clip.trajectory
                assert truth is not None
                flat = np.concatenate([truth.position, truth.velocity, truth.radius[..., None]], -1)
                states.append(flat.reshape(len(flat), -1))
                factors.append(truth.factors)
                indices.append(index)
                yield from clip.frames.numpy()

        film = encode(frames(), job.fps, self.pixels, job.split.scene.frames)
        files = {kind: folder / kind.format(place(number)) for kind in (DATA, VIDEO, EPISODES)}
        for path in files.values():
            path.parent.mkdir(parents=True)
        files[VIDEO].write_bytes(film)
        tables.write_table(arrow.table(_frame_rows(job, indices, states)), files[DATA])
        tables.write_table(arrow.table(_episode_rows(job, number, indices, factors)), files[EPISODES])
        joined = np.concatenate(states)
        sums = [joined.min(0), joined.max(0), joined.sum(0), (joined**2).sum(0), np.full(joined.shape[1], len(joined))]
        np.savez(folder / PARTS / f"{number:05d}.npz", sums=np.stack(sums))

    def finish(self, job: Export, whole: Path, folder: Path) -> None:
        """Write the metadata."""
        arrow, tables = library(self.name())
        parts = np.stack([np.load(part, allow_pickle=False)["sums"] for part in job.parts(whole, ".npz")])
        count = parts[:, 4].sum(0)
        mean = parts[:, 2].sum(0) / count
        deviation = np.sqrt(np.maximum(parts[:, 3].sum(0) / count - mean**2, 0.0))
        stats = {
            "min": parts[:, 0].min(0),
            "max": parts[:, 1].max(0),
            "mean": mean,
            "std": deviation,
            "count": count[:1],
        }
        (folder / "meta").mkdir()
        shown = {"observation.state": {name: values.tolist() for name, values in stats.items()}}
        (folder / "meta/stats.json").write_text(json.dumps(shown, indent=1))
        (folder / "meta/info.json").write_text(json.dumps(_info(job, self.pixels, parts.shape[2]), indent=1))
        tables.write_table(arrow.table({"task_index": [0], "task": [_task(job)]}), folder / "meta/tasks.parquet")

    def read(self, job: Export, folder: Path) -> Iterator[Clip]:
        """Read shard by shard."""
        _, tables = library(self.name())
        scene = job.split.scene
        for number in range(job.shards):
            film = folder / VIDEO.format(place(number))
            frames = decode(film.read_bytes(), str(film)).reshape(-1, scene.frames, *_size(job), 3)
            rows = np.array(tables.read_table(folder / DATA.format(place(number)))["observation.state"].to_pylist())
            states = rows.reshape(len(frames), scene.frames, scene.bodies, -1)
            factors = tables.read_table(folder / EPISODES.format(place(number)))["factors"].to_pylist()
            axes = states.shape[-1] // 2
            for k, clip in enumerate(frames):
                parts = {"position": states[k, ..., :axes], "velocity": states[k, ..., axes:-1]}
                yield job.clip(clip, parts | {"radius": states[k, ..., -1], "factors": np.array(factors[k])})


def _size(job: Export) -> tuple[int, int]:
    return job.split.picture.height, job.split.picture.width


def _task(job: Export) -> str:
    return f"foretell {job.split.scene.name()} ({job.split.region})"


def _frame_rows(job: Export, indices: list[int], states: list[Float[np.ndarray, "t k"]]) -> dict[str, Any]:
    length, count = job.split.scene.frames, len(indices)
    counters = np.arange(length)
    episode = np.repeat(indices, length)
    return {
        "observation.state": np.concatenate(states).tolist(),
        "timestamp": np.tile(job.split.scene.clock(), count).astype(np.float32),
        "frame_index": np.tile(counters, count),
        "episode_index": episode,
        "index": episode * length + np.tile(counters, count),
        "task_index": np.zeros(length * count, np.int64),
    }


def _episode_rows(
    job: Export, number: int, indices: list[int], factors: list[Float[np.ndarray, " f"]]
) -> dict[str, Any]:
    length, count = job.split.scene.frames, len(indices)
    first, order = np.array(indices), np.arange(count)
    rows: dict[str, Any] = {
        "episode_index": first,
        "tasks": [[_task(job)]] * count,
        "length": np.full(count, length),
        "dataset_from_index": first * length,
        "dataset_to_index": (first + 1) * length,
        f"videos/{CAMERA}/from_timestamp": order * length / job.fps,
        f"videos/{CAMERA}/to_timestamp": (order + 1) * length / job.fps,
        "factors": [row.tolist() for row in factors],
    }
    for where in ("data", f"videos/{CAMERA}", "meta/episodes"):
        rows[f"{where}/chunk_index"] = np.full(count, number // CHUNK)
        rows[f"{where}/file_index"] = np.full(count, number % CHUNK)
    return rows


def _info(job: Export, pixels: Pixels, width: int) -> dict[str, Any]:
    scene, split = job.split.scene, job.split
    height, across = _size(job)
    film = {
        "video.height": height,
        "video.width": across,
        "video.codec": "h264",
        "video.pix_fmt": "gbrp" if pixels == "rgb" else "yuv420p",
        "video.is_depth_map": False,
        "video.fps": job.fps,
        "video.channels": 3,
        "has_audio": False,
    }
    names = [f"body{k // (width // scene.bodies)}.{k % (width // scene.bodies)}" for k in range(width)]
    counters = {name: {"dtype": "int64", "shape": [1], "names": None} for name in COUNTERS}
    return {
        "codebase_version": "v3.0",
        "robot_type": None,
        "total_episodes": split.size,
        "total_frames": split.size * scene.frames,
        "total_tasks": 1,
        "chunks_size": CHUNK,
        "fps": job.fps,
        "splits": {"train": f"0:{split.size}"},
        "data_path": DATA.format("chunk-{chunk_index:03d}/file-{file_index:03d}"),
        "video_path": "videos/{video_key}/chunk-{chunk_index:03d}/file-{file_index:03d}.mp4",
        "features": {
            CAMERA: {
                "dtype": "video",
                "shape": [height, across, 3],
                "names": ["height", "width", "channels"],
                "info": film,
            },
            "observation.state": {"dtype": "float64", "shape": [width], "names": names},
            "timestamp": {"dtype": "float32", "shape": [1], "names": None},
            **counters,
        },
    }
