"""What was done between two frames, as one of a few symbols, learnt without ever being told.

    code = nearest codebook vector of  encoder(p, x_{t+1} - x_t)
    x_{t+1} - x_t  ~  decoder(p, code),   p = (x_t, x_t - x_{t-1}, ..) the `known` last frames
The decoder cannot see x_{t+1} and answers with the change alone, from a head that starts at zero: nothing is won by
painting the background, and ignoring the code costs the whole change (Bruce et al. 2024, section 2.1; Schmidt & Jiang
2024, LAPO). Both look at a square around the change only, and a transition without change teaches nothing; changed
values weigh `moving` times more. How much history the decoder knows decides what a code has to say. With x_t alone,
codes are spent on what goes on by itself (a ball that rolls out); with x_{t-1} besides, they come to mean "go on" and
"turn" where buttons are held (docs/log.md). What was really pressed, where it is known, is looked at for the log and
for nothing else.
"""

from dataclasses import dataclass, field
from typing import Literal, final

import torch
from jaxtyping import Float, Int, UInt8
from torch import Tensor, nn
from torch.nn import functional as F

from cavendish.codec import LATER
from cavendish.models.genie.quantise import Codebook, exactly, perplexity
from cavendish.models.genie.tokenizer import Tokenizer
from cavendish.models.world_model import Learner, Pace
from cavendish.video import Clip

CELL = 4  # px, of pixels read together
CHANGE = 8 / 255
LEAST = 0.25  # of its fair share: a code that is chosen less begins anew
CHOSEN = 8  # transitions of a clip in one step
PACE = Pace(steps=0.45)


@final
@dataclass(frozen=True)
class LatentActionConfig:
    """How many actions there are, and from what they are told."""

    codes: int = 8
    sees: Literal["pixels", "symbols"] = "pixels"
    width: int = 40
    crop: int = 32  # px, of the square around a change
    pace: Pace = PACE
    known: int = field(default=1, metadata=LATER)  # frames of the past that are shown to encoder and decoder
    moving: float = field(default=15.0, metadata=LATER)  # how much more a changed value weighs


