"""Pupils who are told true states instead of pictures: what the data alone allow, without the trouble of seeing.

A state is the places of all bodies, s_k = (x, y, ..) / world, in units about the middle; the radii r stand beside it.
    linear        s_k+1 = A (s_k, s_k-1, s_k-2, r, 1), least squares
    mlp           s_k+1 = s_k + f(s_k, s_k-1, s_k-2, r), two hidden layers
    transformer   s_k+1 = s_k + f(s_<=k, r), causal attention over the last `window` frames, 0 for all of them
All learn one step from the trajectories of the same split that the schools see as films, and then run freely. Asked,
they read the given frames with the lab's reader and film what they foretell, so they pass through every measurement.
"""

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Literal, final

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from cavendish.data import Split
from cavendish.models.world_model import parameters_from
from cavendish.motion import Trajectory, World
from cavendish.readout import Reader
from cavendish.render import render
from cavendish.scenes import Scene
from cavendish.scenes.scene import assemble
from cavendish.training import seeded
from cavendish.video import Clip, Imagined

HISTORY = 3  # frames
NOISE = 1e-3  # of the world, added to what is seen, so that small errors do not grow
CLIPS, RATE, BATCH = 4000, 2e-3, 64


@final
@dataclass(frozen=True)
class StatePupil:
    """Which kind, how wide, how far it looks back, and for how many steps it learns."""

    kind: Literal["linear", "mlp", "transformer"]
    width: int = 64
    window: int = 0  # frames that a transformer looks back; 0: all
    steps: int = 1500

    def build(self, size: int, radii: int, generator: torch.Generator) -> "Foreteller":
        """Make the network with fresh parameters drawn from the generator."""
        with parameters_from(generator):
            if self.kind == "transformer":
                return Attentive(size, radii, self.width, self.window)
            return Windowed(size, radii, self.width if self.kind == "mlp" else 0)


class Foreteller(nn.Module, ABC):
    """States of frames, and radii -> the change to the next state, for every frame."""

    first: int  # frames that must lie behind

    @abstractmethod
    def forward(self, state: Float[Tensor, "b t k"], radius: Float[Tensor, "b n"]) -> Float[Tensor, "b s k"]:
        """Return the change that follows frames `first - 1` to the last."""


@final
class Windowed(Foreteller):
    """A map of a short history, linear or with two hidden layers."""

    def __init__(self, size: int, radii: int, width: int) -> None:
        super().__init__()
        self.first, into = HISTORY, HISTORY * size + radii
        hidden = (nn.Linear(into, width), nn.GELU(), nn.Linear(width, width), nn.GELU()) if width else ()
        self.map = nn.Sequential(*hidden, nn.Linear(width or into, size))

    def forward(self, state: Float[Tensor, "b t k"], radius: Float[Tensor, "b n"]) -> Float[Tensor, "b s k"]:
        """Foretell from every history."""
        return self.map(self.seen(state, radius))  # type: ignore[no-any-return]

    def seen(self, state: Float[Tensor, "b t k"], radius: Float[Tensor, "b n"]) -> Float[Tensor, "b s h"]:
        """Lay the newest state, the latest changes and the radii side by side."""
        past = state.unfold(1, HISTORY, 1).movedim(-1, 2)
        steps = past.diff(dim=2).flatten(2) * 10
        beside = radius[:, None].expand(-1, past.shape[1], -1)
        return torch.cat([past[:, :, -1], steps, beside], -1)


@final
class Attentive(Foreteller):
    """A causal transformer whose every layer looks back over a window, told apart by distance alone."""

    def __init__(self, size: int, radii: int, width: int, window: int, depth: int = 2) -> None:
        super().__init__()
        self.first, self.window, self.heads = 2, window, 4
        self.enter = nn.Linear(2 * size + radii, width)
        self.slopes = nn.Parameter(torch.tensor([0.0, 0.1, 0.5, 2.0]).repeat(depth, 1))
        self.into = nn.ModuleList(nn.Linear(width, 3 * width) for _ in range(depth))
        self.out = nn.ModuleList(nn.Linear(width, width) for _ in range(depth))
        self.more = nn.ModuleList(
            nn.Sequential(nn.LayerNorm(width), nn.Linear(width, 2 * width), nn.GELU(), nn.Linear(2 * width, width))
            for _ in range(depth)
        )
        self.leave = nn.Linear(width, size)

    def forward(self, state: Float[Tensor, "b t k"], radius: Float[Tensor, "b n"]) -> Float[Tensor, "b s k"]:
        """Foretell from all frames that a window holds."""
        newest = torch.cat([state[:, 1:], state.diff(dim=1) * 10], -1)
        x = self.enter(torch.cat([newest, radius[:, None].expand(-1, newest.shape[1], -1)], -1))
        ago = torch.arange(x.shape[1])[:, None] - torch.arange(x.shape[1])
        reach = max(self.window - 1, 1) if self.window else len(ago)  # a window of two frames is one change
        for depth, (into, out, more) in enumerate(zip(self.into, self.out, self.more, strict=True)):
            allowed = (ago >= 0) & (ago < (reach if depth == 0 else 1 if self.window else len(ago)))
            far = -self.slopes[depth].abs()[:, None, None] * ago
            q, k, v = into(F.layer_norm(x, x.shape[-1:])).unflatten(-1, (3, self.heads, -1)).unbind(2)
            mask = far.masked_fill(~allowed, -math.inf)
            query, key, value = (part.transpose(1, 2) for part in (q, k, v))
            seen = F.scaled_dot_product_attention(query, key, value, attn_mask=mask)
            x = x + out(seen.transpose(1, 2).flatten(2))
            x = x + more(x)
        return self.leave(x)  # type: ignore[no-any-return]


