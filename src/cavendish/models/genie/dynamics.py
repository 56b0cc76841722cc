"""Symbols of the next frame from the frames before it and the action between them (MaskGIT; Bruce et al. 2024, 2.1).

Two copies of a clip go through the same blocks: the clean one is the past, in the other each frame hides a share of its
symbols and sees, of the frames before it, the clean copy alone. So every frame is guessed from a true past at once,
which is what happens at play, where the clean copy is kept from key press to key press. The share hidden is 1 for half
of the frames and U(0.5, 1) for the rest. Loss: cross-entropy of hidden symbols, `moving` times as heavy where a symbol
differs from the one before. Each place also sees the symbol that was there before and may answer "the same" by a
learnt bias; and a symbol is scored by its digits besides, so that likeness of symbols carries over.
A loss with weights is least at scores log p(v) + log w(v), w = `moving` where v differs from the symbol before. At play
the second part may be taken back (`taken_back` = 1): with w = 50 one chance in 50 is else enough to guess a change.
The action of a frame is the one that led to it; the first frame has none. It is a token of the frame and is added again
in every block (`token`), or is only added to what enters (`additive`, as in the paper).
"""

import math
from dataclasses import dataclass, field
from typing import Literal, final

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn
from torch.nn import functional as F

from cavendish.codec import LATER
from cavendish.models.genie.actions import LatentActions
from cavendish.models.genie.quantise import exactly
from cavendish.models.genie.tokenizer import Tokenizer
from cavendish.models.genie.transformer import Block, Past, Shape, block_flops
from cavendish.models.world_model import Learner, Pace
from cavendish.video import Clip

SHAPE, PACE = Shape(96, 3, 4, 4), Pace()
WHOLLY = 0.5  # share of frames that are hidden altogether


@final
@dataclass(frozen=True)
class DynamicsConfig:
    """How the next frame is guessed."""

    shape: Shape = SHAPE
    injection: Literal["token", "additive"] = "token"
    frames: int = 4  # of a training window
    steps: int = 1  # in which a frame is uncovered
    temperature: float = 0.0  # of imagination; 0 takes the likeliest symbol
    pace: Pace = PACE
    moving: float = field(default=5.0, metadata=LATER)  # weight of a symbol that changes
    taken_back: float = field(default=0.0, metadata=LATER)  # of the logarithm of that weight, when frames are imagined


