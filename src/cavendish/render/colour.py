"""sRGB bytes and linear light: covering half a pixel halves its light, not its byte.

IEC 61966-2-1:  light = s / 12.92 for s <= 0.04045, else ((s + 0.055) / 1.055)^2.4,  s = byte / 255.
"""

import numpy as np
from jaxtyping import Float, UInt8


def light_of(srgb: Float[np.ndarray, "..."]) -> Float[np.ndarray, "..."]:
    """Turn sRGB values in [0, 1] into linear light in [0, 1]."""
    return np.where(srgb <= 0.04045, srgb / 12.92, ((srgb + 0.055) / 1.055) ** 2.4)


def srgb_of(light: Float[np.ndarray, "..."]) -> Float[np.ndarray, "..."]:
    """Turn linear light in [0, 1] into sRGB values in [0, 1]."""
    return np.where(light <= 0.0031308, light * 12.92, 1.055 * light ** (1 / 2.4) - 0.055)


LIGHT_OF_BYTE: Float[np.ndarray, "256"] = light_of(np.arange(256) / 255)

# Light is rounded to 1/65536 before it is encoded; the steepest part of the curve then errs by 0.03 byte.
BYTE_OF_LIGHT: UInt8[np.ndarray, "65537"] = np.rint(255 * srgb_of(np.arange(65537) / 65536)).astype(np.uint8)
