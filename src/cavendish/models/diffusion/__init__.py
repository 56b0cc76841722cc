"""The video diffusion transformer."""

from cavendish.models.diffusion import prompts
from cavendish.models.diffusion.compression import Compression, CompressionConfig
from cavendish.models.diffusion.model import Diffusion, DiffusionConfig
from cavendish.models.diffusion.objective import Mixture
from cavendish.models.diffusion.sampler import Sampling
from cavendish.models.diffusion.text import Lexicon
from cavendish.models.diffusion.wording import Wording

__all__ = [
    "Compression",
    "CompressionConfig",
    "Diffusion",
    "DiffusionConfig",
    "Lexicon",
    "Mixture",
    "Sampling",
    "Wording",
    "prompts",
]
