"""World models: one self-contained file or folder each."""

from cavendish.models.diffusion import DiffusionConfig as DiffusionConfig
from cavendish.models.genie import GenieConfig as GenieConfig
from cavendish.models.jepa import JepaConfig as JepaConfig
from cavendish.models.jepa import MaskedJepaConfig as MaskedJepaConfig
from cavendish.models.world_model import WorldModel as WorldModel

AnyModel = DiffusionConfig | GenieConfig | JepaConfig | MaskedJepaConfig
