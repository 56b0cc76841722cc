"""The experiments that have a name. A new one is one file beside this, an import and a name in the list."""

from cavendish.errors import chosen
from cavendish.studies.active import Active
from cavendish.studies.conflict import AttributeMatrix
from cavendish.studies.experiment import Experiment
from cavendish.studies.genie_ablations import GenieActionInjection, GenieLamInput, GenieScaling, GenieTokenizer
from cavendish.studies.genie_ale import GenieAle
from cavendish.studies.genie_cloning import GenieCloning
from cavendish.studies.genie_coinrun import GenieCoinRun
from cavendish.studies.genie_planning import GeniePlanning
from cavendish.studies.genie_platform import GeniePlatform
from cavendish.studies.genie_quick import GenieQuick
from cavendish.studies.jepa_quick import JepaQuick
from cavendish.studies.orbits import Orbits
from cavendish.studies.paradigms import Paradigms
from cavendish.studies.planning import Planning
from cavendish.studies.scaling import Scaling
from cavendish.studies.sora_features import SoraFeatures
from cavendish.studies.surprise import SurpriseStudy

EXPERIMENTS: tuple[Experiment, ...] = (
    SoraFeatures(),
    Scaling(),
    GenieQuick(),
    GeniePlatform(),
    GeniePlanning(),
    GenieLamInput(),
    GenieTokenizer(),
    GenieActionInjection(),
    GenieScaling(),
    GenieCloning(),
    GenieAle(),
    GenieCoinRun(),
    JepaQuick(),
    AttributeMatrix(),
    Planning(),
    SurpriseStudy(),
    Paradigms(),
    Active(),
    Orbits(),
)


def experiment_named(name: str) -> Experiment:
    """Find an experiment by its name."""
    return chosen("experiment", name, {experiment.name: experiment for experiment in EXPERIMENTS})
