"""Ways from noise to picture: whoever knows the picture arrives there, whatever the network is asked to say."""

import numpy as np
import pytest
import torch
from torch import Tensor

from cavendish.data import Picture, Split
from cavendish.errors import BadInputError
from cavendish.models.diffusion import DiffusionConfig, Mixture
from cavendish.models.diffusion.flow import AnyFlow, Round, Straight
from cavendish.scenes import UniformMotion
from cavendish.training import seeded

FLOWS = (Straight(), Straight(shift=3.0), Round("v"), Round("noise"))
PICTURE, NOISE = (torch.randn(64, generator=seeded(n), dtype=torch.double) for n in range(2))


def at(flow: AnyFlow, level: float) -> tuple[Tensor, Tensor]:
    """Return z and its level."""
    here = torch.full_like(PICTURE, level)
    return flow.mixed(NOISE.clone(), PICTURE, here), here


@pytest.mark.parametrize("flow", FLOWS)
def test_who_knows_the_picture_arrives_there_in_any_number_of_steps(flow: AnyFlow) -> None:
    for steps in (1, 3, 20, 100):
        levels = [float(flow.shifted(torch.tensor(k / steps, dtype=torch.double))) for k in range(steps + 1)]
        z, here = at(flow, 0.0)
        for following in levels[1:]:
            there = torch.full_like(here, following)
            z, here = flow.moved(z, PICTURE, here, there), there
            if following < 1:
                assert torch.allclose(z, at(flow, following)[0], atol=1e-6)
        assert torch.allclose(z, PICTURE, atol=1e-6)


@pytest.mark.parametrize("flow", FLOWS)
def test_a_frame_whose_level_does_not_rise_stays(flow: AnyFlow) -> None:
    for level in (0.0, 0.4, 1.0):
        z, here = at(flow, level)
        assert torch.equal(flow.moved(z, NOISE, here, here), z)


@pytest.mark.parametrize("says", ["v", "noise"])
@pytest.mark.parametrize("level", [0.0, 0.3, 0.9])
def test_an_error_counts_as_much_as_what_is_said_is_wrong(says: str, level: float) -> None:
    flow = Round(says)
    z, here = at(flow, level)
    a, s = flow.parts(here)
    said = {"v": a * NOISE - s * PICTURE, "noise": NOISE}[says]
    wrong = said + 0.1
    x_hat = flow.clean(wrong, z, here)
    assert torch.allclose(flow.clean(said, z, here), PICTURE, atol=1e-9)
    assert torch.allclose(flow.weight(here, 4.0) * (x_hat - PICTURE) ** 2, (wrong - said) ** 2)


def test_only_v_begins_with_pure_noise() -> None:
    assert torch.equal(at(Round("v"), 0.0)[0], NOISE)
    assert not torch.equal(at(Round("noise"), 0.0)[0], NOISE)


def test_levels_of_a_round_way_are_uniform_and_a_shift_makes_noise() -> None:
    rest = {"leap": 0.0, "prefix": 0.0}
    uniform, straight, shifted = (
        Mixture(**rest, flow=flow).levels(2000, 4, seeded(0)) for flow in (Round(), Straight(), Straight(3.0))
    )
    quantiles = torch.tensor([0.1, 0.5, 0.9])
    assert torch.allclose(uniform.flatten().quantile(quantiles), quantiles, atol=0.02)
    assert torch.allclose(shifted, straight / (straight + 3 * (1 - straight)))
    with pytest.raises(BadInputError, match="shift"):
        Straight(0.0)


@pytest.mark.parametrize("flow", [Round("v"), Round("noise"), Straight(2.0)])
def test_a_model_learns_and_imagines_on_every_way(flow: AnyFlow) -> None:
    mixture = Mixture(leap=0.3, prefix=0.4, flow=flow)
    model = DiffusionConfig(size="pico", patch=8, tubelet=4, mixture=mixture, steps=3).build(seeded(0))
    clip = Split(UniformMotion(), picture=Picture(16, 16)).clips(np.arange(4))
    optimiser = torch.optim.Adam(model.parameters(), 3e-3)
    losses = []
    for _ in range(25):
        loss, _ = model.loss(clip, seeded(0))
        loss.backward()
        optimiser.step()
        optimiser.zero_grad()
        losses.append(loss.item())
    assert losses[-1] < 0.8 * losses[0]
    dreamt = model.imagine(clip.first(3), 5, seeded(1)).frames
    assert torch.equal(dreamt[:, :3], clip.frames[:, :3])
