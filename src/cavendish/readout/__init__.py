"""Frames -> metres, without knowing the scene."""

from cavendish.readout.probe import CurvedProbe, Probe, Probed, choose_curved_probe, choose_probe, probe_layers
from cavendish.readout.reader import Reader

__all__ = [
    "CurvedProbe",
    "Probe",
    "Probed",
    "Reader",
    "choose_curved_probe",
    "choose_probe",
    "probe_layers",
]
