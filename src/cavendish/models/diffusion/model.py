"""A Sora-style video diffusion transformer on pixel patches, as a world model.

Learn: noise some frames, ask for the clean ones (`objective`). Imagine: say which pixels are given (`prompts`), start
the rest as noise, and walk every frame from its level to the next (`sampler`). One step from pure noise answers with
x_hat itself: where the past decides the future, the future is one point and a step finds it.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import final

import torch
from jaxtyping import Float, UInt8
from torch import Tensor, nn

from cavendish.codec import LATER
from cavendish.errors import BadInputError, unknown
from cavendish.models.diffusion.network import SIZES, Denoiser
from cavendish.models.diffusion.objective import Mixture, frame_errors, noised
from cavendish.models.diffusion.packing import Parting, together
from cavendish.models.diffusion.prompts import IMAGE_TICK, Prompt, extend
from cavendish.models.diffusion.sampler import Path, Sampling, guided, walk
from cavendish.models.diffusion.text import Lexicon, Words
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

SEEN = 0.25  # share of patches that a masked clip shows


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
    text: Lexicon | None = field(default=None, metadata=LATER)  # the words of captions; none: it reads none

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
        values = 3 * config.tubelet * config.patch**2
        self.denoiser = Denoiser(SIZES[config.size], values, config.registers, config.text)

    def loss(self, clip: Clip, generator: torch.Generator) -> tuple[Float[Tensor, ""], dict[str, float]]:
        """Weighted squared error of the predicted clean frames."""
        return self.loss_together((clip,), generator)

    def loss_together(
        self, clips: Sequence[Clip], generator: torch.Generator
    ) -> tuple[Float[Tensor, ""], dict[str, float]]:
        """Return the loss of batches of different sizes, durations and rates in one step; every row counts alike."""
        mixture = self.config.mixture
        clean = together([self._asked(clip, generator) for clip in clips])
        if mixture.masked and bool(torch.rand((), generator=generator, device=generator.device) < mixture.masked):
            seen = torch.rand(len(clean.patch), generator=generator, device=generator.device) < SEEN
            hidden = replace(clean, level=torch.zeros_like(clean.level))
            clean = Parting.of(hidden, seen).parted(hidden)
        error = frame_errors(self.denoiser(noised(clean, generator)), clean)
        by_row = rowwise(lambda part: part.mean(1, keepdim=True), clean.runs(0), (error,))
        loss = (mixture.weight(clean.level) * by_row).mean()
        leap = by_row.detach()[clean.level == 0.0]
        return loss, {"leap_mse": float(leap.mean()) if leap.numel() else float("nan")}

    @torch.no_grad()
    def imagine(self, context: Clip, horizon: int, generator: torch.Generator) -> Imagined:
        """Walk the future from noise to frames; where it does not fill the last tubelet, dream on and cut."""
        known = _checked(context).shape[1]
        if known < 2 or horizon < 1:
            raise BadInputError(f"imagine needs 2 frames of context or more and a horizon, got {known} and {horizon}")
        dreamt = horizon + -(known + horizon) % self.grid.tubelet
        return _cut(self.dream(extend(context, 0, dreamt), generator), known + horizon)

    @torch.no_grad()
    def dream(self, asked: Prompt, generator: torch.Generator, how: Sampling | None = None) -> Imagined:
        """Answer any prompt; what is given stays to the last bit."""
        how = how or Sampling(self.config.steps)
        whole = asked.padded(self.grid.tubelet)
        b, t, h, w, _ = whole.film.frames.shape
        levels = [level.expand(b, -1) for level in whole.schedule(how.steps)]
        clean = self._tokens(whole.film, levels[0], self._words(asked.captions))
        rows = [level_rows(level, self.grid) for level in levels]
        path, parting = Path(clean, tuple(rows[1:])), None
        if bool((whole.given & (whole.start < 1)[:, None, None]).any()):  # some pixels of a frame that is not whole
            kept = patchify(whole.given[None, ..., None].expand(b, -1, -1, -1, 3), self.grid).flatten(0, 2)
            parting = Parting.of(clean, kept.all(1))
            following = tuple(parting.levels(row) for row in rows[1:])
            path = Path(parting.parted(clean), following, kept[parting.order])
        if asked.ring:
            path = replace(path, turns=self._turns(asked, how.steps))
        z = walk(guided(self.denoiser, how, generator), path, generator).patch
        z = z if parting is None else parting.joined(z)
        video = unpatchify(z.view(b, t // self.grid.tubelet, -1, z.shape[1]), self.grid, h, w)
        frames = ((video.clamp(-1, 1) + 1) * 127.5).round().to(torch.uint8)
        frames = torch.where(whole.given[..., None], whole.film.frames, frames)
        context = int(whole.given.all(2).all(1).long().cumprod(0).sum())
        return _cut(Imagined(frames, None, whole.film.time, whole.film.world, context), len(asked.film.time))

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
        return self.layers(clip)[len(self.denoiser.blocks) // 2, ..., : self.denoiser.shape.width]

    @torch.no_grad()
    def layers(self, clip: Clip) -> Float[Tensor, "layer b t k"]:
        """Mean over the patches of a frame of every block's token, and of token times place: up, then right."""
        b, t = _checked(clip).shape[:2]
        self.grid.shape(*clip.frames.shape[1:4])
        moments = []
        for end in range(self.grid.tubelet, t + 1, self.grid.tubelet):
            tokens = self._tokens(clip.first(end), torch.ones(b, end, device=clip.frames.device))
            found = [tokens.without_registers(x) for x in self.denoiser.features(tokens)]
            *last, place = (
                x.view(b, end // self.grid.tubelet, -1, x.shape[1])[:, -1]
                for x in (*found, tokens.without_registers(tokens.place))
            )
            up, right = place[..., 1:2], place[..., 2:]
            moments.append(
                torch.stack([torch.cat([x.mean(1), (up * x).mean(1), (right * x).mean(1)], -1) for x in last])
            )
        return torch.stack(moments, 2).repeat_interleave(self.grid.tubelet, 2)

    def matrices(self) -> list[nn.Parameter]:
        """Return the weights of attention and feed-forward layers."""
        return [p for name, p in self.denoiser.blocks.named_parameters() if p.ndim == 2 and "table" not in name]

    def training_flops(self, clip: Clip) -> float:
        """Count three forward passes: one forward, two for the gradients of inputs and weights."""
        b, t, h, w, _ = clip.frames.shape
        nt, nh, nw = self.grid.shape(self.grid.tubelet if t == 1 else t, h, w)
        film = nt * (self.config.registers + nh * nw)
        words = self._words(None if clip.told is None or self.config.text is None else clip.told())
        counts = (0,) * b if words is None else words.counts
        return 3 * self.denoiser.flops(tuple(film + count for count in counts), b * nt, sum(counts))

    def _asked(self, clip: Clip, generator: torch.Generator) -> Tokens:
        """Pack training clips at levels drawn from the mixture, some without their captions."""
        b, t = _checked(clip).shape[:2]
        mixture, device = self.config.mixture, generator.device
        level = mixture.levels(b, t, generator)
        if t == 1:
            clip, level = _still(clip, self.grid.tubelet), level.expand(-1, self.grid.tubelet)
        if self.config.text is None or clip.told is None:
            return self._tokens(clip, level)
        if mixture.bare:
            asked = torch.rand(b, 1, generator=generator, device=device) < mixture.bare
            level = torch.where(asked, torch.zeros_like(level), level)
        kept = torch.rand(b, generator=generator, device=device) >= mixture.silent
        return self._tokens(clip, level, self.config.text.read(clip.told()).keeping(kept.tolist()))

    def _words(self, captions: tuple[str, ...] | None) -> Words | None:
        """Read captions, or refuse them where none was ever learnt."""
        if captions is None:
            return None
        if self.config.text is None:
            raise BadInputError("this model was trained without captions and understands none")
        return self.config.text.read(captions)

    def _turns(self, asked: Prompt, steps: int) -> tuple[int, ...]:
        rows, rest = divmod(len(asked.film.time), self.grid.tubelet)
        if rest or len(asked.ring) != steps:
            raise BadInputError(
                f"a loop of {len(asked.film.time)} frames turned {len(asked.ring)} times: expected a multiple of "
                f"{self.grid.tubelet} frames and as many turns as steps, {steps}"
            )
        return tuple(turn * rows // 1000 for turn in asked.ring)

    def _tokens(self, clip: Clip, level: Float[Tensor, "b t"], words: Words | None = None) -> Tokens:
        """Pack clean frames; bytes are cut first, since a quarter of the memory moves."""
        patches = (patchify(clip.frames, self.grid) * (1 / 127.5)).sub_(1.0)
        packed = pack(patches, level, Setting(clip.time, clip.world, *clip.frames.shape[2:4]), self.grid)
        return packed if words is None else replace(packed, words=words)


def _still(image: Clip, frames: int) -> Clip:
    """Let an image stand still for as many frames as a token holds."""
    time = image.time + IMAGE_TICK * torch.arange(frames, device=image.time.device)
    return replace(image, frames=image.frames.expand(-1, frames, -1, -1, -1), time=time)


def _cut(imagined: Imagined, count: int) -> Imagined:
    """Keep the first frames."""
    assert imagined.frames is not None
    return replace(imagined, frames=imagined.frames[:, :count], time=imagined.time[:count])


def _checked(clip: Clip) -> UInt8[Tensor, "b t h w c"]:
    if clip.frames.ndim != 5 or clip.frames.dtype != torch.uint8:
        raise BadInputError(
            f"frames are {clip.frames.dtype} {tuple(clip.frames.shape)}, expected uint8 (b, t, h, w, c)"
        )
    return clip.frames
