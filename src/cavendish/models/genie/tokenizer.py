"""Frames -> a few symbols per patch, and back.

patch   a patch is read by itself and painted with a look at its neighbours: a patch that does not change keeps its
        symbol. With attention in the encoder, symbols of still patches flicker, and the dynamics must guess the
        flicker (docs/log.md); it is the default.
drawn   read as with `patch`, painted with attention within the frame.
space   attention within a frame on both sides (ViT). space-time  the same, and back in time (ST-ViViT, the paper's).
full    attention to all of a frame and of the frames before it at once (what Bruce et al., table 3, call C-ViViT).
Loss: squared error; pixels that differ between the chosen frames of a clip weigh `moving` times more. Where hardly
anything moves it takes more than the usual 15, and a learnt codebook, or the still scene is all that is learnt
(docs/log.md).
"""

import math
from dataclasses import dataclass, field
from typing import Literal, final

import torch
from jaxtyping import Bool, Float, Int, UInt8
from torch import Tensor, nn
from torch.nn import functional as F

from cavendish.codec import LATER
from cavendish.errors import BadInputError
from cavendish.models.genie.quantise import Codebook, Levels, perplexity
from cavendish.models.genie.transformer import Block, FullBlock, Shape, block_flops, full_block_flops
from cavendish.models.world_model import Learner, Pace
from cavendish.video import Clip

CHANGE = 8  # of 255
CHOSEN = 4  # frames of a clip in one step
BACK_IN_TIME = ("space-time", "full")  # kinds
SHAPE, PACE = Shape(128, 2, 4, 4), Pace(steps=0.5)


@final
@dataclass(frozen=True)
class TokenizerConfig:
    """How frames become symbols."""

    kind: Literal["patch", "drawn", "space", "space-time", "full"] = "patch"
    patch: int = 8  # px
    levels: tuple[int, ...] = (6, 5, 5)  # of the fixed grid; one number: a learnt codebook of that size
    shape: Shape = SHAPE
    pace: Pace = PACE
    moving: float = field(default=15.0, metadata=LATER)


