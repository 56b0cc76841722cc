"""A playable world learnt from silent video."""

from cavendish.models.genie.actions import LatentActionConfig
from cavendish.models.genie.dynamics import DynamicsConfig
from cavendish.models.genie.model import Genie, GenieConfig
from cavendish.models.genie.tokenizer import TokenizerConfig

__all__ = ["DynamicsConfig", "Genie", "GenieConfig", "LatentActionConfig", "TokenizerConfig"]
