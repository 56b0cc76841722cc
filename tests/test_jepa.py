"""A predictive embedding: its guards tell collapse from spread, its rollouts obey buttons, its dreams become metres."""

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from jaxtyping import Float
from safetensors.torch import load_file, save_file
from torch import Tensor

from cavendish.data import Picture, Split
from cavendish.errors import BadInputError
from cavendish.models import DiffusionConfig, JepaConfig
from cavendish.models.jepa import Guard, MaskedJepaConfig, Sigreg, Teacher, Vicreg, effective_rank
from cavendish.models.jepa.guard import shadows
from cavendish.readout import choose_curved_probe, choose_probe
from cavendish.scenes import Pushable, UniformMotion
from cavendish.scenes.looks import in_view
from cavendish.studies.controls import Oracle
from cavendish.studies.sighted import Retold, Sighted, sighted
from cavendish.training import seeded
from cavendish.training.optimiser import Optimiser
from cavendish.training.spread import Spread
from cavendish.video import Clip, Imagined

SMALL = JepaConfig(latent=6, rollout=4, window=12)
GUARDS = (Sigreg(), Sigreg(subspaces=1), Vicreg(slowness=0.1), Teacher())


def pushed(count: int) -> Clip:
    """Film balls that are pushed about."""
    return Split(Pushable(), picture=Picture(16, 16)).clips(np.arange(count))


def uniform(count: int) -> Clip:
    """Film balls that nothing pushes."""
    return Split(UniformMotion(), picture=Picture(16, 16)).clips(np.arange(count))


def gaussian(*shape: int) -> Tensor:
    """Draw standard normal numbers."""
    return torch.randn(shape, generator=seeded(3))


def test_shadows_of_a_gaussian_are_gaussian_and_of_others_are_not() -> None:
    level = float(shadows(gaussian(1, 4000, 20)))
    assert level < 1.5  # n times a squared sampling error of order 1 / n
    assert float(shadows(gaussian(1, 4000, 20) * 1.5)) > 20 * level
    assert float(shadows(torch.zeros(1, 4000, 20))) > 1000 * level
    assert float(shadows(gaussian(1, 4000, 20).sign())) > 20 * level


def test_the_statistic_is_the_integral_of_its_formula() -> None:
    x = gaussian(1, 50, 1)
    t = torch.linspace(-8, 8, 4001)
    phi = torch.exp(1j * x[0, :, :1] * t).mean(0)
    gauss = torch.exp(-t.square() / 2)
    expected = 50 * torch.trapezoid((phi - gauss).abs().square() * gauss, t)
    assert abs(float(shadows(x)) / float(expected) - 1) < 1e-3


def test_a_subspace_guard_leaves_the_other_dimensions_alone() -> None:
    guard, z = Sigreg(subspaces=1, dimensions=2), gaussian(2, 40, 6).requires_grad_()
    guard.loss(z, torch.eye(6), seeded(0)).backward()
    assert z.grad is not None
    assert z.grad[..., :2].abs().max() > 0
    assert z.grad[..., 2:].abs().max() == 0


@pytest.mark.parametrize("guard", [Sigreg(), Vicreg()], ids=["sigreg", "vicreg"])
def test_a_guard_spreads_what_has_collapsed(guard: Guard) -> None:
    z = (0.01 * gaussian(4, 50, 1) * torch.ones(6) + 0.001 * gaussian(4, 50, 6)).requires_grad_()
    before, optimiser = effective_rank(z), torch.optim.Adam([z], 0.05)
    for step in range(150):
        optimiser.zero_grad()
        guard.loss(z, torch.eye(6), seeded(step)).backward()
        optimiser.step()
    assert before < 3
    assert effective_rank(z) > 5
    assert z.detach().flatten(0, 1).std(0).min() > 0.5


def test_effective_rank_counts_directions() -> None:
    flat = gaussian(500, 2) @ torch.tensor([[1.0, 0, 1], [0, 1.0, 0]])
    assert 1.9 < effective_rank(flat) <= 2.0 + 1e-9
    assert effective_rank(torch.ones(5, 3)) < 1.01


