"""Predict in abstract space: a joint-embedding predictive world model, and what keeps it from collapsing."""

from cavendish.models.jepa.guard import Guard, Sigreg, Teacher, Vicreg, effective_rank
from cavendish.models.jepa.masked import MaskedJepa, MaskedJepaConfig
from cavendish.models.jepa.model import Jepa, JepaConfig

__all__ = [
    "Guard",
    "Jepa",
    "JepaConfig",
    "MaskedJepa",
    "MaskedJepaConfig",
    "Sigreg",
    "Teacher",
    "Vicreg",
    "effective_rank",
]
