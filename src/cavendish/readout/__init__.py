"""Frames -> metres, without knowing the scene."""

from cavendish.readout.probe import Probe, Probed, choose_probe, probe_layers
from cavendish.readout.reader import Reader

__all__ = ["Probe", "Probed", "Reader", "choose_probe", "probe_layers"]