@pytest.mark.parametrize("guard", GUARDS, ids=["whole", "subspace", "vicreg", "teacher"])
def test_every_guard_learns(guard: Guard) -> None:
    model, clip = replace(SMALL, guard=guard).build(seeded(0)), uniform(6)
    optimiser, losses = Optimiser(model, "muon", 3e-3), []
    for step in range(25):
        loss, figures = model.loss(clip, seeded(0, step))
        loss.backward()
        optimiser.step(1.0)
        losses.append(loss.item())
    assert np.isfinite(losses).all()
    assert {"rank", "least_spread", "copied"} <= set(figures)
    if not isinstance(guard, Teacher):  # a teacher's targets move
        assert np.mean(losses[-5:]) < 0.8 * np.mean(losses[:3])


def test_rollouts_of_training_are_those_of_imagination() -> None:
    model, clip = replace(SMALL, buttons=5).build(seeded(0)), pushed(2)
    torch.nn.init.normal_(model.predictor.step.weight, std=0.1, generator=seeded(1))
    dream = model.steer(clip.first(6), clip.actions, 4)
    assert dream.features is not None
    with torch.no_grad():
        z = model.glimpse(clip.frames)
        foretold = model._foretold(z, model._buttons(clip.frames, clip.actions), 4)
    assert torch.allclose(dream.features[:, 6:, :6], foretold[:, 3], atol=1e-5)
    still = model.steer(clip.first(6), torch.zeros_like(clip.actions), 4)  # type: ignore[arg-type]
    assert not torch.allclose(still.features, dream.features)  # type: ignore[arg-type]


def test_what_cannot_be_is_refused() -> None:
    with pytest.raises(BadInputError, match="pico"):
        JepaConfig(size="picoo")
    with pytest.raises(BadInputError, match="window"):
        JepaConfig(window=5)
    with pytest.raises(BadInputError, match="button below 2"):
        replace(SMALL, buttons=2).build(seeded(0)).loss(pushed(1), seeded(0))
    with pytest.raises(BadInputError, match="3 subspaces"):
        replace(SMALL, guard=Sigreg(subspaces=3)).build(seeded(0)).loss(uniform(1), seeded(0))


def test_a_curved_probe_reads_what_a_linear_one_cannot() -> None:
    rng = np.random.default_rng(0)
    angle = rng.uniform(-2.5, 2.5, (60, 10, 1))
    features, all_told = np.concatenate([np.cos(angle), np.sin(angle)], -1), np.ones((60, 10), bool)
    misses = []
    for choose in (choose_probe, choose_curved_probe):
        probe = choose(features[:40], angle[:40], all_told[:40])
        misses.append(float(np.sqrt(((probe.read(features[40:]) - angle[40:]) ** 2).mean())))
    assert misses[1] < 0.1 * misses[0]


class Centroid:
    """Sees where the ink of a frame is and how much there is, and dreams that all stands still."""

    def encode(self, clip: Clip) -> Float[Tensor, "b t k"]:
        """Return the centroid and the amount of ink."""
        ink = (255 - clip.frames[..., 1].double()) / 255
        total = ink.sum((2, 3))
        place = (torch.arange(16) + 0.5) / 16
        x, y = (ink.sum(2) @ place.double(), ink.sum(3) @ place.double())
        return torch.stack([x / total.clamp(min=0.1), y / total.clamp(min=0.1), total.sqrt()], -1)

    def imagine(self, context: Clip, horizon: int, generator: torch.Generator) -> Imagined:
        """Repeat the last features."""
        seen = self.encode(context)
        features = torch.cat([seen, seen[:, -1:].expand(-1, horizon, -1)], 1)
        return Imagined(None, features, torch.arange(seen.shape[1] + horizon) * 0.1, context.world, seen.shape[1])

    def surprise(self, clip: Clip, generator: torch.Generator) -> Float[Tensor, "b t"]:
        """Take everything as it comes."""
        return torch.zeros(clip.frames.shape[:2])


def test_what_is_read_in_features_is_drawn() -> None:
    split = Split(UniformMotion(), picture=Picture(16, 16))
    eyes = sighted(split, Centroid())
    assert isinstance(eyes, Sighted)
    clip = split.clips(np.arange(1000, 1004))
    assert clip.trajectory is not None
    context = clip.first(3)
    dream = eyes.imagine(context, 29, seeded(0)).frames
    assert dream is not None
    assert dream.shape == clip.frames.shape
    assert torch.equal(dream[:, :3], clip.frames[:, :3])
    told = Retold(eyes, Oracle(split.scene, clip.trajectory, 0.0)).imagine(context, 29, seeded(0)).frames
    assert told is not None
    seen = torch.from_numpy(in_view(split.scene.draw(clip.trajectory)).all(-1))
    gap, blank = (
        (film[seen] - clip.frames[seen].float()).square().mean() for film in (told.float(), dream * 0 + 255.0)
    )
    assert gap < 0.1 * blank


