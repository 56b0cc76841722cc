"""Cavendish weighs world models: scene -> render -> learn -> imagine -> read -> measure -> report.

>>> import cavendish as cv
>>> cv.scenes.Parabola().gravity
2.5

Parts are imported when they are first named, so that asking for a law never waits for torch.
"""

from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from cavendish.models import WorldModel

PARTS = ("data", "measure", "models", "motion", "readout", "render", "report", "scenes", "studies", "training", "video")


def load(run: str | Path) -> "WorldModel":
    """Load the trained model of a run folder, ready to imagine."""
    from cavendish.studies import load as load_run

    return load_run(Path(run))


def __getattr__(name: str) -> Any:
    """Import a part on first use."""
    if name in PARTS:
        return import_module(f"cavendish.{name}")
    raise AttributeError(f"cavendish has no part '{name}'; it has {', '.join(PARTS)}")
