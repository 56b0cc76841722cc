"""Parquet shards with one clip per row and per row group: random reads fetch one clip, and no video codec is needed.

Columns: index, seed, region, the states as flat lists [m, m/s], `video` (bytes) with its `codec`. The codec is zstd of
the raw frames (t h w c, uint8), which for flat pictures is smaller than any lossless video and 8 times as fast to read.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, final

import numpy as np

from cavendish.data.export.shards import STATES, Export, Format, states_of
from cavendish.errors import CorruptDataError, needs_extra
from cavendish.video import Clip

LEVEL = 3


@final
@dataclass(frozen=True)
class Parquet(Format):
    """Parquet files, always exact."""

    def write(self, job: Export, number: int, folder: Path) -> None:
        """Write one file, a row group per clip."""
        arrow, tables = library("parquet")
        zstd = arrow.Codec("zstd", compression_level=LEVEL)
        numbers = arrow.list_(arrow.float64())
        columns = {"index": arrow.int64(), "seed": arrow.uint64(), "region": arrow.string()}
        columns |= dict.fromkeys(STATES, numbers) | {"codec": arrow.string(), "video": arrow.binary()}
        schema = arrow.schema(list(columns.items()))
        with tables.ParquetWriter(folder / f"shard-{number:05d}.parquet", schema, compression="none") as file:
            for index, clip in job.clips(number):
                row = {"index": index, "seed": job.split.seed, "region": job.split.region, "codec": "zstd-raw"}
                row |= {name: values.ravel().tolist() for name, values in states_of(clip).items()}
                row["video"] = zstd.compress(clip.frames.numpy().tobytes(), asbytes=True)
                file.write_table(arrow.Table.from_pylist([row], schema))

    def finish(self, job: Export, whole: Path, folder: Path) -> None:
        """Do nothing: every shard stands for itself."""

    def read(self, job: Export, folder: Path) -> Iterator[Clip]:
        """Read row group by row group."""
        arrow, tables = library("parquet")
        shape = (job.split.scene.frames, job.split.picture.height, job.split.picture.width, 3)
        for path in sorted(folder.glob("shard-*.parquet")):
            with tables.ParquetFile(path) as file:
                for group in range(file.num_row_groups):
                    (row,) = file.read_row_group(group).to_pylist()
                    if row["codec"] != "zstd-raw":
                        raise CorruptDataError(f"{path}: codec = {row['codec']}, expected zstd-raw")
                    raw = arrow.decompress(row["video"], int(np.prod(shape)), "zstd", asbytes=True)
                    states = {name: np.array(row[name]) for name in STATES}
                    yield job.clip(np.frombuffer(raw, np.uint8).reshape(shape).copy(), states)


def library(what: str) -> tuple[Any, Any]:
    """Import pyarrow, or say which extra brings it."""
    with needs_extra(f"the format {what}", "export"):
        import pyarrow
        import pyarrow.parquet
    return pyarrow, pyarrow.parquet
