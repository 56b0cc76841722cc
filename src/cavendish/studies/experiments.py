"""The experiments that have a name. A new one is one file beside this, an import and a name in the list."""

from cavendish.errors import unknown
from cavendish.studies.experiment import Experiment
from cavendish.studies.genie_ablations import GenieActionInjection, GenieLamInput, GenieScaling, GenieTokenizer
from cavendish.studies.genie_quick import GenieQuick
from cavendish.studies.jepa_quick import JepaQuick
from cavendish.studies.scaling import Scaling
from cavendish.studies.sora_features import SoraFeatures

EXPERIMENTS: tuple[Experiment, ...] = (
    SoraFeatures(),
    Scaling(),
    GenieQuick(),
    GenieLamInput(),
    GenieTokenizer(),
    GenieActionInjection(),
    GenieScaling(),
    JepaQuick(),
)


def experiment_named(name: str) -> Experiment:
    """Find an experiment by its name."""
    named = {experiment.name: experiment for experiment in EXPERIMENTS}
    if name not in named:
        raise unknown("experiment", name, named)
    return named[name]
