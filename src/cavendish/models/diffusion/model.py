"""A Sora-style video diffusion transformer on pixel patches, as a world model.

Learn: noise some frames, ask for the clean ones (`objective`). Imagine: give the context clean and the
future as noise, then walk every frame from its level to the next along
    z' = z + (level' - level) (x_hat - z) / (1 - level)                     (Euler on the flow)
for the rows of a schedule, a table of steps x frames of levels. One step from pure noise answers with
x_hat itself: where the past decides the future, the future is one point and a step finds it.
"""

from dataclasses import dataclass, field, replace
from typing import final

import torch
from jaxtyping import Float, UInt8
from torch import Tensor, nn

from cavendish.errors import BadInputError, unknown
from cavendish.models.diffusion.network import SIZES, Denoiser
from cavendish.models.diffusion.objective import Mixture, frame_errors, noised
from cavendish.models.diffusion.tokens import (
    Grid,
    Setting,
    Tokens,
    level_rows,
    pack,
    patchify,
    rowwise,
    unpatchify,
)
from cavendish.models.world_model import WorldModel
from cavendish.video import Clip, Imagined

FLOOR = 0.05  # smallest 1 - level that a step divides by (Li & He 2025, JiT)


@final
@dataclass(frozen=True)
class DiffusionConfig:
    """What a diffusion transformer is: its size, how it cuts video, what it is asked, how it samples."""

    size: str = "nano"
    patch: int = 16  # px
    tubelet: int = 1  # frames
    registers: int = 1  # per row of patches
    mixture: Mixture = field(default_factory=Mixture)
    steps: int = 1  # denoising steps of one imagination

    def __post_init__(self) -> None:
        """Refuse sizes that do not exist."""
        if self.size not in SIZES:
            raise unknown("model size", self.size, SIZES)
        if min(self.patch, self.tubelet, self.steps) < 1 or self.registers < 0:
            raise BadInputError("patch, tubelet and steps must be at least 1, registers at least 0")

    def build(self, generator: torch.Generator) -> "Diffusion":
        """Make the model with fresh parameters drawn from the generator."""
        with torch.random.fork_rng(devices=[]):
            torch.random.set_rng_state(generator.get_state())
            return Diffusion(self)


