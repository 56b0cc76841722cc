"""Films in fewer numbers: raw pixels, or a small causal autoencoder of video, behind one interface.

Raw pixels are numbers from -1 to 1. The autoencoder cuts tubelets of s frames of p x p pixels, each said in k numbers,
    latent = norm(E(tubelets)),  norm: mean square 1 over the k numbers    x_hat = D(latent + jitter noise),
with a loss of |x_hat - x| + |x_hat - x|^2. Latents of mean square 1 are what noise of variance 1 is mixed with (Rombach
et al. 2022, section 4.3.2, for the same reason divide by the standard deviation); together with the jitter they bound
what a latent can tell, which is the office of a KL term. E looks at neighbouring tubelets of its own time only, so that
given frames have their latents whatever is unknown before them; D also looks back, never ahead.
"""

from dataclasses import dataclass
from typing import final

import torch
from jaxtyping import Float, UInt8
from torch import Tensor, nn
from torch.nn import functional as F

from cavendish.errors import BadInputError
from cavendish.models.diffusion.tokens import Grid, patchify, unpatchify
from cavendish.models.world_model import Learner
from cavendish.video import Clip

Frames = UInt8[Tensor, "b t h w c"]
JITTER = 0.05  # of latents in training


@final
@dataclass(frozen=True)
class CompressionConfig:
    """How tubelets are cut, and in how many numbers each is said."""

    channels: int = 16
    patch: int = 8  # px
    tubelet: int = 1  # frames
    width: int = 96
    depth: int = 2  # blocks of either half

    def __post_init__(self) -> None:
        """Refuse a network that cannot be."""
        if min(self.channels - 1, self.patch, self.tubelet, self.width, self.depth) < 1:
            raise BadInputError(f"{self}: expected at least 2 channels and everything else at least 1")


@final
class Pixels:
    """No compression: one pixel of one frame is three numbers."""

    stride = (1, 1)
    channels = 3

    def encode(self, frames: Frames, grid: Grid) -> Float[Tensor, "b row m p"]:
        """Return patches; bytes are cut first, since a quarter of the memory moves."""
        return (patchify(frames, grid) * (1 / 127.5)).sub_(1.0)

    def decode(self, patches: Float[Tensor, "b row m p"], grid: Grid, size: tuple[int, int]) -> Frames:
        """Return frames of a height and width."""
        return _bytes(unpatchify(patches, grid, *size))

    def flops(self, frames: int, height: int, width: int) -> float:
        """Count the operations of encoding: none."""
        return 0.0


@final
class Compression(Learner):
    """A causal autoencoder of video."""

    def __init__(self, config: CompressionConfig) -> None:
        super().__init__()
        self.stride, self.channels = (config.tubelet, config.patch), config.channels
        self.cut = Grid(config.tubelet, config.patch, 0)
        values = 3 * config.tubelet * config.patch**2
        ends = [nn.Conv3d(values, config.width, 1), nn.Conv3d(config.width, config.channels, 1)]
        self.encoder = nn.Sequential(ends[0], *(_Block(config.width, 1) for _ in range(config.depth)), ends[1])
        ends = [nn.Conv3d(config.channels, config.width, 1), nn.Conv3d(config.width, values, 1)]
        self.decoder = nn.Sequential(ends[0], *(_Block(config.width, 2) for _ in range(config.depth)), ends[1])

    def loss(self, clip: Clip, generator: torch.Generator) -> tuple[Float[Tensor, ""], dict[str, float]]:
        """Return how far films come back from their latents."""
        x = self._tubelets(self._lasting(clip.frames))
        latent = self._latent(x)
        noise = torch.randn(latent.shape, generator=generator, device=generator.device)
        gap = self.decoder(latent + JITTER * noise) - x
        error = gap.square().mean()
        return gap.abs().mean() + error, {"psnr": float(10 * torch.log10(4 / error.detach()))}

    def encode(self, frames: Frames, grid: Grid) -> Float[Tensor, "b row m p"]:
        """Return patches of the latent film."""
        return patchify(self._latent(self._tubelets(frames)).permute(0, 2, 3, 4, 1).contiguous(), grid)

    def decode(self, patches: Float[Tensor, "b row m p"], grid: Grid, size: tuple[int, int]) -> Frames:
        """Return frames of a height and width."""
        _, nh, nw = self.cut.shape(self.cut.tubelet, *size)
        latent = unpatchify(patches, grid, nh, nw).permute(0, 4, 1, 2, 3)
        x = self.decoder(latent / _size(latent)).permute(0, 2, 3, 4, 1)
        return _bytes(unpatchify(x.flatten(2, 3).contiguous(), self.cut, *size))

    def training_flops(self, clip: Clip) -> float:
        """Count three forward passes."""
        b, _, h, w, _ = clip.frames.shape
        t = self._lasting(clip.frames).shape[1]
        return 3 * b * (self.flops(t, h, w) + self._count(self.decoder, t, h, w))

    def flops(self, frames: int, height: int, width: int) -> float:
        """Count the operations of encoding a clip."""
        return self._count(self.encoder, frames, height, width)

    def _lasting(self, frames: Frames) -> UInt8[Tensor, "b lasting h w c"]:
        """Let an image stand still for as long as a latent lasts."""
        return frames.expand(-1, self.cut.tubelet, -1, -1, -1) if frames.shape[1] == 1 else frames

    def _count(self, half: nn.Sequential, *size: int) -> float:
        nt, nh, nw = self.cut.shape(*size)
        return 2.0 * nt * nh * nw * sum(p.numel() for p in half.parameters() if p.ndim == 5)

    def _tubelets(self, frames: Frames) -> Float[Tensor, "b k row y x"]:
        _, nh, nw = self.cut.shape(*frames.shape[1:4])
        x = (patchify(frames, self.cut) * (1 / 127.5)).sub_(1.0)
        return x.view(*x.shape[:2], nh, nw, -1).permute(0, 4, 1, 2, 3)

    def _latent(self, x: Float[Tensor, "b k row y x"]) -> Float[Tensor, "b q row y x"]:
        latent: Tensor = self.encoder(x)
        return latent / _size(latent)


class _Block(nn.Module):
    """A convolution over neighbours in space and over `back` instants, the last of them the present."""

    def __init__(self, width: int, back: int) -> None:
        super().__init__()
        self.back = back
        self.near = nn.Conv3d(width, width, (back, 3, 3))
        self.out = nn.Conv3d(width, width, 1)

    def forward(self, x: Float[Tensor, "b k row y x"]) -> Float[Tensor, "b k row y x"]:
        """Add what the neighbours tell."""
        y: Tensor = self.near(F.pad(x / _size(x), (1, 1, 1, 1, self.back - 1, 0)))
        return x.add(self.out(F.silu(y)))


def _size(x: Tensor) -> Tensor:
    """Return the root mean square over channels."""
    return (x.square().mean(1, keepdim=True) + 1e-6).sqrt()


def _bytes(video: Float[Tensor, "b t h w c"]) -> Frames:
    return ((video.clamp(-1, 1) + 1) * 127.5).round().to(torch.uint8)