@final
class Dynamics(Learner):
    """The masked transformer, with its frozen neighbours."""

    def __init__(self, config: DynamicsConfig, tokenizer: Tokenizer, actions: LatentActions) -> None:
        super().__init__()
        self.config, self.neighbours = config, (tokenizer, actions)  # in a tuple: not parts
        quantise, width = tokenizer.quantise, config.shape.width
        self.cells, self.hidden, self.none = tokenizer.cells, quantise.count, actions.config.codes
        self.value_now, self.value_before = (nn.Linear(quantise.width, width) for _ in range(2))
        self.now, self.before = nn.Embedding(self.hidden + 1, width), nn.Embedding(self.hidden + 1, width)
        self.place = nn.Parameter(0.02 * torch.randn(self.cells[0] * self.cells[1], width))
        self.action = nn.Embedding(self.none + 1, width)
        self.blocks = nn.ModuleList(Block(config.shape, self.cells) for _ in range(config.shape.depth))
        told = len(self.blocks) if config.injection == "token" else 1
        self.told = nn.ModuleList(nn.Linear(width, width, bias=False) for _ in range(told))
        digits = _digits(quantise.values)
        self.register_buffer("digits", digits, persistent=False)
        self.head, self.by_digit = nn.Linear(width, self.hidden), nn.Linear(width, digits.shape[1])
        self.same = nn.Linear(width, 1)
        for embedding in (self.now, self.before):
            nn.init.normal_(embedding.weight, std=0.1)
        for layer in (self.head, self.by_digit, self.same):
            nn.init.zeros_(layer.weight)
        nn.init.constant_(self.same.bias, 2.0)

    def forward(
        self,
        now: Int[Tensor, "b t n"],
        before: Int[Tensor, "b t n"],
        action: Int[Tensor, "b t"],
        past: list[Past] | None,
    ) -> tuple[Float[Tensor, "b t n k"], list[Past]]:
        """Return features of frames, given their pasts or each other as past, and the pasts that follow."""
        (tokenizer, _), token = self.neighbours, self.config.injection == "token"
        values = F.pad(tokenizer.quantise.values, (0, 0, 0, 1))  # what is hidden has the value 0
        x = self.now(now) + self.value_now(values[now]) + self.before(before) + self.value_before(values[before])
        x, told = x + self.place, self.action(action)[:, :, None]
        if token:
            x = torch.cat([told, x], 2)
        following = []
        for number, block in enumerate(self.blocks):
            if token or number == 0:
                x = x + self.told[number](told)
            x, after = block(x, None if past is None else past[number])
            following.append(after)
        return F.layer_norm(x[:, :, 1:] if token else x, x.shape[-1:]), following

    def logits(self, x: Float[Tensor, "... k"], before: Int[Tensor, "..."]) -> Float[Tensor, "... v"]:
        """Score every symbol at every place."""
        scores = self.head(x) + self.by_digit(x) @ self.digits.T
        return scores.scatter_add(-1, before[..., None], self.same(x))  # type: ignore[no-any-return]

    def chances(self, scores: Float[Tensor, "*b v"], before: Int[Tensor, "*b"]) -> Float[Tensor, "*b v"]:
        """Return the scores that are believed at play: without what the weight of the loss has added to them."""
        if self.config.taken_back == 0:
            return scores
        owed = self.config.taken_back * math.log(self.config.moving)
        return scores.scatter_add(-1, before[..., None], torch.full_like(scores[..., :1], owed))

    def past(self, symbols: Int[Tensor, "b t n"], action: Int[Tensor, "b s"]) -> list[Past]:
        """Return the past of every frame of a clip and of the frame that will follow it; s = t - 1 actions."""
        return self.forward(symbols, self.shifted(symbols), F.pad(action, (1, 0), value=self.none), None)[1]

    def shifted(self, symbols: Int[Tensor, "b t n"]) -> Int[Tensor, "b t n"]:
        """Return the symbols of the frame before each frame, hidden ones before the first."""
        return F.pad(symbols[:, :-1], (0, 0, 1, 0), value=self.hidden)

    def guesses(
        self, symbols: Int[Tensor, "b t n"], action: Int[Tensor, "b s"], shown: Bool[Tensor, "b s n"]
    ) -> Float[Tensor, "b s n v"]:
        """Score the symbols of every frame after the first, of which some are shown, each from its true past."""
        past = [part.of(slice(1, None)) for part in self.past(symbols[:, :-1], action[:, :-1])]
        now = torch.where(shown, symbols[:, 1:], self.hidden)
        return self.logits(self.forward(now, symbols[:, :-1], action, past)[0], symbols[:, :-1])

    def loss(self, clip: Clip, generator: torch.Generator) -> tuple[Float[Tensor, ""], dict[str, float]]:
        """Weigh the guesses of hidden symbols in a window of every clip."""
        b, t = clip.frames.shape[:2]
        device, count = clip.frames.device, min(self.config.frames, t)
        start = torch.randint(t - count + 1, (b, 1), generator=generator, device=device)
        frames = clip.frames[torch.arange(b, device=device)[:, None], start + torch.arange(count, device=device)]
        symbols, action = self.told_by_neighbours(frames)
        shape = symbols[:, 1:].shape
        rate = 0.5 + 0.5 * torch.rand(*shape[:2], 1, generator=generator, device=device)
        wholly = torch.rand(*shape[:2], 1, generator=generator, device=device) < WHOLLY
        shown = (torch.rand(shape, generator=generator, device=device) >= rate) & ~wholly
        scores, wanted = self.guesses(symbols, action, shown), symbols[:, 1:]
        changed, asked = wanted != symbols[:, :-1], ~shown
        weight = (1 + (self.config.moving - 1) * changed) * asked
        error = F.cross_entropy(scores.flatten(0, 2), wanted.flatten(), reduction="none").view(shape)
        loss = (error * weight).sum() / weight.sum().clamp(min=1)
        right = scores.detach().argmax(-1) == wanted
        figures = {"accuracy": float(right[asked].float().mean())}
        figures["accuracy_changed"] = float(right[asked & changed].float().mean())
        return loss, figures | {"changed": float(changed.float().mean())}

    @torch.no_grad()
    def told_by_neighbours(self, frames: Tensor) -> tuple[Tensor, Tensor]:
        """Return the symbols and the latent actions of frames, as at play, wherever the frames are."""
        tokenizer, actions = self.neighbours
        with exactly(frames):
            return tokenizer.to(frames.device).encode(frames), actions.to(frames.device).infer(frames)

    def uncover(
        self,
        before: Int[Tensor, "b 1 n"],
        action: Int[Tensor, "b 1"],
        past: list[Past],
        temperature: float,
        generator: torch.Generator,
    ) -> Int[Tensor, "b 1 n"]:
        """Guess the next frame in a few steps in random order; by confidence, it would copy what stood still first."""
        now = torch.full_like(before, self.hidden)
        order = torch.rand(before.shape, generator=generator, device=before.device).argsort(-1).argsort(-1)
        for step in range(self.config.steps):
            scores = self.chances(self.logits(self.forward(now, before, action, past)[0], before), before)
            found = _drawn(scores, temperature, generator)
            left = math.floor(before.shape[-1] * math.cos(math.pi / 2 * (step + 1) / self.config.steps) + 1e-9)
            now = torch.where((now == self.hidden) & (order >= left), found, now)
        return now

    def training_flops(self, clip: Clip) -> float:
        """Count three passes of both copies of a window; its neighbours' reading is not counted."""
        n, width = self.cells[0] * self.cells[1] + 1, self.config.shape.width
        passes = 2 * (min(self.config.frames, clip.frames.shape[1]) - 1)
        per_pass = len(self.blocks) * block_flops(self.config.shape, n) + n * width * self.hidden
        return 3.0 * len(clip.frames) * passes * per_pass

    def matrices(self) -> list[nn.Parameter]:
        """Return the maps inside blocks."""
        return [p for p in self.blocks.parameters() if p.ndim == 2 and min(p.shape) >= self.config.shape.width]


def _drawn(scores: Float[Tensor, "b t n v"], temperature: float, generator: torch.Generator) -> Int[Tensor, "b t n"]:
    if temperature == 0:
        return scores.argmax(-1)
    chances = (scores / temperature).softmax(-1)
    return torch.multinomial(chances.flatten(0, -2), 1, generator=generator).view(scores.shape[:-1])


def _digits(values: Float[Tensor, "v k"]) -> Float[Tensor, "v m"]:
    """Mark every symbol's level in every dimension; a learnt codebook has no levels to share."""
    if len(values) == 0 or any(len(column.unique()) == len(values) for column in values.T):
        return values.new_zeros(len(values), 1)
    marks = []
    for column in values.T:
        levels = column.unique()
        marks.append((column[:, None] == levels).float())
    return torch.cat(marks, 1)
