"""Is an export bounded by the codec? 1,000 clips in each format; the share of CPU time inside the encoder, in one run.

python benchmarks/export.py [clips]
"""

import json
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow

from cavendish.data import Split
from cavendish.data.export import FORMATS, Export, Parquet, Png, export, lerobot, one_by_one, phyworld, webdataset
from cavendish.data.export import folder as folders
from cavendish.scenes import Collision

spent = 0.0


def timed(work: Callable[..., Any]) -> Callable[..., Any]:
    """Count the CPU time of a function."""

    def wrapped(*arguments: Any, **options: Any) -> Any:
        global spent  # noqa: PLW0603
        begun = time.process_time()
        try:
            return work(*arguments, **options)
        finally:
            spent += time.process_time() - begun

    return wrapped


def drawn_first(encode: Callable[..., bytes]) -> Callable[..., bytes]:
    """Draw frames that arrive one by one before the clock of the encoder starts."""
    inside = timed(encode)
    return lambda frames, *rest: inside(list(frames), *rest)


class Codec:
    """Counts the CPU time of compression inside Parquet shards."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        self.compress = timed(REAL(*arguments, **options).compress)


REAL = pyarrow.Codec


def main() -> None:
    """Export to a temporary folder in every format and print rates, shares and sizes."""
    global spent  # noqa: PLW0603
    clips = int(sys.argv[1]) if len(sys.argv) > 1 else 1000
    for module in (folders, lerobot, phyworld, webdataset):
        module.encode = drawn_first(module.encode)
    folders.write_clip = timed(folders.write_clip)
    pyarrow.Codec = Codec
    split = Split(Collision(), size=clips)
    split.clips(range(2))
    results = {}
    for kind in FORMATS:
        spent = 0.0
        with tempfile.TemporaryDirectory() as place:
            cpu, wall = time.process_time(), time.perf_counter()
            export(Export(split, kind()), Path(place) / "set", one_by_one)
            cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
            size = sum(path.stat().st_size for path in Path(place).rglob("*") if path.is_file())
        codec = {Png: "png", Parquet: "zstd"}.get(kind, "H.264 RGB")
        results[kind.name()] = {
            "codec": codec,
            "share_of_cpu_in_codec": round(spent / cpu, 3),
            "clips_per_cpu_second": round(clips / cpu, 1),
            "clips_per_second": round(clips / wall, 1),
            "KiB_per_clip": round(size / clips / 1024, 1),
        }
        print(json.dumps({kind.name(): results[kind.name()]}), flush=True)


if __name__ == "__main__":
    main()