@final
class Tokenizer(Learner):
    """Patches to symbols and back."""

    def __init__(self, config: TokenizerConfig, cells: tuple[int, int]) -> None:
        super().__init__()
        self.config, self.cells = config, cells
        width, values = config.shape.width, 3 * config.patch**2
        grid = len(config.levels) > 1
        self.quantise: Levels | Codebook = Levels(config.levels) if grid else Codebook(config.levels[0], 8)
        hidden = (nn.Linear(width, width), nn.GELU())
        self.read = nn.Sequential(nn.Linear(values, width), nn.GELU(), *hidden, nn.Linear(width, self.quantise.width))
        self.look = nn.Conv2d(self.quantise.width, width, 3, padding=1)
        self.paint = nn.Sequential(nn.GELU(), nn.Linear(width, width), nn.GELU(), nn.Linear(width, values))
        window = config.shape.window if config.kind in BACK_IN_TIME else 1
        shape = Shape(width, config.shape.depth, config.shape.heads, window)
        read, painted = (0 if config.kind in alone else shape.depth for alone in (("patch", "drawn"), ("patch",)))
        self.before, self.after = (
            nn.ModuleList(
                FullBlock(shape, cells) if config.kind == "full" else Block(shape, cells) for _ in range(depth)
            )
            for depth in (read, painted)
        )

    @property
    def memory(self) -> int:
        """Return how many frames of symbols are needed to paint the last of them."""
        return self.config.shape.window * self.config.shape.depth if self.config.kind in BACK_IN_TIME else 1

    def encode(self, frames: UInt8[Tensor, "b t h w c"]) -> Int[Tensor, "b t n"]:
        """Return the symbols of frames."""
        return self.quantise(self._read(frames))[1]  # type: ignore[no-any-return]

    def decode(self, symbols: Int[Tensor, "b t n"]) -> UInt8[Tensor, "b t h w c"]:
        """Paint frames."""
        painted = self._paint(self.quantise.values[symbols])
        return ((painted.clamp(-1, 1) + 1) * 127.5).round().to(torch.uint8)

    def repaint(
        self, symbols: Int[Tensor, "b t n"], changed: Bool[Tensor, "b n"], frame: UInt8[Tensor, "b h w c"]
    ) -> UInt8[Tensor, "b h w c"]:
        """Paint the changed patches of the last frame, and keep the others as they were."""
        where = changed.view(-1, *self.cells)
        for axis in (1, 2):
            where = where.repeat_interleave(self.config.patch, axis)
        return torch.where(where[..., None], self.decode(symbols)[:, -1], frame)

    def loss(self, clip: Clip, generator: torch.Generator) -> tuple[Float[Tensor, ""], dict[str, float]]:
        """Weigh the error of repainted frames; log the health of the symbols."""
        frames = _chosen(clip.frames, generator, self.config.kind in BACK_IN_TIME)
        z = self._read(frames)
        values, symbols = self.quantise(z)
        painted, wanted = self._paint(values), frames.float() / 127.5 - 1
        change = (frames.amax(1, keepdim=True) - frames.amin(1, keepdim=True)).amax(-1, keepdim=True) > CHANGE
        weight = 1 + self.config.moving * change
        square = (painted - wanted).square()
        loss = (square * weight).sum() / (3 * weight.expand(*wanted.shape[:-1], 1).sum())
        loss = loss + self.quantise.learn(z.flatten(0, -2), symbols.flatten(), generator)
        used, even = perplexity(symbols, self.quantise.count)
        figures = {
            "psnr": -10 * math.log10(max(float(square.detach().mean()) / 4, 1e-12)),
            "codes_used": used,
            "perplexity": even,
        }
        return loss, figures | {"token_change_over_true_change": flicker(self, clip.frames[:4, :8])}

    def training_flops(self, clip: Clip) -> float:
        """Count three forward passes of the chosen frames."""
        cells, shape, chosen = self.cells[0] * self.cells[1], self.config.shape, min(CHOSEN, clip.frames.shape[1])
        maps = sum(p.numel() for part in (self.read, self.look, self.paint) for p in part.parameters() if p.ndim > 1)
        full = self.config.kind == "full"
        block = full_block_flops(shape, cells, chosen) if full else block_flops(shape, cells)
        return 3 * len(clip.frames) * chosen * (2.0 * cells * maps + (len(self.before) + len(self.after)) * block)

    def _read(self, frames: UInt8[Tensor, "b t h w c"]) -> Float[Tensor, "b t n k"]:
        b, t, h, w, _ = frames.shape
        p, cells = self.config.patch, self.cells
        if (h, w) != (cells[0] * p, cells[1] * p):
            raise BadInputError(f"frames of {h} x {w} pixels, this model was made for {self._size()}")
        patches = frames.reshape(b, t, cells[0], p, cells[1], p, 3).transpose(3, 4)
        x = patches.reshape(b, t, cells[0] * cells[1], -1).float() / 127.5 - 1
        first, *rest = self.read
        x = first(x)
        for block in self.before:
            x, _ = block(x, None)
        for part in rest:
            x = part(x)
        return x  # type: ignore[no-any-return]

    def _paint(self, values: Float[Tensor, "b t n k"]) -> Float[Tensor, "b t h w c"]:
        (b, t, n, k), (rows, columns), p = values.shape, self.cells, self.config.patch
        x = self.look(values.reshape(b * t, rows, columns, k).movedim(-1, 1)).movedim(1, -1).reshape(b, t, n, -1)
        for block in self.after:
            x, _ = block(x, None)
        painted = self.paint(x).view(b, t, rows, columns, p, p, 3).transpose(3, 4)
        return painted.reshape(b, t, rows * p, columns * p, 3)  # type: ignore[no-any-return]

    def _size(self) -> str:
        return f"{self.cells[0] * self.config.patch} x {self.cells[1] * self.config.patch}"


def _chosen(
    frames: UInt8[Tensor, "b t h w c"], generator: torch.Generator, in_a_row: bool
) -> UInt8[Tensor, "b s h w c"]:
    """Choose a few frames of every clip."""
    b, t = frames.shape[:2]
    count = min(CHOSEN, t)
    if in_a_row:
        start = torch.randint(t - count + 1, (b, 1), generator=generator, device=frames.device)
        picked = start + torch.arange(count, device=frames.device)
    else:
        picked = torch.rand(b, t, generator=generator, device=frames.device).argsort(1)[:, :count]
    return frames[torch.arange(b, device=frames.device)[:, None], picked]


@torch.no_grad()
def flicker(tokenizer: Tokenizer, frames: UInt8[Tensor, "b t h w c"]) -> float:
    """Return how many symbols change from frame to frame, over how many patches do; 1 is ideal."""
    symbols, p = tokenizer.encode(frames), tokenizer.config.patch
    differs = (frames[:, 1:].int() - frames[:, :-1].int()).abs().amax(-1) > CHANGE
    patches = F.max_pool2d(differs.float(), p).sum()
    return float((symbols[:, 1:] != symbols[:, :-1]).sum() / patches.clamp(min=1))
