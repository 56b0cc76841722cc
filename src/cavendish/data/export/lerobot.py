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
from jaxtyping import UInt8

from cavendish.data.export.films import Pixels, decode, encode
from cavendish.data.export.parquet import library
from cavendish.data.export.shards import PARTS, Export, Format
from cavendish.motion import Trajectory
from cavendish.video import Clip

CHUNK = 1000  # files
CAMERA, STATE = "observation.image", "observation.state"
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
        """Write the film, the table and the episodes of one shard."""
        arrow, tables = library(self.name())
        truths: dict[int, Trajectory] = {}

        def frames() -> Iterator[UInt8[np.ndarray, "h w c"]]:
            for index, clip in job.clips(number):
                truths[index] = clip.truth
                yield from clip.frames.numpy()

        film = encode(frames(), job.fps, self.pixels, job.split.scene.frames)
        files = {kind: folder / kind.format(place(number)) for kind in (DATA, VIDEO, EPISODES)}
        for path in files.values():
            path.parent.mkdir(parents=True)
        files[VIDEO].write_bytes(film)
        states = np.concatenate(
            [np.concatenate([t.position, t.velocity, t.radius[..., None]], -1) for t in truths.values()]
        )
        states = states.reshape(len(states), -1)
        length = job.split.scene.frames
        rows: dict[str, Any] = dict.fromkeys(COUNTERS, np.tile(np.arange(length), len(truths)))
        rows["episode_index"] = np.repeat(list(truths), length)
        rows["index"] = rows["episode_index"] * length + rows["frame_index"]
        rows |= {"task_index": np.zeros(len(states), np.int64), STATE: states.tolist()}
        rows["timestamp"] = np.tile(job.split.scene.clock(), len(truths)).astype(np.float32)
        tables.write_table(arrow.table(rows), files[DATA])
        tables.write_table(arrow.Table.from_pylist(_episodes(job, number, truths)), files[EPISODES])
        np.savez(
            folder / PARTS / f"{number:05d}.npz", sums=[states.min(0), states.max(0), states.sum(0), (states**2).sum(0)]
        )

    def finish(self, job: Export, whole: Path, folder: Path) -> None:
        """Write the metadata."""
        arrow, tables = library(self.name())
        parts = np.stack([np.load(part, allow_pickle=False)["sums"] for part in job.parts(whole, ".npz")])
        count = job.split.size * job.split.scene.frames
        mean = parts[:, 2].sum(0) / count
        deviation = np.sqrt(np.maximum(parts[:, 3].sum(0) / count - mean**2, 0.0))
        stats = {"min": parts[:, 0].min(0), "max": parts[:, 1].max(0), "mean": mean, "std": deviation}
        shown = {STATE: {name: values.tolist() for name, values in stats.items()} | {"count": [count]}}
        (folder / "meta").mkdir()
        (folder / "meta/stats.json").write_text(json.dumps(shown, indent=1))
        (folder / "meta/info.json").write_text(json.dumps(_info(job, self.pixels, parts.shape[2]), indent=1))
        tables.write_table(arrow.table({"task_index": [0], "task": [_task(job)]}), folder / "meta/tasks.parquet")

    def read(self, job: Export, folder: Path) -> Iterator[Clip]:
        """Read shard by shard."""
        _, tables = library(self.name())
        scene, picture = job.split.scene, job.split.picture
        for number in range(job.shards):
            film = folder / VIDEO.format(place(number))
            frames = decode(film.read_bytes(), str(film)).reshape(-1, scene.frames, picture.height, picture.width, 3)
            rows = np.array(tables.read_table(folder / DATA.format(place(number)))[STATE].to_pylist())
            states = rows.reshape(len(frames), scene.frames, scene.bodies, -1)
            factors = tables.read_table(folder / EPISODES.format(place(number)))["factors"].to_pylist()
            for k, clip in enumerate(frames):
                parts = {"position": states[k, ..., : scene.space], "velocity": states[k, ..., scene.space : -1]}
                yield job.clip(clip, parts | {"radius": states[k, ..., -1], "factors": np.array(factors[k])})


def _task(job: Export) -> str:
    return f"foretell {job.split.scene.name()} ({job.split.region})"


def _episodes(job: Export, number: int, truths: dict[int, Trajectory]) -> list[dict[str, Any]]:
    length = job.split.scene.frames
    chunk, file = divmod(number, CHUNK)
    places = {f"{where}/chunk_index": chunk for where in ("data", f"videos/{CAMERA}", "meta/episodes")}
    places |= {name.replace("chunk", "file"): file for name in places}
    return [
        {
            "episode_index": index,
            "tasks": [_task(job)],
            "length": length,
            "dataset_from_index": index * length,
            "dataset_to_index": (index + 1) * length,
            f"videos/{CAMERA}/from_timestamp": k * length / job.fps,
            f"videos/{CAMERA}/to_timestamp": (k + 1) * length / job.fps,
            "factors": truth.factors.tolist(),
            **places,
        }
        for k, (index, truth) in enumerate(truths.items())
    ]


def _info(job: Export, pixels: Pixels, width: int) -> dict[str, Any]:
    split, frames = job.split, job.split.scene.frames
    film = {"video.codec": "h264", "video.pix_fmt": "gbrp" if pixels == "rgb" else "yuv420p", "video.fps": job.fps}
    film |= {"video.height": split.picture.height, "video.width": split.picture.width, "video.channels": 3}
    shape, names = [split.picture.height, split.picture.width, 3], ["height", "width", "channels"]
    return {
        "codebase_version": "v3.0",
        "robot_type": None,
        "total_episodes": split.size,
        "total_frames": split.size * frames,
        "total_tasks": 1,
        "chunks_size": CHUNK,
        "fps": job.fps,
        "splits": {"train": f"0:{split.size}"},
        "data_path": DATA.format("chunk-{chunk_index:03d}/file-{file_index:03d}"),
        "video_path": "videos/{video_key}/chunk-{chunk_index:03d}/file-{file_index:03d}.mp4",
        "features": {
            CAMERA: {"dtype": "video", "shape": shape, "names": names, "info": film | {"has_audio": False}},
            STATE: {"dtype": "float64", "shape": [width], "names": [f"state_{k}" for k in range(width)]},
            "timestamp": {"dtype": "float32", "shape": [1], "names": None},
            **{name: {"dtype": "int64", "shape": [1], "names": None} for name in COUNTERS},
        },
    }
