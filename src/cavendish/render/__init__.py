"""Drawing list -> frames."""

from cavendish.render.raster import render

__all__ = ["render"]
