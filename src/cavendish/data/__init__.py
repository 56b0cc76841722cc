"""Clips as functions of an index, and video files at the border."""

from cavendish.data.arcade import Arcade
from cavendish.data.backdrop import Backdrop
from cavendish.data.blend import Blend, Share
from cavendish.data.split import Picture, Split

__all__ = ["Arcade", "Backdrop", "Blend", "Picture", "Share", "Split"]
