"""Frames -> metres, without knowing the scene."""

from cavendish.readout.probe import Probe, Probed, fit_probe, probe_layers
from cavendish.readout.reader import Reader

__all__ = ["Probe", "Probed", "Reader", "fit_probe", "probe_layers"]
