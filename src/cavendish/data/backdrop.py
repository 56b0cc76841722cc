"""Distractors behind any scene: flickering texture that cannot be foretold, and drifting waves that can.

Before it is filmed a scene's white ground becomes grey light B(x, y, t) in [1 - noise - drift, 1]:
    B = 1 - noise u(pixel, t) - drift mean_k (1 + cos(k_k . (x - c_k t) + p_k)) / 2,
u uniform and fresh for every pixel and frame, `WAVES` waves with directions, phases and speeds of their own per clip.
Bodies and scenery are composited exactly: with the clear share M of a pixel (the drawing rendered all black),
    light = L + M (B - 1),   L the light of the undisturbed frame.
All of it is a pure function of (backdrop, split, clip). The law, the truth and the drawing know nothing of it.
A reader of `seen(drawing)` takes grey for scenery, of which every pixel may hold any share; three body colours leave no
room for that in three channels, so there the reader must do with its own means against haze.
"""

from dataclasses import dataclass, replace
from typing import final

import numpy as np
from jaxtyping import Float, UInt8

from cavendish.errors import BadInputError
from cavendish.motion import Drawing, MetresPerSecond, Scenery, World
from cavendish.render import render
from cavendish.render.colour import BYTE_OF_LIGHT, LIGHT_OF_BYTE
from cavendish.scenes.looks import GREY

WAVES = 4
MOST = 2  # body colours beside which grey can still be told apart
LONGEST, SHORTEST = 8.0, 1.5  # m, of the waves


@final
@dataclass(frozen=True)
class Backdrop:
    """How much a background distracts, as shares of white light; it is seeded by itself and by the clip."""

    noise: float = 0.0
    drift: float = 0.0
    speed: MetresPerSecond = 2.0
    seed: int = 0

    def __post_init__(self) -> None:
        """Refuse more contrast than light."""
        if not (self.noise >= 0 and self.drift >= 0 and self.noise + self.drift <= 1):
            raise BadInputError(
                f"backdrop: noise = {self.noise:g}, drift = {self.drift:g}, expected shares of 1 in all"
            )
        if not 0 <= self.seed < 2**64:
            raise BadInputError(f"backdrop: seed = {self.seed}, expected 0 to 2^64 - 1")

    def behind(
        self,
        drawing: Drawing,
        frames: UInt8[np.ndarray, "b t h w c"],
        time: Float[np.ndarray, " t"],
        keys: list[tuple[int, int]],
    ) -> UInt8[np.ndarray, "b t h w c"]:
        """Put this backdrop behind rendered clips; a key (of the split, of the clip) seeds each."""
        clear = LIGHT_OF_BYTE[render(_black(drawing), *frames.shape[-3:-1])[..., :1]]
        disturbed = np.empty_like(frames)
        for clip, (split, index) in enumerate(keys):
            rng = np.random.Generator(np.random.Philox(key=[self.seed, split], counter=[0, 0, 1, index]))
            ground = self._light(time, drawing.world, frames.shape[-3:-1], rng)[..., None]
            light = LIGHT_OF_BYTE[frames[clip]] + clear[clip] * (ground - 1)
            disturbed[clip] = BYTE_OF_LIGHT[np.rint(65536 * np.clip(light, 0, 1)).astype(int)]
        return disturbed

    def _light(
        self, time: Float[np.ndarray, " t"], world: World, size: tuple[int, ...], rng: np.random.Generator
    ) -> Float[np.ndarray, "t h w"]:
        height, width = size
        x = (np.arange(width) + 0.5) * world.width / width
        y = (np.arange(height)[::-1, None] + 0.5) * world.height / height
        heading, phase = rng.uniform(0, 2 * np.pi, (2, WAVES))
        number = 2 * np.pi / rng.uniform(SHORTEST, LONGEST, WAVES)
        waves = np.zeros((len(time), height, width))
        for k in range(WAVES):
            along = x * np.cos(heading[k]) + y * np.sin(heading[k])
            waves += 1 + np.cos(number[k] * (along - self.speed * time[:, None, None]) + phase[k])
        return 1 - self.drift * waves / (2 * WAVES) - self.noise * rng.random(waves.shape)

    @staticmethod
    def seen(drawing: Drawing) -> Drawing:
        """Add grey to the colours of a drawing, so that a reader made of it looks past backdrops."""
        behind = drawing.behind
        if len(np.unique(drawing.colour, axis=0)) > MOST:
            return drawing
        nowhere = np.full((*behind.corners.shape[:-3], 1, *behind.corners.shape[-2:]), np.nan)
        colours = np.concatenate([behind.colour, np.array([GREY], np.uint8)])
        return replace(drawing, behind=Scenery(np.concatenate([behind.corners, nowhere], -3), colours))


def _black(drawing: Drawing) -> Drawing:
    """Return a drawing with everything black on white."""

    def dark(scenery: Scenery) -> Scenery:
        return replace(scenery, colour=np.zeros_like(scenery.colour))

    white = np.full(3, 255, np.uint8)
    return replace(
        drawing,
        colour=np.zeros_like(drawing.colour),
        background=white,
        behind=dark(drawing.behind),
        front=dark(drawing.front),
    )
