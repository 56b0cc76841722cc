"""A playable world learnt from silent video (Genie; Bruce et al. 2024, arXiv 2402.15391).

Three parts, trained one after the other: a tokenizer turns frames into symbols, latent actions say in one of a few
codes what was done between two frames, and the dynamics guesses the next symbols from the past ones and a code. To play
is to choose the code oneself; a patch whose symbol stays keeps its pixels. All that the future depends on is kept from
key press to key press (`Memory`), hence a press costs one frame, however long the game.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import final

import torch
from jaxtyping import Float, Int, UInt8
from torch import Tensor, nn

from cavendish.errors import BadInputError
from cavendish.models.genie.actions import LatentActionConfig, LatentActions
from cavendish.models.genie.dynamics import Dynamics, DynamicsConfig
from cavendish.models.genie.tokenizer import Tokenizer, TokenizerConfig
from cavendish.models.genie.transformer import Past
from cavendish.models.playing import Place, PlayedWorld
from cavendish.models.world_model import Stage, WorldModel, parameters_from
from cavendish.video import Clip, Imagined, check_frames

REMEMBERED = 16  # frames of a beginning that are looked at, at most


@final
@dataclass(frozen=True)
class GenieConfig:
    """The three parts of a playable world, and the size of its frames."""

    height: int = 64  # px
    width: int = 64  # px
    tokenizer: TokenizerConfig = field(default_factory=TokenizerConfig)
    actions: LatentActionConfig = field(default_factory=LatentActionConfig)
    dynamics: DynamicsConfig = field(default_factory=DynamicsConfig)

    def __post_init__(self) -> None:
        """Refuse parts that do not fit."""
        patch, codes, levels = self.tokenizer.patch, self.actions.codes, self.tokenizer.levels
        for name, side in (("height", self.height), ("width", self.width)):
            if patch < 4 or patch % 4 or side < patch or side % patch:
                raise BadInputError(f"{name} = {side} px, expected a multiple of the patch, {patch}, itself one of 4")
        if codes < 2 or not levels or min(levels) < 2:
            raise BadInputError(f"{codes} latent actions and levels {levels}: expected at least 2 of each")
        if self.actions.known < 1:
            raise BadInputError(f"actions.known = {self.actions.known} frames, expected at least 1")
        for part in (self.tokenizer.shape, self.dynamics.shape):
            if min(part.depth, part.heads, part.window) < 1 or part.width % part.heads:
                raise BadInputError(
                    f"{part}: expected depth, heads and window of 1 or more, and width divisible by heads"
                )
        if min(self.dynamics.steps, self.dynamics.frames - 1) < 1:
            raise BadInputError("dynamics need at least 1 step, and 2 frames in a window")
        weights = {"tokenizer": 1 + self.tokenizer.moving, "actions": 1 + self.actions.moving}
        for name, weight in (weights | {"dynamics": self.dynamics.moving}).items():
            if not 0 < weight < math.inf:
                raise BadInputError(f"{name}.moving makes a weight of {weight:g}, expected one above 0")

    def build(self, generator: torch.Generator) -> "Genie":
        """Make the model with fresh parameters drawn from the generator."""
        with parameters_from(generator):
            return Genie(self)


@dataclass(frozen=True)
class Memory:
    """What a played world remembers: the last symbols, the keys and values of every block, and the last frame."""

    symbols: Int[Tensor, "b t n"]
    past: list[Past]
    frame: UInt8[Tensor, "b h w c"]


@final
class Genie(WorldModel, PlayedWorld[Memory]):
    """Tokenizer, latent actions and dynamics."""

    def __init__(self, config: GenieConfig) -> None:
        super().__init__()
        self.config = config
        patch = config.tokenizer.patch
        self.tokenizer = Tokenizer(config.tokenizer, (config.height // patch, config.width // patch))
        self.actions = LatentActions(config.actions, self.tokenizer)
        self.dynamics = Dynamics(config.dynamics, self.tokenizer, self.actions)

    @property
    def buttons(self) -> int:
        """Return the number of latent actions."""
        return self.config.actions.codes

    @property
    def size(self) -> tuple[int, int]:
        """Return height and width in pixels."""
        return self.config.height, self.config.width

    def stages(self) -> Iterator[Stage]:
        """Yield the tokenizer, then the latent actions, then the dynamics that listens to both."""
        yield Stage("tokenizer", self.tokenizer, self.config.tokenizer.pace)
        yield Stage("actions", self.actions, self.config.actions.pace)
        yield Stage("dynamics", self.dynamics, self.config.dynamics.pace)

    def loss(self, clip: Clip, generator: torch.Generator) -> tuple[Float[Tensor, ""], dict[str, float]]:
        """Add the losses of all parts; no gradient passes from one to another."""
        self.checked(clip.frames)
        found = {stage.name: stage.module.loss(clip, generator) for stage in self.stages()}
        figures = {f"{name}/{key}": value for name, (_, told) in found.items() for key, value in told.items()}
        return torch.stack([loss for loss, _ in found.values()]).sum(), figures

    @torch.no_grad()
    def imagine(self, context: Clip, horizon: int, generator: torch.Generator) -> Imagined:
        """Continue clips with latent actions drawn as often as they occurred in training."""
        if horizon < 1:
            raise BadInputError(f"imagine needs a horizon of 1 frame or more, got {horizon}")
        share, b = self.actions.codebook.share, len(self.checked(context.frames))
        drawn = torch.multinomial(share / share.sum(), b * horizon, True, generator=generator).view(b, horizon)
        return self.follow(context, drawn, generator)

    @torch.no_grad()
    def follow(self, context: Clip, actions: Int[Tensor, "b h"], generator: torch.Generator) -> Imagined:
        """Continue clips with given latent actions."""
        known, temperature = self.checked(context.frames).shape[1], self.config.dynamics.temperature
        memory = self._begun(context.frames)
        frames = [context.frames]
        for action in self._buttons(actions).unbind(1):
            memory = self._next(memory, action, temperature, generator)
            frames.append(memory.frame[:, None])
        step = context.time[-1] - context.time[-2] if known > 1 else context.time.new_tensor(0.1)
        later = context.time[-1] + step * torch.arange(1, actions.shape[1] + 1, device=step.device)
        return Imagined(torch.cat(frames, 1), None, torch.cat([context.time, later]), context.world, known)

    @torch.no_grad()
    def infer(self, clip: Clip) -> Int[Tensor, "b s"]:
        """Return the latent action of every transition."""
        return self.actions.infer(self.checked(clip.frames))

    @torch.no_grad()
    def guess(self, clip: Clip) -> tuple[Int[Tensor, "b s n"], Int[Tensor, "b t n"]]:
        """Return the likeliest symbols of every frame after the first, from its true past, and the true symbols."""
        symbols, action = self.dynamics.told_by_neighbours(self.checked(clip.frames))
        return self._scores(symbols, action).argmax(-1), symbols

    @torch.no_grad()
    def surprise(self, clip: Clip, generator: torch.Generator) -> Float[Tensor, "b t"]:
        """Return the mean negative log-likelihood of each frame's symbols, with inferred actions; 0 for the first."""
        symbols, action = self.dynamics.told_by_neighbours(self.checked(clip.frames))
        chances = self._scores(symbols, action).log_softmax(-1)
        found = -chances.gather(-1, symbols[:, 1:, :, None])[..., 0].mean(-1)
        return nn.functional.pad(found, (1, 0))

    @torch.no_grad()
    def encode(self, clip: Clip) -> Float[Tensor, "b t k"]:
        """Return the mean feature of the dynamics on each frame, itself shown."""
        symbols, action = self.dynamics.told_by_neighbours(self.checked(clip.frames))
        shifted = nn.functional.pad(action, (1, 0), value=self.dynamics.none)
        return self.dynamics(symbols, self.dynamics.shifted(symbols), shifted, None)[0].mean(2)  # type: ignore[no-any-return]

    def training_flops(self, clip: Clip) -> float:
        """Add those of all parts."""
        return sum(stage.module.training_flops(clip) for stage in self.stages())

    @torch.no_grad()
    def enter(self, frames: UInt8[Tensor, "t h w c"]) -> Place[Memory]:
        """Begin where the given frames end."""
        return Place(self.checked(frames[None])[0, -1], self._begun(frames[None]))

    @torch.no_grad()
    def press(self, place: Place[Memory], button: int, temperature: float, generator: torch.Generator) -> Place[Memory]:
        """Take one latent action."""
        action = self._buttons(torch.tensor([[button]], device=place.memory.symbols.device))[:, 0]
        memory = self._next(place.memory, action, temperature, generator)
        return Place(memory.frame[0], memory)

    def checked(self, frames: Tensor) -> UInt8[Tensor, "b t h w c"]:
        """Refuse frames that this world cannot be shown."""
        for name, found, expected in zip(("height", "width"), check_frames(frames).shape[2:4], self.size, strict=True):
            if found != expected:
                raise BadInputError(f"{name} = {found} px, this world was made with {expected} px")
        return frames

    def _buttons(self, actions: Int[Tensor, "b h"]) -> Int[Tensor, "b h"]:
        wrong = actions[(actions < 0) | (actions >= self.buttons)]
        if len(wrong):
            raise BadInputError(f"latent action {int(wrong[0])}, expected 0 to {self.buttons - 1}")
        return actions

    def _scores(self, symbols: Int[Tensor, "b t n"], action: Int[Tensor, "b s"]) -> Float[Tensor, "b s n v"]:
        scores = self.dynamics.guesses(symbols, action, torch.zeros_like(symbols[:, 1:], dtype=torch.bool))
        return self.dynamics.chances(scores, symbols[:, :-1])

    def _begun(self, frames: UInt8[Tensor, "b t h w c"]) -> Memory:
        symbols, action = self.dynamics.told_by_neighbours(frames[:, -REMEMBERED:])
        past = [part.of(slice(-1, None)) for part in self.dynamics.past(symbols, action)]
        return Memory(symbols[:, -self.tokenizer.memory :], past, frames[:, -1])

    def _next(
        self, memory: Memory, action: Int[Tensor, " b"], temperature: float, generator: torch.Generator
    ) -> Memory:
        before = memory.symbols[:, -1:]
        now = self.dynamics.uncover(before, action[:, None], memory.past, temperature, generator)
        _, past = self.dynamics(now, before, action[:, None], memory.past)
        symbols = torch.cat([memory.symbols, now], 1)[:, -self.tokenizer.memory :]
        return Memory(symbols, past, self.tokenizer.repaint(symbols, (now != before)[:, 0], memory.frame))