def test_a_model_with_pixels_is_left_as_it_is() -> None:
    model = DiffusionConfig(size="pico", patch=8, tubelet=4).build(seeded(0))
    assert sighted(Split(UniformMotion(), picture=Picture(16, 16)), model) is model


def test_hidden_blocks_are_filled_in_from_the_rest() -> None:
    model = MaskedJepaConfig(replace(SMALL, guard=Vicreg())).build(seeded(0))
    clip, optimiser, hidden = uniform(6), Optimiser(model, "muon", 3e-3), []
    for step in range(40):
        loss, figures = model.loss(clip, seeded(0, step))
        loss.backward()
        optimiser.step(1.0)
        hidden.append(figures["hidden"])
    assert np.mean(hidden[-5:]) < 0.5 * np.mean(hidden[:3])


def test_what_is_hidden_is_not_seen() -> None:
    model, frames = MaskedJepaConfig(SMALL).build(seeded(0)), uniform(3).frames[:, :12]
    hidden = model.blocks(3, 12, (4, 4), seeded(1))
    assert torch.equal(hidden.sum((1, 2, 3)), torch.full((3,), 6 * 2 * 2))
    cover = hidden.repeat_interleave(4, 2).repeat_interleave(4, 3)[..., None]
    other = torch.where(cover, 255 - frames, frames)
    with torch.no_grad():
        assert torch.equal(model.filled(frames, hidden), model.filled(other, hidden))
        assert not torch.equal(model.embedding.glimpse(frames), model.embedding.glimpse(other))


def test_a_masked_embedding_dreams_as_the_one_inside() -> None:
    model, clip = MaskedJepaConfig(SMALL).build(seeded(0)), uniform(2)
    assert torch.equal(model.encode(clip), model.embedding.encode(clip))
    ours, theirs = (one.imagine(clip.first(3), 4, seeded(0)).features for one in (model, model.embedding))
    assert ours is not None
    assert theirs is not None
    assert torch.equal(ours, theirs)
    assert torch.equal(model.surprise(clip, seeded(0)), model.embedding.surprise(clip, seeded(0)))
    assert model.training_flops(clip) > model.embedding.training_flops(clip)
    with pytest.raises(BadInputError, match="share = 1"):
        MaskedJepaConfig(share=1.0)


def test_a_guard_of_whole_batches_is_not_shown_parts_one_after_another() -> None:
    spread = Spread(parts=2)
    for config in (SMALL, MaskedJepaConfig(SMALL)):
        with pytest.raises(BadInputError, match=r"spread.parts = 2 on 1 processes.*expected spread.parts = 1"):
            spread.laid_out(config.build(seeded(0)))
    model = replace(SMALL, guard=Vicreg()).build(seeded(0))
    assert spread.laid_out(model) is model


HALVES = """
import sys
import torch
from safetensors.torch import load_file, save_file
from torch import distributed
from cavendish.models.jepa.guard import Sigreg
from cavendish.training import seeded
distributed.init_process_group("gloo")
rank = distributed.get_rank()
z = load_file(sys.argv[1])["z"][rank::2].requires_grad_()
loss = Sigreg(weight=1.0).loss(z, torch.eye(3), seeded(7 + rank))
loss.backward()
save_file({"loss": loss.detach(), "gradient": z.grad}, f"{sys.argv[1]}.{rank}")
distributed.destroy_process_group()
"""


@pytest.mark.slow
def test_two_machines_guard_their_whole_batch(tmp_path: Path) -> None:
    script, batch = tmp_path / "halves.py", tmp_path / "z"
    script.write_text(HALVES)
    z = (2 * gaussian(6, 5, 3)).requires_grad_()
    save_file({"z": z.detach()}, batch)
    launcher = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    done = subprocess.run([*launcher, str(script), str(batch)], check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    whole = Sigreg(weight=1.0).loss(z, torch.eye(3), seeded(7))  # both look where the first one does
    whole.backward()
    assert z.grad is not None
    for rank in range(2):
        found = load_file(f"{batch}.{rank}")
        assert float(found["loss"]) == pytest.approx(whole.item(), rel=1e-5)
        gradient = found["gradient"] / 2  # a mean over machines halves it
        assert torch.allclose(gradient, z.grad[rank::2], rtol=1e-4, atol=1e-5)
