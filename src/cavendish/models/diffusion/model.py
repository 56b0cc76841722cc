"""A Sora-style video diffusion transformer on pixel patches, as a world model.

Learn: noise some frames, ask for the clean ones (`objective`). Imagine: say which pixels are given (`prompts`), start
the rest as noise, and walk every frame from its level to the next (`sampler`). One step from pure noise answers with
x_hat itself: where the past decides the future, the future is one point and a step finds it.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import final

import torch
from jaxtyping import Bool, Float, UInt8
from torch import Tensor, nn

from cavendish.codec import LATER
from cavendish.errors import BadInputError, unknown
from cavendish.models.diffusion.compression import Compression, CompressionConfig, Pixels
from cavendish.models.diffusion.flow import Straight
from cavendish.models.diffusion.jumps import Jumps
from cavendish.models.diffusion.network import SIZES, Denoiser
from cavendish.models.diffusion.objective import Mixture, frame_errors, noised, shown
from cavendish.models.diffusion.packing import Parting, together
from cavendish.models.diffusion.prompts import IMAGE_TICK, Prompt, extend
from cavendish.models.diffusion.sampler import Answer, Path, Sampling, guided, walk
from cavendish.models.diffusion.text import Words
from cavendish.models.diffusion.tokens import Grid, Setting, Tokens, level_rows, pack, patchify, rowwise
from cavendish.models.diffusion.wording import AnyText
from cavendish.models.world_model import Pace, Stage, WorldModel, parameters_from
from cavendish.video import Clip, Imagined, check_frames

FEW_CLIPS = Pace(steps=1.4, batch=0.25)  # of a codec: every frame is a lesson, so few clips at a time are enough
MOST_TOKENS = 2**16  # of a clip that is dreamt in one piece
Question = Callable[[Answer, Tokens, Tokens, torch.Generator], tuple[Tokens, Tokens]]


@final
@dataclass(frozen=True)
class DiffusionConfig:
    """What a diffusion transformer is: its size, how it cuts video, what it is asked, how it samples."""

    size: str = "nano"
    patch: int = 16  # px, or latents where there is a codec
    tubelet: int = 1  # frames, or latents
    registers: int = 1  # per row of patches
    mixture: Mixture = field(default_factory=Mixture)
    steps: int = 1  # denoising steps of one imagination
    text: AnyText | None = field(default=None, metadata=LATER)  # what reads captions; none: nothing does
    codec: CompressionConfig | None = field(default=None, metadata=LATER)  # trained first; none: raw pixels

    def __post_init__(self) -> None:
        """Refuse sizes that do not exist."""
        if self.size not in SIZES:
            raise unknown("model size", self.size, SIZES)
        if min(self.patch, self.tubelet, self.steps) < 1 or self.registers < 0:
            raise BadInputError("patch, tubelet and steps must be at least 1, registers at least 0")

    def build(self, generator: torch.Generator) -> "Diffusion":
        """Make the model with fresh parameters drawn from the generator."""
        with parameters_from(generator):
            return Diffusion(self)


@final
class Diffusion(WorldModel):
    """Video diffusion transformer."""

    def __init__(self, config: DiffusionConfig) -> None:
        super().__init__()
        self.config = config
        self.grid = Grid(config.tubelet, config.patch, config.registers)
        self.codec = Pixels() if config.codec is None else Compression(config.codec)
        self.span = self.codec.stride[0] * config.tubelet  # frames of a row
        values = self.codec.channels * config.tubelet * config.patch**2
        self.denoiser = Denoiser(SIZES[config.size], values, config.registers, config.text)
        if config.mixture.jumps:
            self.denoiser.learn_jumps()

    def loss(self, clip: Clip, generator: torch.Generator) -> tuple[Float[Tensor, ""], dict[str, float]]:
        """Weighted squared error of the predicted clean frames."""
        return self.loss_together((clip,), generator)

    def loss_together(
        self, clips: Sequence[Clip], generator: torch.Generator
    ) -> tuple[Float[Tensor, ""], dict[str, float]]:
        """Return the loss of batches of different sizes, durations and rates in one step; every row counts alike."""
        return self.loss_of(clips, generator, lambda answer, clean, z, generator: (z, clean))

    def loss_of(
        self, clips: Sequence[Clip], generator: torch.Generator, question: Question
    ) -> tuple[Float[Tensor, ""], dict[str, float]]:
        """Return the loss of what a question makes of noised clips."""
        mixture = self.config.mixture
        clean = together([self._asked(clip, generator) for clip in clips])
        if mixture.masked and bool(torch.rand((), generator=generator, device=generator.device) < mixture.masked):
            hidden = replace(clean, level=torch.zeros_like(clean.level))
            clean = Parting.of(hidden, shown(hidden, mixture, generator)).parted(hidden)
        z, target = question(self._answer, clean, noised(clean, generator, mixture.flow), generator)
        error = frame_errors(self._answer(z), target)
        by_row = rowwise(lambda part: part.mean(1, keepdim=True), clean.runs(0), (error,))
        loss = (mixture.weight(clean.level) * by_row).mean()
        leap = by_row.detach()[clean.level == 0.0]
        return loss, {"leap_mse": float(leap.mean()) if leap.numel() else float("nan")}

    @torch.no_grad()
    def imagine(self, context: Clip, horizon: int, generator: torch.Generator) -> Imagined:
        """Walk the future from noise to frames; where it does not fill the last tubelet, dream on and cut."""
        known = check_frames(context.frames).shape[1]
        if known < 2 or horizon < 1:
            raise BadInputError(f"imagine needs 2 frames of context or more and a horizon, got {known} and {horizon}")
        dreamt = horizon + -(known + horizon) % self.span
        return _cut(self.dream(extend(context, 0, dreamt), generator), known + horizon)

    @torch.no_grad()
    def dream(self, asked: Prompt, generator: torch.Generator, how: Sampling | None = None) -> Imagined:
        """Answer any prompt; what is given stays to the last bit."""
        how = how or Sampling(self.config.steps)
        whole = asked.padded(self.span)
        b, t, h, w, _ = whole.film.frames.shape
        if (tokens := self._length(whole.film)) > MOST_TOKENS:
            raise BadInputError(
                f"{t} frames of {h} x {w} px: {tokens} tokens that look at each other, expected at most {MOST_TOKENS}"
            )
        flow = self.config.mixture.flow
        levels = [flow.shifted(level).expand(b, -1) for level in whole.schedule(how.steps)]
        clean = self._tokens(whole.film, levels[0], self._words(asked.captions))
        rows = [level_rows(self._latent_levels(level), self.grid) for level in levels]
        path, parting = Path(clean, tuple(rows[1:]), flow=flow), None
        if bool((whole.given & (whole.start < 1)[:, None, None]).any()):  # some pixels of a frame that is not whole
            given = self._pooled(whole.given)[None, ..., None].expand(b, -1, -1, -1, self.codec.channels)
            kept = patchify(given, self.grid).flatten(0, 2)
            parting = Parting.of(clean, kept.all(1))
            following = tuple(parting.levels(row) for row in rows[1:])
            path = Path(parting.parted(clean), following, kept[parting.order], flow=flow)
        z = walk(guided(self._answer, how, generator), path, generator).patch
        z = z if parting is None else parting.joined(z)
        frames = self.codec.decode(z.view(b, t // self.span, -1, z.shape[1]), self.grid, (h, w))
        frames = torch.where(whole.given[..., None], whole.film.frames, frames)
        context = int(whole.given.all(2).all(1).long().cumprod(0).sum())
        return _cut(Imagined(frames, None, whole.film.time, whole.film.world, context), len(asked.film.time))

    @torch.no_grad()
    def there_and_back(self, frames: UInt8[Tensor, "b t h w c"]) -> UInt8[Tensor, "b t h w c"]:
        """Return what is left of films after compression."""
        _, _, h, w, _ = frames.shape
        return self.codec.decode(self.codec.encode(frames, self.grid), self.grid, (h, w))

    @torch.no_grad()
    def surprise(self, clip: Clip, generator: torch.Generator) -> Float[Tensor, "b t"]:
        """Squared error of each frame when it is dreamt in one leap from the context frames."""
        b, t = check_frames(clip.frames).shape[:2]
        level = torch.zeros(b, t, device=clip.frames.device)
        level[:, : self.config.mixture.context] = 1.0
        clean = self._tokens(clip, level)
        error = frame_errors(self._answer(noised(clean, generator, self.config.mixture.flow)), clean)
        by_latent = error.view(b, t // self.span, -1, self.grid.tubelet).mean(2).flatten(1)
        return by_latent.repeat_interleave(self.codec.stride[0], 1)

    @torch.no_grad()
    def encode(self, clip: Clip) -> Float[Tensor, "b t k"]:
        """Mean token of the middle block for each frame, from a window that ends with that frame."""
        return self.layers(clip)[len(self.denoiser.blocks) // 2, ..., : self.denoiser.shape.width]

    @torch.no_grad()
    def layers(self, clip: Clip) -> Float[Tensor, "layer b t k"]:
        """Mean over the patches of a frame of every block's token, and of token times place: up, then right."""
        b, t = check_frames(clip.frames).shape[:2]
        moments = []
        for end in range(1, t + 1):
            window = _ending(clip, end, self.span)
            lasting = len(window.time)
            tokens = self._tokens(window, torch.ones(b, lasting, device=clip.frames.device))
            found = (*self.denoiser.features(tokens), tokens.without_registers(tokens.place))
            *last, place = (x.view(b, lasting // self.span, -1, x.shape[1])[:, -1] for x in found)
            up, right = place[..., 1:2], place[..., 2:]
            moments.append(
                torch.stack([torch.cat([x.mean(1), (up * x).mean(1), (right * x).mean(1)], -1) for x in last])
            )
        return torch.stack(moments, 2)

    def matrices(self) -> list[nn.Parameter]:
        """Return the weights of attention and feed-forward layers."""
        return [p for name, p in self.denoiser.blocks.named_parameters() if p.ndim == 2 and "table" not in name]

    def training_flops(self, clip: Clip) -> float:
        """Count three forward passes: one forward, two for the gradients of inputs and weights."""
        if clip.frames.shape[1] == 1:
            clip = _still(clip, self.span)
        b, t, h, w, _ = clip.frames.shape
        nt, nh, nw = self._shape(clip)
        words = self._words(None if clip.told is None or self.config.text is None else clip.told())
        counts = (0,) * b if words is None else words.counts
        denoiser = self.denoiser.flops([(nt, nh * nw, count) for count in counts])
        return 3 * denoiser + b * self.codec.flops(t, h, w)

    def stages(self) -> Iterator[Stage]:
        """Yield the codec, if there is one, then the denoiser, for which it is frozen, then few steps, if asked for."""
        if isinstance(self.codec, Compression):
            yield Stage("codec", self.codec.requires_grad_(True), FEW_CLIPS)
            self.codec.requires_grad_(False)
        yield Stage("model", self)
        if self.config.mixture.jumps:
            yield Stage("jumps", Jumps(self), Pace(steps=self.config.mixture.jumps, rate=0.3))

    def _answer(self, z: Tokens) -> Float[Tensor, "m p"]:
        """Return x_hat."""
        said, flow = self.denoiser(z), self.config.mixture.flow
        if isinstance(flow, Straight):
            return said  # type: ignore[no-any-return]
        parts = (z.by_frame(said), z.by_frame(z.patch))
        return rowwise(flow.clean, z.runs(0), parts, (z.level[..., None],)).flatten(1)

    def _asked(self, clip: Clip, generator: torch.Generator) -> Tokens:
        """Pack training clips at levels drawn from the mixture, some without their captions."""
        b, t = check_frames(clip.frames).shape[:2]
        mixture, device = self.config.mixture, generator.device
        level = mixture.levels(b, t, generator)
        if t == 1:
            clip, level = _still(clip, self.span), level.expand(-1, self.span)
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

    def _shape(self, clip: Clip) -> tuple[int, int, int]:
        """Return tokens along time, height and width."""
        t, h, w = clip.frames.shape[1:4]
        return Grid(self.span, self.codec.stride[1] * self.grid.patch, 0).shape(t, h, w)

    def _length(self, clip: Clip) -> int:
        """Return the tokens of one clip, registers included, words not."""
        nt, nh, nw = self._shape(clip)
        return nt * (self.config.registers + nh * nw)

    def _pooled(self, given: Bool[Tensor, "t h w"]) -> Bool[Tensor, "row y x"]:
        """Tell which latents are given: those of which every pixel is."""
        frames, pixels = self.codec.stride
        t, h, w = given.shape
        return given.view(t // frames, frames, h // pixels, pixels, w // pixels, pixels).all(5).all(3).all(1)

    def _latent_levels(self, level: Float[Tensor, "b t"]) -> Float[Tensor, "b row"]:
        """Return the level of each latent: that of its noisiest frame."""
        return level.view(len(level), -1, self.codec.stride[0]).amin(2)

    def _tokens(self, clip: Clip, level: Float[Tensor, "b t"], words: Words | None = None) -> Tokens:
        """Pack clean frames."""
        _, nh, nw = self._shape(clip)
        with torch.no_grad():
            patches = self.codec.encode(clip.frames, self.grid)
        time = clip.time.view(-1, self.codec.stride[0]).mean(1)
        setting = Setting(time, clip.world, nh * self.grid.patch, nw * self.grid.patch)
        packed = pack(patches, self._latent_levels(level), setting, self.grid)
        return packed if words is None else replace(packed, words=words)


def _still(image: Clip, frames: int) -> Clip:
    """Let an image stand still for as many frames as a token holds."""
    time = image.time + IMAGE_TICK * torch.arange(frames, device=image.time.device)
    return replace(image, frames=image.frames.expand(-1, frames, -1, -1, -1), time=time)


def _ending(clip: Clip, end: int, span: int) -> Clip:
    """Cut out whole tokens of `span` frames that end with frame `end` - 1; before the first one it stands still."""
    begin = end % span if end >= span else 0
    frames, time = clip.frames[:, begin:end], clip.time[begin:end]
    if missing := -len(time) % span:
        step = clip.time[1] - clip.time[0] if len(clip.time) > 1 else IMAGE_TICK
        earlier = time[0] - step * torch.arange(missing, 0, -1, device=time.device)
        frames = torch.cat([frames[:, :1].expand(-1, missing, -1, -1, -1), frames], 1)
        time = torch.cat([earlier, time])
    return Clip(frames, time, clip.world)


def _cut(imagined: Imagined, count: int) -> Imagined:
    """Keep the first frames."""
    return replace(imagined, frames=imagined.film[:, :count], time=imagined.time[:count])
