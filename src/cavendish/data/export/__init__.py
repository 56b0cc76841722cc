"""Data sets for other tools: the same clips in the files that they read, and back again."""

from cavendish.data.export.folder import Mp4, Png
from cavendish.data.export.lerobot import LeRobot
from cavendish.data.export.parquet import Parquet
from cavendish.data.export.phyworld import Phyworld
from cavendish.data.export.shards import Export, Format, export, one_by_one, read_export, through_ray
from cavendish.data.export.webdataset import WebDataset

AnyFormat = Phyworld | Mp4 | Png | WebDataset | LeRobot | Parquet
FORMATS: tuple[type[AnyFormat], ...] = AnyFormat.__args__

__all__ = [
    "FORMATS",
    "AnyFormat",
    "Export",
    "Format",
    "LeRobot",
    "Mp4",
    "Parquet",
    "Phyworld",
    "Png",
    "WebDataset",
    "export",
    "one_by_one",
    "read_export",
    "through_ray",
]
