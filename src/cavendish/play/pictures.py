"""A stranger's picture -> a beginning: decoded in the child that may die, cut to a window, and shrunk.

The largest window of the world's aspect is cut from the middle, then every pixel averages the area that it covers.
"""

import tempfile
import threading
from contextlib import ExitStack
from pathlib import Path
from typing import Self, final

import numpy as np
import torch
from jaxtyping import UInt8
from PIL import Image

from cavendish.data.decoding import Decoder, Limits
from cavendish.errors import BadInputError, CorruptDataError
from cavendish.play.simulated import Beginning

NAME = "picture-0.png"  # whatever it is; a child looks at the bytes


@final
class Pictures:
    """Decodes one picture at a time; a context manager that ends the child."""

    def __init__(self, size: tuple[int, int]) -> None:
        self.size = size  # height and width, px
        self.alone, self.open = threading.Lock(), ExitStack()

    def __enter__(self) -> Self:
        """Make room for one picture."""
        self.decoder = self.open.enter_context(Decoder(Limits(frames=1)))
        self.folder = Path(self.open.enter_context(tempfile.TemporaryDirectory()))
        return self

    def __exit__(self, *reason: object) -> None:
        """End the child and remove what was uploaded."""
        self.open.close()

    def beginning(self, content: bytes) -> Beginning:
        """Decode a PNG, JPEG or WebP; raise BadInputError that says why not."""
        with self.alone:
            (self.folder / NAME).write_bytes(content)
            try:
                frame = self.decoder.read(self.folder).frames[0]
            except CorruptDataError as error:
                reason = str(error).removeprefix(f"{self.folder}: ").removeprefix(f"{NAME} ")
                raise BadInputError(f"this picture is refused: it {reason}") from None
        return Beginning(torch.from_numpy(fitted(frame, *self.size))[None])


def fitted(frame: UInt8[np.ndarray, "a b c"], height: int, width: int) -> UInt8[np.ndarray, "h w c"]:
    """Cut the middle window of an aspect out of a picture, and bring it to a size."""
    tall, wide, _ = frame.shape
    share = min(tall / height, wide / width)
    top, left = (tall - share * height) / 2, (wide - share * width) / 2
    window = (left, top, left + share * width, top + share * height)
    resized = Image.fromarray(frame).resize((width, height), Image.Resampling.BOX, window)
    return np.array(resized)
