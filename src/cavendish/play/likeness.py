"""Which true button does each button of a learnt world act like? So that the left arrow moves left.

From each of a few true beginnings b, every button k of the world is pressed twice, and so is every true button a
of the simulator; with dreamt and true last frames D_bk and T_ba,
    E_ka = sum_b |D_bk - T_ba|^2,   likeness(k) = argmin_a E_ka,
if the best is at most CLEARLY times the second best; a button that is like no other one has none (-1).
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from jaxtyping import Float

from cavendish.models.playing import Place, PlayedWorld
from cavendish.play.simulated import Beginning, Simulated

PRESSES, CLEARLY = 2, 0.8


def likeness(world: PlayedWorld[Any], truth: Simulated, beginnings: Sequence[Beginning]) -> tuple[int, ...]:
    """Return the true button that each button acts like, or -1."""
    error = np.zeros((world.buttons, truth.buttons))
    for one in beginnings:
        if one.state is not None:
            dreamt = _answers(world, world.enter(one.frames))
            true = _answers(truth, truth.stand(one.state))
            error += ((dreamt[:, None] - true[None]) ** 2).mean((2, 3, 4))
    best, second = np.partition(error, 1, axis=1)[:, :2].T
    clear = (best <= CLEARLY * second) & (second > 0)
    return tuple(int(a) if sure else -1 for a, sure in zip(error.argmin(1), clear, strict=True))


def _answers(world: PlayedWorld[Any], place: Place[Any]) -> Float[np.ndarray, "a h w c"]:
    return np.stack([held(world, place, button, PRESSES).frame.double().numpy() for button in range(world.buttons)])


def held(world: PlayedWorld[Any], place: Place[Any], button: int, presses: int) -> Place[Any]:
    """Hold a button for a few frames, at temperature 0."""
    for _ in range(presses):
        place = world.press(place, button, 0.0, torch.Generator())
    return place
