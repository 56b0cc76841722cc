"""A joint-embedding predictive world model: it foretells what it would see in its own abstract terms, not the pixels.

    z_t = E(frame_t)                                          the encoder sees one frame
    z^_t+1 = z_t + P(z_t-2, z_t-1, z_t, a_t)                  the predictor sees a short history and the button pressed
    loss = mean over starts s and steps j of |z^_s+j - z_s+j|^2, z^ fed back for `rollout` steps
           + guard(z) against collapse (`guard`) + cross-entropy of a_t given (z_t, z_t+1), where there are buttons
(Sobal et al. 2025, PLDM, arXiv 2502.14819, for histories, rollouts and inverse dynamics; LeCun 2022 for the idea.)
Encoder: patches through a two-layer network each; the map of features f(place) is pooled against cosines of place,
    sum_place f(place) cos(pi i y / H) cos(pi j x / W),  i, j < 4,
which keeps where things are and forgets how many pixels there were (white paper says nothing: f = 0); then z.
What it imagines are features: the state (z_t, z_t - z_t-1, .., as many as the history) of every frame. A tenth of the
clips are learnt without their buttons, so that a dream without buttons means: whatever is usually pressed.
"""

import math
from dataclasses import dataclass, field
from typing import final

import torch
from jaxtyping import Bool, Float, Int, UInt8
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn import functional as F

from cavendish.errors import BadInputError, unknown
from cavendish.models.jepa.guard import Guard, Sigreg, Teacher, effective_rank
from cavendish.models.world_model import WorldModel, parameters_from
from cavendish.video import Clip, Imagined, check_frames

WAVES = 4  # cosines of place along either side
UNTOLD = 0.1  # share of clips learnt without their buttons
INVERSE = 0.1  # weight of inverse dynamics
SIZES = {"pico": (48, 192, 2), "nano": (96, 384, 3), "micro": (128, 512, 4), "S": (256, 1024, 6)}


@final
@dataclass(frozen=True)
class JepaConfig:
    """What a predictive embedding is: its size, how it sees, how far it looks back and ahead, what guards it."""

    size: str = "pico"  # sets channels of a patch, width of layers, depth of the predictor
    patch: int = 4  # px
    latent: int = 16
    history: int = 3  # frames
    rollout: int = 8  # steps run freely in training
    window: int = 32  # frames of a clip that a step of training sees
    buttons: int = 0  # 0: a world without buttons
    guard: Guard = field(default_factory=Sigreg)

    def __post_init__(self) -> None:
        """Refuse sizes that do not exist."""
        if self.size not in SIZES:
            raise unknown("model size", self.size, SIZES)
        if min(self.patch, self.latent, self.history, self.rollout) < 1 or self.buttons < 0:
            raise BadInputError("patch, latent, history and rollout must be at least 1, buttons at least 0")
        if self.window < self.history + self.rollout:
            raise BadInputError(f"window = {self.window}, expected history + rollout or more")

    def build(self, generator: torch.Generator) -> "Jepa":
        """Make the model with fresh parameters drawn from the generator."""
        with parameters_from(generator):
            return Jepa(self)


