"""Clips as functions of an index, and video files at the border."""

from cavendish.data.arcade import Arcade
from cavendish.data.backdrop import Backdrop
from cavendish.data.blend import Blend, Share
from cavendish.data.recorded import Recording
from cavendish.data.split import Picture, Split

AnyData = Split | Blend | Arcade | Recording  # what a model may learn from

__all__ = ["AnyData", "Arcade", "Backdrop", "Blend", "Picture", "Recording", "Share", "Split"]