@final
class Diffusion(WorldModel):
    """Video diffusion transformer."""

    def __init__(self, config: DiffusionConfig) -> None:
        super().__init__()
        self.config = config
        self.grid = Grid(config.tubelet, config.patch, config.registers)
        self.denoiser = Denoiser(SIZES[config.size], 3 * config.tubelet * config.patch**2, config.registers)

    def loss(self, clip: Clip, generator: torch.Generator) -> tuple[Float[Tensor, ""], dict[str, float]]:
        """Weighted squared error of the predicted clean frames."""
        frames = _checked(clip)
        level = self.config.mixture.levels(frames.shape[0], frames.shape[1], generator)
        clean = self._tokens(clip, level)
        error = frame_errors(self.denoiser(noised(clean, generator)), clean)
        by_row = error.view(*clean.level.shape[:1], -1, self.grid.tubelet).mean(1)  # rows of equal clips are equal
        loss = (self.config.mixture.weight(clean.level) * by_row).mean()
        leap = by_row.detach()[clean.level == 0.0]
        return loss, {"leap_mse": float(leap.mean()) if leap.numel() else float("nan")}

    @torch.no_grad()
    def imagine(self, context: Clip, horizon: int, generator: torch.Generator) -> Imagined:
        """Walk the future from noise to frames; where it does not fill the last tubelet, dream on and cut."""
        given = _checked(context)
        b, known = given.shape[:2]
        if known < 2 or horizon < 1:
            raise BadInputError(f"imagine needs 2 frames of context or more and a horizon, got {known} and {horizon}")
        dreamt = horizon + -(known + horizon) % self.grid.tubelet
        step = context.time[-1] - context.time[-2]
        clock = torch.cat([context.time, context.time[-1] + step * torch.arange(1, dreamt + 1, device=step.device)])
        blank = given.new_zeros(b, dreamt, *given.shape[2:])
        whole = Clip(torch.cat([given, blank], 1), clock, context.world)
        schedule = self._schedule(b, known, dreamt, given.device)
        z = noised(self._tokens(whole, schedule[0]), generator)
        for following in schedule[1:]:
            z = _stepped(z, self.denoiser(z), level_rows(following, self.grid))
        rows = z.patch.view(b, (known + dreamt) // self.grid.tubelet, -1, z.patch.shape[1])
        video = unpatchify(rows, self.grid, given.shape[2], given.shape[3])
        frames = ((video.clamp(-1, 1) + 1) * 127.5).round().to(torch.uint8)
        frames[:, :known] = given
        total = known + horizon
        return Imagined(frames[:, :total], None, clock[:total], context.world, known)

    @torch.no_grad()
    def surprise(self, clip: Clip, generator: torch.Generator) -> Float[Tensor, "b t"]:
        """Squared error of each frame when it is dreamt in one leap from the context frames."""
        b, t = _checked(clip).shape[:2]
        level = torch.zeros(b, t, device=clip.frames.device)
        level[:, : self.config.mixture.context] = 1.0
        clean = self._tokens(clip, level)
        error = frame_errors(self.denoiser(noised(clean, generator)), clean)
        return error.view(b, t // self.grid.tubelet, -1, self.grid.tubelet).mean(2).flatten(1)

    @torch.no_grad()
    def encode(self, clip: Clip) -> Float[Tensor, "b t k"]:
        """Mean token of the middle block for each frame, from a window that ends with that frame."""
        b, t = _checked(clip).shape[:2]
        middle = len(self.denoiser.blocks) // 2
        features = []
        for end in range(self.grid.tubelet, t + 1, self.grid.tubelet):
            tokens = self._tokens(clip.first(end), torch.ones(b, end, device=clip.frames.device))
            x = tokens.without_registers(self.denoiser.features(tokens)[middle])
            features.append(x.view(b, end // self.grid.tubelet, -1, x.shape[1])[:, -1].mean(1))
        return torch.stack(features, 1).repeat_interleave(self.grid.tubelet, 1)

    def matrices(self) -> list[nn.Parameter]:
        """Return the weights of attention and feed-forward layers."""
        return [p for name, p in self.denoiser.blocks.named_parameters() if p.ndim == 2 and "table" not in name]

    def training_flops(self, clip: Clip) -> float:
        """Count three forward passes: one forward, two for the gradients of inputs and weights."""
        b, t, h, w, _ = clip.frames.shape
        nt, nh, nw = self.grid.shape(t, h, w)
        return 3 * self.denoiser.flops((nt * (self.config.registers + nh * nw),) * b, b * nt)

    def _tokens(self, clip: Clip, level: Float[Tensor, "b t"]) -> Tokens:
        """Pack clean frames; bytes are cut first, since a quarter of the memory moves."""
        patches = (patchify(clip.frames, self.grid) * (1 / 127.5)).sub_(1.0)
        return pack(patches, level, Setting(clip.time, clip.world, *clip.frames.shape[2:4]), self.grid)

    def _schedule(self, clips: int, known: int, dreamt: int, device: torch.device) -> list[Float[Tensor, "b t"]]:
        """Return the levels of every frame at the start and after each step: the context clean, the future rising."""
        levels = torch.linspace(0, 1, self.config.steps + 1, device=device)
        clean = torch.ones(known, device=device)
        return [torch.cat([clean, level.expand(dreamt)]).expand(clips, -1) for level in levels]


def _stepped(z: Tokens, x_hat: Float[Tensor, "s p"], following: Float[Tensor, "row tubelet"]) -> Tokens:
    """Move every frame from its level to the following one; what does not rise stays."""
    stride = ((following - z.level) / (1 - z.level).clamp(min=FLOOR)).clamp(0.0, 1.0)
    moved = rowwise(torch.lerp, z.runs(0), (z.by_frame(z.patch), z.by_frame(x_hat)), (stride[..., None],))
    return replace(z, patch=moved.flatten(1), level=following)


def _checked(clip: Clip) -> UInt8[Tensor, "b t h w c"]:
    if clip.frames.ndim != 5 or clip.frames.dtype != torch.uint8:
        raise BadInputError(
            f"frames are {clip.frames.dtype} {tuple(clip.frames.shape)}, expected uint8 (b, t, h, w, c)"
        )
    return clip.frames
