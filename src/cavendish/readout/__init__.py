"""Frames -> metres, without knowing the scene."""

from cavendish.readout.reader import Reader

__all__ = ["Reader"]