class Encoder(nn.Module):
    """One frame -> one vector."""

    def __init__(self, patch: int, channels: int, width: int, latent: int) -> None:
        super().__init__()
        self.patch = patch
        self.look = nn.Sequential(
            nn.Linear(3 * patch**2, channels, bias=False),
            nn.GELU(),
            nn.Linear(channels, channels, bias=False),
            nn.GELU(),
        )
        pooled = channels * WAVES**2
        self.tell = nn.Sequential(
            nn.LayerNorm(pooled), nn.Linear(pooled, width), nn.GELU(), nn.Linear(width, width), nn.GELU()
        )
        self.name = nn.Linear(width, latent)

    def forward(
        self, frames: UInt8[Tensor, "n h w c"], hidden: Bool[Tensor, "n y x"] | None = None
    ) -> Float[Tensor, "n k"]:
        """Embed every frame, or what is not hidden of it."""
        n, h, w, _ = frames.shape
        p = self.patch
        if h % p or w % p:
            raise BadInputError(f"frames of {h} x {w} px, expected multiples of the patch, {p}")
        cut = frames.view(n, h // p, p, w // p, p, 3).transpose(2, 3).flatten(3)
        seen = self.look(1 - cut / 255)
        seen = seen if hidden is None else seen.masked_fill(hidden[..., None], 0)
        return self.name(self.tell(self.pooled(seen).flatten(1)))  # type: ignore[no-any-return]

    def pooled(self, seen: Float[Tensor, "n y x c"]) -> Float[Tensor, "n i j c"]:
        """Weigh a map against cosines of place."""
        up, right = (_cosines(side, seen.device) for side in seen.shape[1:3])
        by_row = torch.einsum("nyxc,jx->nyjc", seen, right)
        return torch.einsum("nyjc,iy->nijc", by_row, up)


class Predictor(nn.Module):
    """A short history of vectors and a button -> the next vector."""

    def __init__(self, config: JepaConfig, width: int, depth: int) -> None:
        super().__init__()
        self.press = nn.Embedding(config.buttons + 1, width)  # the last one: untold
        self.enter = nn.Linear(config.history * config.latent, width)
        self.blocks = nn.ModuleList(
            nn.Sequential(nn.LayerNorm(width), nn.Linear(width, width), nn.GELU(), nn.Linear(width, width))
            for _ in range(depth)
        )
        self.step = nn.Linear(width, config.latent)
        nn.init.zeros_(self.step.weight)

    def forward(self, past: Float[Tensor, "*n h k"], button: Int[Tensor, "*n"]) -> Float[Tensor, "*n k"]:
        """Foretell the next vector."""
        x = self.enter(past.flatten(-2)) + self.press(button)
        for block in self.blocks:
            x = x + block(x)
        return past[..., -1, :] + self.step(x)  # type: ignore[no-any-return]


@final
class Jepa(WorldModel):
    """Joint-embedding predictive world model."""

    def __init__(self, config: JepaConfig) -> None:
        super().__init__()
        self.config = config
        channels, width, depth = SIZES[config.size]
        self.encoder = Encoder(config.patch, channels, width, config.latent)
        self.predictor = Predictor(config, width, depth)
        layers = (nn.Linear(2 * config.latent, width), nn.GELU(), nn.Linear(width, max(config.buttons, 1)))
        self.inverse = nn.Sequential(*(layers if config.buttons else ()))
        self.register_buffer("basis", nn.init.orthogonal_(torch.empty(config.latent, config.latent)))
        if isinstance(config.guard, Teacher):
            for name, parameter in self.encoder.named_parameters():
                self.register_buffer(_slow(name), parameter.detach().clone())

    @property
    def buttons(self) -> int:
        """Return how many buttons it listens to."""
        return self.config.buttons

    @property
    def judges_batches(self) -> bool:
        """Tell whether the guard looks at all embeddings of a step, of all machines, at once."""
        return isinstance(self.config.guard, Sigreg)

    def loss(self, clip: Clip, generator: torch.Generator) -> tuple[Float[Tensor, ""], dict[str, float]]:
        """Squared error of free-running predictions, the guard, and inverse dynamics."""
        frames, actions = self.window(clip, generator)
        z, buttons = self.glimpse(frames), self._buttons(frames, actions)
        untold = torch.rand(len(z), 1, generator=generator, device=generator.device).to(z.device) < UNTOLD
        told = buttons.masked_fill(untold, self.config.buttons)
        gap = self._foretold(z, told, self.config.rollout) - self._ahead(self.targets(frames, z))
        loss = gap.square().mean() + self.config.guard.loss(z, self.get_buffer("basis"), generator)
        if actions is not None and self.config.buttons:
            answer = self.inverse(torch.cat([z[:, :-1], z[:, 1:]], -1)).flatten(0, 1)
            loss = loss + INVERSE * F.cross_entropy(answer, buttons[:, :-1].flatten())
        return loss, self._figures(z.detach(), gap.detach(), told)

    @torch.no_grad()
    def imagine(self, context: Clip, horizon: int, generator: torch.Generator) -> Imagined:
        """Run on freely; whoever presses buttons is asked nothing (see `steer`)."""
        return self.steer(context, None, horizon)

    @torch.no_grad()
    def steer(self, context: Clip, actions: Float[Tensor, "b s a"] | None, horizon: int) -> Imagined:
        """Run on freely under the buttons of every frame from the first given one on."""
        known = context.frames.shape[1]
        if known < 2 or horizon < 1:
            raise BadInputError(f"imagine needs 2 frames of context or more and a horizon, got {known} and {horizon}")
        z = self.glimpse(context.frames)
        untold = torch.full((len(z), known + horizon), self.config.buttons, device=z.device)
        buttons = untold if actions is None else self._buttons(untold, actions[:, : known + horizon])
        dreamt = self.rolled(self._histories(self._lead(z))[:, -1:], buttons[:, known - 1 :], horizon)[:, 0]
        count = torch.arange(1, horizon + 1, device=context.time.device)
        late = context.time[-1] + (context.time[-1] - context.time[-2]) * count
        time = torch.cat([context.time, late])
        return Imagined(None, self.state(torch.cat([z, dreamt], 1)), time, context.world, known)

    @torch.no_grad()
    def surprise(self, clip: Clip, generator: torch.Generator) -> Float[Tensor, "b t"]:
        """Squared latent error of each frame, foretold from as long before as training ran freely; 0 at the start."""
        z, first = self.glimpse(clip.frames), self.config.history
        if z.shape[1] < first + self.config.rollout:
            raise BadInputError(f"{z.shape[1]} frames, expected history + rollout, {first + self.config.rollout}")
        buttons = self._buttons(clip.frames, clip.actions)
        error = (self._foretold(z, buttons, self.config.rollout) - self._ahead(z)).square().mean(-1)
        return torch.cat([error.new_zeros(len(z), first), error[:, 0], error[:, 1:, -1]], 1)

    @torch.no_grad()
    def encode(self, clip: Clip) -> Float[Tensor, "b t k"]:
        """Return the state of every frame."""
        return self.state(self.glimpse(clip.frames))

    def glimpse(self, frames: UInt8[Tensor, "b t h w c"]) -> Float[Tensor, "b t k"]:
        """Embed each frame by itself."""
        return self.encoder(check_frames(frames).flatten(0, 1)).unflatten(0, frames.shape[:2])  # type: ignore[no-any-return]

    @torch.no_grad()
    def foresee(self, seen: UInt8[Tensor, "b t h w c"], courses: Int[Tensor, "b n s"]) -> Float[Tensor, "b n s k"]:
        """Tell where many courses of buttons would lead from what was seen."""
        past = self._histories(self._lead(self.glimpse(seen)))[:, -1:].repeat_interleave(courses.shape[1], 0)
        return self.rolled(past, courses.flatten(0, 1), courses.shape[2])[:, 0].view(*courses.shape, -1)

    @torch.no_grad()
    def between(self, before: Float[Tensor, "b k"], after: Float[Tensor, "b k"]) -> Int[Tensor, " b"]:
        """Tell which button lies between two frames."""
        return self.inverse(torch.cat([before, after], -1)).argmax(-1)  # type: ignore[no-any-return]

    def state(self, z: Float[Tensor, "b t k"]) -> Float[Tensor, "b t q"]:
        """Put the newest vector and its latest changes side by side."""
        history = self._histories(self._lead(z))
        return torch.cat([history[:, :, -1:], history.diff(dim=2)], 2).flatten(2)

    def rolled(
        self, past: Float[Tensor, "b start h k"], buttons: Int[Tensor, "b s"], steps: int
    ) -> Float[Tensor, "b start j k"]:
        """Run freely from every start; button i + j is the one pressed j frames after start i."""
        found: list[Tensor] = []
        for j in range(steps):
            found.append(self.predictor(past, buttons[:, j : j + past.shape[1]]))
            past = torch.cat([past[:, :, 1:], found[-1][:, :, None]], 2)
        return torch.stack(found, 2)

    def matrices(self) -> list[nn.Parameter]:
        """Return the weights between hidden layers."""
        inner = [self.encoder.look[2], self.encoder.tell[1], self.encoder.tell[3]]
        inner += [block[number] for block in self.predictor.blocks for number in (1, 3)]  # type: ignore[index]
        return [layer.weight for layer in inner]  # type: ignore[misc]

    def training_flops(self, clip: Clip) -> float:
        """Count three passes through the encoder for every frame and the predictor for every step."""
        frames = min(clip.frames.shape[1], self.config.window)
        step = sum(p.numel() for p in self.predictor.parameters()) - self.predictor.press.weight.numel()
        steps = max(frames - self.config.history - self.config.rollout + 1, 0) * self.config.rollout
        return self.looking_flops(clip) + 6.0 * len(clip.frames) * steps * step

    def looking_flops(self, clip: Clip) -> float:
        """Count three passes through the encoder."""
        b, t, h, w, _ = clip.frames.shape
        cells = (h // self.config.patch) * (w // self.config.patch)
        look = sum(p.numel() for p in self.encoder.look.parameters()) * cells
        tell = sum(p.numel() for part in (self.encoder.tell, self.encoder.name) for p in part.parameters())
        return 6.0 * b * min(t, self.config.window) * (look + tell)

    def _lead(self, z: Float[Tensor, "b t k"]) -> Float[Tensor, "b s k"]:
        """Repeat the first vector in front, where nothing was seen before."""
        return torch.cat([z[:, :1].expand(-1, self.config.history - 1, -1), z], 1)

    def _histories(self, z: Float[Tensor, "b t k"]) -> Float[Tensor, "b start h k"]:
        """Return every stretch as long as the history."""
        return z.unfold(1, self.config.history, 1).transpose(2, 3)

    def _foretold(self, z: Float[Tensor, "b t k"], buttons: Int[Tensor, "b t"], steps: int) -> Tensor:
        """Run from every frame that has a history before it and a whole rollout after it."""
        past = self._histories(z)[:, : -self.config.rollout]
        return self.rolled(past, buttons[:, self.config.history - 1 :], steps)

    def _ahead(self, z: Float[Tensor, "b t k"]) -> Float[Tensor, "b start j k"]:
        """Return what followed every start of `rolled`."""
        return z[:, self.config.history :].unfold(1, self.config.rollout, 1).transpose(2, 3)

    def window(self, clip: Clip, generator: torch.Generator) -> tuple[Tensor, Tensor | None]:
        """Cut the same stretch out of every clip of a batch."""
        count, needed = clip.frames.shape[1], self.config.history + self.config.rollout
        if count < needed:
            raise BadInputError(f"frames = {count}, expected history + rollout = {needed} or more")
        room = max(count - self.config.window, 0) + 1
        first = int(torch.randint(room, (), generator=generator, device=generator.device))
        cut = slice(first, first + self.config.window)
        return clip.frames[:, cut], None if clip.actions is None else clip.actions[:, cut]

    def _buttons(self, like: Tensor, actions: Float[Tensor, "b s a"] | None) -> Int[Tensor, "b t"]:
        """Return the buttons of every frame, or that they are not told."""
        if actions is None or not self.config.buttons:
            return torch.full(like.shape[:2], self.config.buttons, device=like.device)
        if actions.shape[:2] != like.shape[:2] or actions.min() < 0 or actions.max() >= self.config.buttons:
            raise BadInputError(
                f"actions of shape {tuple(actions.shape)} up to {float(actions.max()):g}, expected a button below "
                f"{self.config.buttons} for each of {tuple(like.shape[:2])} frames"
            )
        return actions[..., 0].long().to(like.device)

    def targets(self, frames: Tensor, z: Float[Tensor, "b t k"]) -> Float[Tensor, "b t k"]:
        """Return what predictions should meet: z itself, or what the slow teacher sees."""
        if not isinstance(self.config.guard, Teacher):
            return z
        slow = {name: self.get_buffer(_slow(name)) for name, _ in self.encoder.named_parameters()}
        with torch.no_grad():
            if self.training:
                for name, parameter in self.encoder.named_parameters():
                    slow[name].lerp_(parameter, 1 - self.config.guard.decay)
            seen: Tensor = functional_call(self.encoder, slow, (frames.flatten(0, 1),))
        return seen.view(z.shape)

    @torch.no_grad()
    def _figures(self, z: Tensor, gap: Tensor, buttons: Tensor) -> dict[str, float]:
        """Tell whether it collapses, and whether it beats a copy of the last frame and a guess without buttons."""
        figures = {
            "first_step": float(gap[:, :, 0].square().mean()),
            "last_step": float(gap[:, :, -1].square().mean()),
            "copied": float(z.diff(dim=1).square().mean()),
            "rank": effective_rank(z),
            "least_spread": float(z.flatten(0, 1).std(0).min()),
        }
        if self.config.buttons:
            blind = self._foretold(z, torch.full_like(buttons, self.config.buttons), 1) - self._ahead(z)[:, :, :1]
            figures["first_step_without_buttons"] = float(blind.square().mean())
        return figures


def _slow(name: str) -> str:
    return "slow_" + name.replace(".", "_")


def _cosines(count: int, device: torch.device) -> Float[Tensor, "i y"]:
    place = (torch.arange(count, device=device) + 0.5) / count
    wave = torch.cos(math.pi * torch.arange(WAVES, device=device)[:, None] * place)
    return torch.mul(wave, (2 / count) ** 0.5)
