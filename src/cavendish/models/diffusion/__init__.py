"""The video diffusion transformer."""

from cavendish.models.diffusion.model import Diffusion, DiffusionConfig
from cavendish.models.diffusion.objective import Mixture

__all__ = ["Diffusion", "DiffusionConfig", "Mixture"]
