"""A policy from silent film, told afterwards what its moves are called (Bruce et al. 2024, section 3.3).

An expert is filmed, and nobody notes its buttons. Latent actions name every transition by a code; a policy learns
pi(code | frame) by cross-entropy. Of k transitions the true button is known besides: a code stands for the list of the
buttons seen with it, and to act is to draw a code from the policy and a button from its list (any button at all, if the
list is empty). Beside it: the oracle, which is the same policy taught the true buttons, and random buttons.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float, Int, UInt8
from torch import Tensor, nn
from torch.nn import functional as F

from cavendish.data import Split
from cavendish.measure.playing import Steered
from cavendish.models.world_model import parameters_from
from cavendish.render import render
from cavendish.scenes import Playable

CELL, BATCH, STEPS, RATE = 4, 128, 300, 2e-3

Chooser = Callable[[UInt8[Tensor, "b h w c"]], Int[Tensor, " b"]]


@dataclass(frozen=True)
class Shown:
    """Transitions of the expert: what it saw, the code of what it did, and its button."""

    frames: UInt8[Tensor, "n h w c"]
    codes: Int[Tensor, " n"]
    buttons: Int[Tensor, " n"]


def film(split: Split, model: Steered, count: int) -> Shown:
    """Film an expert until its games are over, and name its moves."""
    clip = split.clips(np.arange(count))
    assert isinstance(split.scene, Playable)
    assert clip.actions is not None
    going = torch.from_numpy(~split.scene.finished(clip.truth)[:, :-1])
    return Shown(clip.frames[:, :-1][going], model.infer(clip)[going], clip.actions[:, :-1, 0].long()[going])


def clone(
    frames: UInt8[Tensor, "n h w c"], labels: Int[Tensor, " n"], choices: int, generator: torch.Generator
) -> nn.Module:
    """Teach a small convolutional policy what was done in which frame."""
    policy = _policy((frames.shape[1], frames.shape[2]), choices, generator)
    optimiser = torch.optim.AdamW(policy.parameters(), RATE)
    for step in range(STEPS):
        optimiser.param_groups[0]["lr"] = RATE * min(1.0, 2 * (STEPS - step) / STEPS)
        picked = torch.randint(len(frames), (BATCH,), generator=generator)
        F.cross_entropy(policy(_planes(frames[picked])), labels[picked]).backward()  # type: ignore[no-untyped-call]
        optimiser.step()
        optimiser.zero_grad()
    return policy


def drawing(policy: nn.Module, generator: torch.Generator) -> Chooser:
    """Draw from a policy."""

    @torch.no_grad()
    def choose(frames: UInt8[Tensor, "b h w c"]) -> Int[Tensor, " b"]:
        return torch.multinomial(policy(_planes(frames)).softmax(-1), 1, generator=generator)[:, 0]

    return choose


def translated(choose: Chooser, meant: Float[Tensor, "k a"], generator: torch.Generator) -> Chooser:
    """Draw a button from the list of every chosen code; `meant` counts the labelled transitions of code and button."""
    known = meant.sum(1, keepdim=True) > 0
    chances = torch.where(known, meant, torch.ones_like(meant))
    return lambda frames: torch.multinomial(chances[choose(frames)], 1, generator=generator)[:, 0]


def dictionary(shown: Shown, codes: int, buttons: int, labelled: Int[Tensor, " k"]) -> Float[Tensor, "k a"]:
    """Count which buttons were seen with which codes in the labelled transitions."""
    meant = torch.zeros(codes, buttons)
    seen = (shown.codes[labelled], shown.buttons[labelled])
    return meant.index_put_(seen, torch.ones(len(labelled)), accumulate=True)


def played(
    scene: Playable, factors: Float[np.ndarray, "b f"], side: tuple[int, int], choose: Chooser
) -> Bool[np.ndarray, " b"]:
    """Play one game from every start, from pixels alone, and tell which reached the goal in time."""
    clock = scene.clock()[:2]
    moving = scene.simulate(factors, clock[:1])
    done = scene.finished(moving)[:, -1]
    for _ in range(scene.frames - 1):
        frames = render(scene.draw(moving), *side)[:, -1]
        pressed = choose(torch.from_numpy(frames)).double().numpy()
        actions = np.stack([pressed, np.zeros_like(pressed)], 1)[..., None]
        moving = scene.simulate(factors, clock, actions)
        factors = scene.resume(moving)
        done = done | scene.finished(moving)[:, -1]
    return done


def _policy(side: tuple[int, int], choices: int, generator: torch.Generator) -> nn.Module:
    cells = -(-side[0] // (2 * CELL)) * -(-side[1] // (2 * CELL))
    with parameters_from(generator):
        return nn.Sequential(
            nn.Conv2d(3 * CELL**2, 24, 3, 2, 1),
            nn.GELU(),
            nn.Conv2d(24, 32, 3, 1, 1),
            nn.GELU(),
            nn.Flatten(),
            nn.Linear(32 * cells, 64),
            nn.GELU(),
            nn.Linear(64, choices),
        )


def _planes(frames: UInt8[Tensor, "b h w c"]) -> Float[Tensor, "b p y x"]:
    return F.pixel_unshuffle(frames.float().movedim(-1, 1) / 127.5 - 1, CELL)
