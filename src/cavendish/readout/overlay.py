"""What the reader saw, drawn over the frames: rings where it found a body, and where the truth is."""

import numpy as np
from jaxtyping import Float, UInt8
from PIL import Image, ImageDraw

from cavendish.motion import World

READ, TRUE = (20, 20, 20), (0, 160, 90)


def enlarge(frames: UInt8[np.ndarray, "t h w c"], side: int) -> list[Image.Image]:
    """Enlarge frames to `side` pixels across, every pixel a sharp square."""
    height, width = frames.shape[1:3]
    scale = max(1, side // width)
    return [
        Image.fromarray(frame).resize((width * scale, height * scale), Image.Resampling.NEAREST) for frame in frames
    ]


def ring(
    images: list[Image.Image],
    position: Float[np.ndarray, "t n d"],
    radius: Float[np.ndarray, "t n"],
    world: World,
    colour: tuple[int, int, int],
) -> None:
    """Draw a ring and a centre dot on every image where a body was found."""
    for image, centres, radii in zip(images, position, radius, strict=True):
        pen = ImageDraw.Draw(image)
        scale = image.width / world.width
        for (x, y), r in zip(centres, radii, strict=True):
            if np.isfinite(x) and np.isfinite(r):
                u, v, s = x * scale, (world.height - y) * scale, r * scale
                pen.ellipse((u - s, v - s, u + s, v + s), outline=colour, width=2)
                pen.ellipse((u - 2, v - 2, u + 2, v + 2), fill=colour)
