"""`cavendish export SCENE`: a data set for other tools, resumable, in shards."""

import sys
from dataclasses import dataclass, fields
from pathlib import Path

import tyro

from cavendish.data import Picture, Split
from cavendish.data.export import FORMATS, AnyFormat, Export, export, one_by_one, through_ray
from cavendish.data.export.films import Pixels
from cavendish.errors import BadInputError, chosen
from cavendish.scenes import scene_named


@dataclass(frozen=True)
class Options:
    """Write clips of a scene in the files of another tool; the same command resumes what was interrupted."""

    scene: tyro.conf.Positional[str]
    """Name of the scene in kebab case."""
    format: str
    """phyworld (HDF5), mp4, png, webdataset, lerobot or parquet."""
    count: int
    """Number of clips."""
    out: Path
    """Folder of the data set."""
    region: str = "train"
    """Where the factors are drawn from."""
    seed: int = 0
    """Seed of the draw."""
    size: int = 128
    """Height and width of a frame in pixels."""
    pixels: Pixels = "rgb"
    """rgb is exact; yuv420 is smaller, plays everywhere, and moves coloured edges."""
    shard: int = 100
    """Clips per shard."""
    ray: str | None = None
    """Address of a Ray cluster that shares the folder (`auto`, or `local` to start one here)."""


def main(arguments: list[str]) -> None:
    """Export, and say what was written."""
    options = tyro.cli(Options, args=arguments, prog="cavendish export")
    form = _format(options.format, options.pixels)
    scene = scene_named(options.scene)()
    split = Split(scene, options.region, options.count, options.seed, Picture(options.size, options.size))
    job = Export(split, form, options.shard)
    if options.pixels == "yuv420":
        sys.stderr.write("cavendish: warning: 4:2:0 films move coloured edges, so positions read from them are off\n")
    written = export(job, options.out, one_by_one if options.ray is None else through_ray(options.ray))
    sys.stdout.write(f"{options.count} clips of {scene.name()} ({options.region}) in {options.out}: ")
    sys.stdout.write(f"{written} of {job.shards} shards written now\n")


def _format(name: str, pixels: Pixels) -> AnyFormat:
    kind = chosen("format", name, {kind.name(): kind for kind in FORMATS})
    if fields(kind):
        return kind(pixels)  # type: ignore[call-arg]
    if pixels != "rgb":
        raise BadInputError(f"pixels = {pixels}: the format {name} is always exact, expected rgb")
    return kind()
