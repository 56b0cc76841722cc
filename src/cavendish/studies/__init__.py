"""Experiments as frozen values, and the one sentence that runs them."""

from cavendish.studies.catalogue import STUDIES, study_named
from cavendish.studies.run import load, run
from cavendish.studies.study import Study, Weighing, read_study

__all__ = ["STUDIES", "Study", "Weighing", "load", "read_study", "run", "study_named"]
