"""Any image-to-video pipeline of the library `diffusers`, asked the way its own signature allows.

Pipelines differ in what they accept (a prompt, a size, a number of frames); the adapter offers all of it and passes
on what the pipeline's call names. Weights come from a local folder of safetensors, never from the network.
"""

import inspect
from pathlib import Path
from typing import Any, final

import numpy as np
import torch
from jaxtyping import UInt8
from PIL import Image

from cavendish.errors import BadInputError, needs_extra

BLOCK = 8  # pipelines with temporal compression want a multiple of 4 or 8, plus one


@final
class Animator:
    """An image-to-video pipeline from a local folder."""

    def __init__(self, folder: Path, steps: int | None = None) -> None:
        with needs_extra("a pipeline", "diffusers"):
            import diffusers
        if not (folder / "model_index.json").is_file():
            raise BadInputError(f"{folder}: no diffusers pipeline here (model_index.json is missing)")
        try:
            loader: Any = diffusers.DiffusionPipeline
            self.pipeline = loader.from_pretrained(folder, local_files_only=True, use_safetensors=True)
        except (OSError, ValueError, AttributeError, ImportError) as error:
            reason = str(error).strip().splitlines()[0]
            raise BadInputError(f"{folder}: cannot be loaded as a diffusers pipeline ({reason})") from error
        self.accepted = set(inspect.signature(self.pipeline.__call__).parameters)
        if not {"image", "num_frames"} <= self.accepted:
            raise BadInputError(f"{folder}: {type(self.pipeline).__name__} makes no video from an image")
        self.pipeline.set_progress_bar_config(disable=True)
        self.pipeline.to("cuda" if torch.cuda.is_available() else "cpu")
        self.steps = steps

    def animate(
        self, image: UInt8[np.ndarray, "h w c"], caption: str, count: int, fps: float, generator: torch.Generator
    ) -> UInt8[np.ndarray, "t h w c"]:
        """Continue a first frame to `count` frames of the same size; a pipeline that makes fewer is refused."""
        height, width = image.shape[:2]
        offered = {
            "image": Image.fromarray(image),
            "prompt": caption,
            "height": height,
            "width": width,
            "num_frames": -(-(count - 1) // BLOCK) * BLOCK + 1,
            "fps": round(fps),
            "frame_rate": round(fps),
            "num_inference_steps": self.steps,
            "generator": generator,
            "output_type": "np",
        }
        asked = {name: value for name, value in offered.items() if name in self.accepted and value is not None}
        film = np.asarray(self.pipeline(**asked).frames)[0]
        if len(film) < count or film.shape[1:] != image.shape or not np.isfinite(film).all():
            raise BadInputError(f"{type(self.pipeline).__name__} made {film.shape}, expected {(count, *image.shape)}")
        return np.asarray(np.rint(np.clip(film[:count], 0, 1) * 255), np.uint8)