@final
class LatentActions(Learner):
    """Transitions to codes; a decoder that keeps them honest."""

    def __init__(self, config: LatentActionConfig, tokenizer: Tokenizer) -> None:
        super().__init__()
        self.config, self.tokenizer = config, (tokenizer,)  # in a tuple: a neighbour, not a part
        symbols = config.sees == "symbols"
        channels, cell = (tokenizer.quantise.width, tokenizer.config.patch) if symbols else (3 * CELL**2, CELL)
        height, width = (cells * tokenizer.config.patch // cell for cells in tokenizer.cells)
        self.side = (min(config.crop // cell, height), min(config.crop // cell, width))
        self.codebook, k = Codebook(config.codes, 8, LEAST), config.width
        self.encoder = nn.Sequential(
            nn.Conv2d((config.known + 1) * channels, k, 3, padding=1),
            nn.GELU(),
            nn.Conv2d(k, k, 3, padding=1),
            nn.GELU(),
            nn.Flatten(),
            nn.Linear(k * self.side[0] * self.side[1], 64),
            nn.GELU(),
            nn.Linear(64, self.codebook.width),
        )
        self.told = nn.Linear(self.codebook.width, 2 * k)
        into = nn.Conv2d(config.known * channels, k, 3, padding=1)
        self.layers = nn.ModuleList((into, nn.Conv2d(k, k, 3, padding=1)))
        self.head = nn.Conv2d(k, channels, 3, padding=1, bias=False)
        nn.init.zeros_(self.head.weight)

    @torch.no_grad()
    def infer(self, frames: UInt8[Tensor, "b t h w c"]) -> Int[Tensor, "b s"]:
        """Return the code of every transition of a clip; s = t - 1."""
        planes, t = self._planes(frames), frames.shape[1]
        before, change = self._cropped(planes[:, self._steps(torch.arange(t - 1, device=frames.device))].flatten(0, 1))
        if not len(before):
            return frames.new_zeros(len(frames), 0, dtype=torch.long)
        return self.codebook(self.encoder(torch.cat([before, change], 1)))[1].view(len(frames), -1)  # type: ignore[no-any-return]

    def loss(self, clip: Clip, generator: torch.Generator) -> tuple[Float[Tensor, ""], dict[str, float]]:
        """Weigh the error of retold changes."""
        b, t = clip.frames.shape[:2]
        device, count = clip.frames.device, min(CHOSEN, t - 1)
        picked = torch.rand(b, t - 1, generator=generator, device=device).argsort(1)[:, :count]
        rows = torch.arange(b, device=device)[:, None]
        shown = clip.frames[rows[..., None], self._steps(picked)].flatten(0, 1)
        before, change = self._cropped(self._planes(shown))
        moved = change.abs().amax((1, 2, 3)) > CHANGE
        moved = moved | ~moved.any()
        before, change = before[moved], change[moved]
        z = self.encoder(torch.cat([before, change], 1))
        values, codes = self.codebook(z)
        weight = 1 + self.config.moving * (change.abs() > CHANGE)
        error = _weighed(self._retold(before, values) - change, weight)
        copied = _weighed(change, weight).clamp(min=1e-4)
        loss = error / copied + self.codebook.learn(z, codes, generator)
        with torch.no_grad():
            other = values[torch.randperm(len(values), generator=generator, device=device)]
            figures = self._health(codes, _weighed(self._retold(before, other) - change, weight) / error)
            figures["error_over_copy"] = float(error / copied)
        if clip.actions is not None:
            true = clip.actions[rows, picked].flatten(0, 1)[moved, 0].long()
            figures["purity"] = purity(codes.cpu(), true.cpu())
        return loss, figures

    def training_flops(self, clip: Clip) -> float:
        """Count three passes of encoder and decoder over the chosen transitions."""
        cells = self.side[0] * self.side[1]
        chosen = len(clip.frames) * min(CHOSEN, clip.frames.shape[1] - 1)
        maps = sum(p.numel() * (cells if p.ndim == 4 else 1) for p in self.parameters() if p.ndim > 1)
        return 6.0 * chosen * maps

    def _health(self, codes: Int[Tensor, " n"], shuffled: Tensor) -> dict[str, float]:
        used, even = perplexity(codes, self.config.codes)
        return {"codes_used": used, "perplexity": even, "shuffled_over_error": float(shuffled)}

    def _planes(self, frames: UInt8[Tensor, "b t h w c"]) -> Float[Tensor, "b t p y x"]:
        """Return frames as planes of cells: of pixels, or of the values of symbols."""
        if self.config.sees == "symbols":
            (tokenizer,) = self.tokenizer
            tokenizer.to(frames.device)  # it is no part of what a device is given
            with torch.no_grad(), exactly(frames):
                values = tokenizer.quantise.values[tokenizer.encode(frames)]
            return values.reshape(*values.shape[:2], *tokenizer.cells, -1).movedim(-1, 2)
        return F.pixel_unshuffle(frames.float().movedim(-1, 2) / 255, CELL)

    def _steps(self, picked: Int[Tensor, "*b"]) -> Int[Tensor, "*b s"]:
        """Return the frames that belong to transitions: the known past, as far as there is one, and the next."""
        return (picked[..., None] + torch.arange(1 - self.config.known, 2, device=picked.device)).clamp(min=0)

    def _cropped(self, planes: Float[Tensor, "n s p y x"]) -> tuple[Tensor, Tensor]:
        """Return a square of the last known frame and the changes before it, and of the change after it."""
        changes = planes[:, 1:] - planes[:, :-1]
        moved = (changes[:, -1].abs().amax(1) > CHANGE).float()
        index = []
        for axis, side in ((1, self.side[0]), (2, self.side[1])):
            along = torch.arange(moved.shape[axis], device=moved.device)
            profile = moved.sum(3 - axis)
            middle = (profile * along).sum(1) / profile.sum(1).clamp(min=1)
            start = (middle - (side - 1) / 2).round().long().clamp(0, moved.shape[axis] - side)
            index.append(start[:, None] + torch.arange(side, device=moved.device))
        rows = torch.arange(len(planes), device=moved.device)[:, None, None]
        y, x = index[0][:, :, None], index[1][:, None, :]
        seen = torch.cat([planes[:, -2], changes[:, :-1].flatten(1, 2)], 1)
        return tuple(part.movedim(1, -1)[rows, y, x].movedim(-1, 1) for part in (seen, changes[:, -1]))  # type: ignore[return-value]

    def _retold(self, before: Float[Tensor, "n q y x"], code: Float[Tensor, "n k"]) -> Float[Tensor, "n p y x"]:
        x = before
        for layer, told in zip(self.layers, self.told(code)[..., None, None].chunk(2, 1), strict=True):
            x = F.gelu(layer(x) + told)
        return self.head(x)  # type: ignore[no-any-return]


def purity(codes: Int[Tensor, " n"], actions: Int[Tensor, " n"]) -> float:
    """Return the share that is right if every code is taken for the action it most often stands for."""
    table = torch.zeros(int(codes.max()) + 1, int(actions.max()) + 1)
    table.index_put_((codes, actions), torch.ones(len(codes)), accumulate=True)
    return float(table.amax(1).sum() / len(codes))


def _weighed(error: Float[Tensor, "n p y x"], weight: Float[Tensor, "n p y x"]) -> Float[Tensor, ""]:
    return (error.square() * weight).sum() / weight.sum()