@final
@dataclass(frozen=True)
class StateDreamer:
    """A trained foreteller behind the interface of dreamers."""

    scene: Scene
    reader: Reader
    net: Foreteller

    def imagine(self, context: Clip, horizon: int, generator: torch.Generator) -> Imagined:
        """Read the given frames, run freely, and film it."""
        time = context.time.double().numpy()
        seen = self.reader.read(context.frames.numpy(), time)
        moving = self.follow(seen, horizon)
        frames = torch.from_numpy(render(self.scene.draw(moving), *context.frames.shape[-3:-1]))
        frames[:, : len(time)] = context.frames
        return Imagined(frames, None, torch.from_numpy(moving.time).float(), context.world, len(time))

    def follow(self, seen: Trajectory, horizon: int) -> Trajectory:
        """Run freely from states."""
        radius = torch.from_numpy(seen.radius.mean(1)).float()
        state = run_on(self.net, states_of(seen, self.scene.world), radius, horizon)
        later = seen.time[-1] + (seen.time[-1] - seen.time[-2]) * np.arange(1, horizon + 1)
        place = _places(state, self.scene.world)
        speed = np.gradient(place, np.concatenate([seen.time, later]), axis=1)
        factors = np.zeros((len(place), 0))
        return assemble(np.concatenate([seen.time, later]), place, speed, seen.radius.mean(1), factors)


def taught(pupil: StatePupil, split: Split, seed: int) -> StateDreamer:
    """Teach a pupil the trajectories of a split."""
    from cavendish.studies.controls import reader_of

    scene = split.scene
    net = pupil.build(2 * scene.bodies, scene.bodies, seeded(seed))
    truth = split.trajectories(np.arange(min(CLIPS, split.size)))
    state, radius = states_of(truth, scene.world), torch.from_numpy(truth.radius[:, 0].copy()).float()
    if pupil.kind == "linear":
        solve(net, state, radius)
    else:
        practise(net, state, radius, pupil.steps, seed)
    return StateDreamer(scene, reader_of(split), net.eval())


def solve(net: Foreteller, state: Float[Tensor, "b t k"], radius: Float[Tensor, "b n"]) -> None:
    """Fit a linear map by least squares."""
    assert isinstance(net, Windowed)
    seen = net.seen(state, radius)[:, :-1].flatten(0, 1).double()
    change = state.diff(dim=1)[:, HISTORY - 1 :].flatten(0, 1).double()
    columns = torch.cat([seen, torch.ones(len(seen), 1)], 1)
    found = torch.linalg.lstsq(columns, change, driver="gelsd").solution.float()
    (layer,) = net.map
    with torch.no_grad():
        layer.weight.copy_(found[:-1].T)  # type: ignore[operator]
        layer.bias.copy_(found[-1])  # type: ignore[operator]


def practise(
    net: Foreteller, states: Float[Tensor, "b t k"], radii: Float[Tensor, "b n"], steps: int, seed: int
) -> None:
    """Learn one step ahead by gradient descent, from slightly blurred states."""
    optimiser = torch.optim.AdamW(net.parameters(), RATE, weight_decay=0.01)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, RATE, total_steps=steps)
    for step in range(steps):
        dice = seeded(seed, step)
        drawn = torch.randint(len(states), (BATCH,), generator=dice)
        state, radius = states[drawn], radii[drawn]
        blurred = state + NOISE * torch.randn(state.shape, generator=dice)
        change = state[:, net.first :] - blurred[:, net.first - 1 : -1]
        loss = (net(blurred[:, :-1], radius) - change).square().mean() * 1e3
        optimiser.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(net.parameters(), 1.0)
        optimiser.step()
        schedule.step()


@torch.no_grad()
def run_on(
    net: Foreteller, state: Float[Tensor, "b t k"], radius: Float[Tensor, "b n"], horizon: int
) -> Float[Tensor, "b s k"]:
    """Append what a net foretells, frame by frame."""
    for _ in range(horizon):
        state = torch.cat([state, state[:, -1:] + net(state, radius)[:, -1:]], 1)
    return state


def states_of(moving: Trajectory, world: World) -> Float[Tensor, "b t k"]:
    """Return the places of all bodies about the middle, in units of the world."""
    size = np.array([world.width, world.height])
    return torch.from_numpy((moving.position / size - 0.5).reshape(*moving.position.shape[:2], -1)).float()


def _places(state: Float[Tensor, "b t k"], world: World) -> Float[np.ndarray, "b t n d"]:
    size = np.array([world.width, world.height])
    return np.asarray((state.double().numpy().reshape(*state.shape[:2], -1, 2) + 0.5) * size)
