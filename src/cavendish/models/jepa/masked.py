"""Masked prediction in space and time as a second objective of a predictive embedding (V-JEPA; Bardes et al. 2024).

A block of patches is hidden throughout a stretch of frames. What is left of a frame is embedded by the same encoder,
    u_t = E(frame_t without the block),   n_t = the block against the encoder's cosines of place,
and a small transformer that looks both ways in time tells from all (u, n) what the whole frames would have been:
    loss = next-embedding loss (`model`) + mean over hidden frames of |G(u, n)_t - z_t|^2.
Targets are those of the first objective: z itself under a guard, or the slow teacher's (who then moves twice a step).
Only learning changes: dreams, surprise and features are those of the embedding inside.
"""

from dataclasses import dataclass, field
from typing import final

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from cavendish.errors import BadInputError
from cavendish.models.jepa.model import SIZES, WAVES, Jepa, JepaConfig
from cavendish.models.world_model import WorldModel, parameters_from
from cavendish.video import Clip, Imagined

HEADS, LONGEST = 4, 256  # of the transformer; frames


@final
@dataclass(frozen=True)
class MaskedJepaConfig:
    """A predictive embedding that also fills in what it is not shown."""

    embedding: JepaConfig = field(default_factory=JepaConfig)
    share: float = 0.5  # of either side of the frame, and of the frames, that a block covers

    def __post_init__(self) -> None:
        """Refuse blocks that hide nothing or everything."""
        if not 0 < self.share < 1:
            raise BadInputError(f"share = {self.share:g}, expected between 0 and 1")

    def build(self, generator: torch.Generator) -> "MaskedJepa":
        """Make the model with fresh parameters drawn from the generator."""
        with parameters_from(generator):
            return MaskedJepa(self)


@final
class MaskedJepa(WorldModel):
    """A predictive embedding, and what tells hidden frames from the rest of the film."""

    def __init__(self, config: MaskedJepaConfig) -> None:
        super().__init__()
        self.config, self.embedding = config, Jepa(config.embedding)
        _, width, _ = SIZES[config.embedding.size]
        self.enter = nn.Linear(config.embedding.latent + WAVES**2, width)
        self.when = nn.Parameter(0.02 * torch.randn(LONGEST, width))
        layer = nn.TransformerEncoderLayer(width, HEADS, 2 * width, 0.0, batch_first=True, norm_first=True)
        self.mix = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)
        self.tell = nn.Linear(width, config.embedding.latent)

    @property
    def judges_batches(self) -> bool:
        """Tell whether the guard of the embedding does."""
        return self.embedding.judges_batches

    def loss(self, clip: Clip, generator: torch.Generator) -> tuple[Float[Tensor, ""], dict[str, float]]:
        """Add the error of hidden frames to the loss of the embedding."""
        loss, figures = self.embedding.loss(clip, generator)
        frames, _ = self.embedding.window(clip, generator)
        b, t, h, w, _ = frames.shape
        patch = self.config.embedding.patch
        hidden = self.blocks(b, t, (h // patch, w // patch), generator).to(frames.device)
        gap = self.filled(frames, hidden) - self.embedding.targets(frames, self.embedding.glimpse(frames))
        error = gap[hidden.any((2, 3))].square().mean()
        return loss + error, figures | {"hidden": float(error.detach())}

    def filled(self, frames: Tensor, hidden: Bool[Tensor, "b t y x"]) -> Float[Tensor, "b t k"]:
        """Tell what all frames would be embedded as, from what is not hidden."""
        seen = self.embedding.encoder(frames.flatten(0, 1), hidden.flatten(0, 1))
        note = self.embedding.encoder.pooled(hidden.flatten(0, 1)[..., None].float()).flatten(1)
        x = self.enter(torch.cat([seen, note], -1)).unflatten(0, frames.shape[:2])
        return self.tell(self.mix(x + self.when[: frames.shape[1]]))  # type: ignore[no-any-return]

    def blocks(self, b: int, t: int, cells: tuple[int, int], generator: torch.Generator) -> Bool[Tensor, "b t y x"]:
        """Draw a block of patches and a stretch of frames for every clip."""
        inside = []
        for side in (t, *cells):
            length = max(1, round(self.config.share * side))
            first = torch.randint(side - length + 1, (b, 1), generator=generator, device=generator.device)
            place = torch.arange(side, device=generator.device)
            inside.append((place >= first) & (place < first + length))
        time, y, x = inside
        return time[:, :, None, None] & y[:, None, :, None] & x[:, None, None]

    def imagine(self, context: Clip, horizon: int, generator: torch.Generator) -> Imagined:
        """Run on freely."""
        return self.embedding.imagine(context, horizon, generator)

    def surprise(self, clip: Clip, generator: torch.Generator) -> Float[Tensor, "b t"]:
        """Return the latent error of each frame."""
        return self.embedding.surprise(clip, generator)

    def encode(self, clip: Clip) -> Float[Tensor, "b t k"]:
        """Return the state of every frame."""
        return self.embedding.encode(clip)

    def matrices(self) -> list[nn.Parameter]:
        """Return the weights between hidden layers."""
        return self.embedding.matrices()

    def training_flops(self, clip: Clip) -> float:
        """Count the embedding's own, two more looks at every frame, and the transformer's weights for each."""
        frames = len(clip.frames) * min(clip.frames.shape[1], self.config.embedding.window)
        weights = sum(p.numel() for part in (self.enter, self.mix, self.tell) for p in part.parameters())
        return self.embedding.training_flops(clip) + 2 * self.embedding.looking_flops(clip) + 6.0 * frames * weights
