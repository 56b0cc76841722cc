"""Other people's metrics, against hand-made cases, other implementations, and what they cannot see."""

from pathlib import Path

import numpy as np
import pytest
import torch

from cavendish.errors import BadInputError
from cavendish.measure.peers import physics_iq, pictures, pisa

SIDE, FRAMES, STEP, HEIGHT = 128, 24, 0.04, 6.4  # px, frames, s, m
SCALE = SIDE / HEIGHT
PAIRS = np.random.default_rng(0)


def disc(x: float, y: float, r: float = 8.0) -> np.ndarray:
    """Mask a disc, in pixels."""
    rows, columns = np.mgrid[:SIDE, :SIDE] + 0.5
    return (columns - x) ** 2 + (rows - y) ** 2 <= r * r


def drop(gravity: float = 9.81, shift: float = 0.0) -> np.ndarray:
    """Mask a falling ball."""
    time = np.arange(FRAMES) * STEP
    return np.array([disc(64 + shift, 12 + 0.5 * gravity * SCALE * t * t) for t in time])


def filmed(masks: np.ndarray) -> np.ndarray:
    """Paint masks red on white."""
    return np.where(masks[..., None], np.array([255, 0, 0]), 255).astype(np.uint8)


def test_overlap_cannot_tell_a_wrong_law_from_a_wrong_start_but_a_fit_can() -> None:
    truth, half, left = drop(), drop(9.81 / 2), drop(shift=-5.0)
    assert physics_iq.spatiotemporal_iou(truth, truth) == 1.0
    wrong_law = physics_iq.spatiotemporal_iou(half, truth)
    wrong_start = physics_iq.spatiotemporal_iou(left, truth)
    assert abs(wrong_law - wrong_start) < 0.25  # one number, two very different faults
    time, fits = np.arange(FRAMES) * STEP, []
    for masks in (truth, half, left):
        fell = np.array([np.argwhere(mask)[:, 0].mean() for mask in masks if mask.any()]) / SCALE
        inside = [mask.any() and not mask[-1].any() for mask in masks]
        fits.append(2 * np.polyfit(time[inside], fell[: sum(inside)], 2)[0])
    assert fits[0] == pytest.approx(9.81, rel=0.01)
    assert fits[1] == pytest.approx(9.81 / 2, rel=0.01)
    assert fits[2] == pytest.approx(9.81, rel=0.01)
    print(f"\nST-IoU half g {wrong_law:.2f}, 5 px left {wrong_start:.2f}; g {fits[0]:.2f} {fits[1]:.2f} {fits[2]:.2f}")


def test_motion_masks_mark_what_moves_and_nothing_else() -> None:
    masks = physics_iq.motion_masks(filmed(drop()).repeat(4, 1).repeat(4, 2))
    assert masks.shape == (FRAMES, SIDE, SIDE)
    assert not masks[0].any()
    assert masks[5:15].any((1, 2)).all()
    where = (masks | drop()).sum((1, 2)) - drop().sum((1, 2))  # running means trail behind the ball, above it
    assert (where[5:15] < 3 * drop()[0].sum()).all()
    assert not physics_iq.motion_masks(filmed(drop(0.0))).any()


def test_physics_iq_adds_up_as_published_and_as_audited() -> None:
    same = physics_iq.compare(filmed(drop()), filmed(drop()))
    assert (same.overlaps == 1).all()
    assert same.mse == 0.0
    take = physics_iq.Comparison(0.8, 0.6, 0.5, 0.01)
    assert physics_iq.original_score([take, take], [take, take]) == pytest.approx(100)
    assert physics_iq.verified_score([take], [take]) == pytest.approx(100)
    poor = physics_iq.Comparison(0.4, 0.3, 0.1, 0.04)
    assert physics_iq.original_score([poor], [take]) == pytest.approx(100 * ((0.5 + 0.5 + 0.2) / 3 - 0.03))
    assert physics_iq.verified_score([poor], [take]) == pytest.approx(100 * (0.5 + 0.5 + 0.2 + 0.25) / 4)
    better = physics_iq.Comparison(1.0, 1.0, 1.0, 0.0)
    assert physics_iq.original_score([better], [take]) == 100  # ratio of means, clipped once
    assert physics_iq.verified_score([better, poor], [take, take]) < 100  # every sample is clipped


def test_pisa_s_l2_is_an_l1_and_a_vanished_object_costs_nothing_there() -> None:
    a, b = disc(40, 40)[None], disc(43, 36)[None]
    unit = np.sqrt(2) * SIDE
    assert pisa.centroid_l1_as_coded(a, b)[0] * unit == pytest.approx((3 + 4) / 2, abs=0.05)
    assert pisa.centroid_l2(a, b)[0] * unit == pytest.approx(5.0, abs=0.05)
    assert pisa.chamfer(a, a)[0] == 0.0
    assert pisa.iou(a, a)[0] == 1.0
    point, other = np.zeros((1, SIDE, SIDE), bool), np.zeros((1, SIDE, SIDE), bool)
    point[0, 10, 10] = other[0, 13, 14] = True
    assert pisa.chamfer(point, other)[0] * unit == pytest.approx(5.0)
    vanished = np.concatenate([a, np.zeros_like(a)])
    truth = np.concatenate([a, a])
    for metric, best, worst in (
        (pisa.centroid_l1_as_coded, 0, 1),
        (pisa.centroid_l2, 0, 1),
        (pisa.chamfer, 0, 1),
        (pisa.iou, 1, 0),
    ):
        values = metric(vanished, truth)
        assert pisa.mean_skipping_missing(values) == best
        assert pisa.mean_punishing_missing(values, worst) == (best + worst) / 2


def test_psnr_and_ssim_agree_with_scikit_image() -> None:
    reference = pytest.importorskip("skimage.metrics")
    rng = np.random.default_rng(1)
    truth = filmed(drop())[:4, :48, 40:88]
    made = np.clip(truth + rng.normal(0, 20, truth.shape), 0, 255).astype(np.uint8)
    assert pictures.psnr(made, truth) == pytest.approx(reference.peak_signal_noise_ratio(truth, made))
    others = [
        reference.structural_similarity(
            t, m, channel_axis=-1, gaussian_weights=True, sigma=1.5, use_sample_covariance=False, data_range=255
        )
        for t, m in zip(truth, made, strict=True)
    ]
    assert pictures.ssim(made, truth) == pytest.approx(float(np.mean(others)), abs=1e-6)
    assert pictures.psnr(truth, truth) == np.inf
    assert pictures.ssim(truth, truth) == pytest.approx(1.0)


def test_frechet_distance_of_gaussians_is_the_closed_form() -> None:
    rng = np.random.default_rng(2)
    a, b = rng.normal(0, 1, (20_000, 3)), rng.normal([1, 0, 2], 2, (20_000, 3))
    assert pictures.frechet(a, b) == pytest.approx(1 + 4 + 3 * (2 - 1) ** 2, rel=0.05)
    assert pictures.frechet(a, a) == pytest.approx(0.0, abs=1e-6)
    truth = np.stack([filmed(drop(shift=s))[:, ::4, ::4] for s in range(-10, 10)])
    near = np.stack([filmed(drop(shift=s + 1.0))[:, ::4, ::4] for s in range(-10, 10)])
    far = np.stack([filmed(drop(4.0, s))[:, ::4, ::4] for s in range(-10, 10)])
    base = pictures.cosine_features(truth)
    distances = [pictures.frechet(pictures.cosine_features(films), base) for films in (near, far)]
    assert distances[0] < distances[1]


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")
def test_networks_of_others_are_plugged_in_by_their_weights(tmp_path: Path) -> None:
    class Mean(torch.nn.Module):
        def forward(self, films: torch.Tensor) -> torch.Tensor:
            return films.mean((2, 3, 4))

    class Apart(torch.nn.Module):
        def forward(self, a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
            return (a - b).abs().mean((1, 2, 3))

    torch.jit.script(Mean()).save(tmp_path / "fvd.pt")
    torch.jit.script(Apart()).save(tmp_path / "lpips.pt")
    films = np.stack([filmed(drop()), filmed(drop(4.0))])
    assert pictures.features_from(tmp_path / "fvd.pt")(films).shape == (2, 3)
    assert pictures.lpips(films[0], films[0], tmp_path / "lpips.pt") == 0.0
    assert pictures.lpips(films[0], films[1], tmp_path / "lpips.pt") > 0.0
    with pytest.raises(BadInputError, match=r"none\.pt: no weights"):
        pictures.features_from(tmp_path / "none.pt")
    (tmp_path / "bad.pt").write_bytes(b"no network")
    with pytest.raises(BadInputError, match=r"bad\.pt: not a TorchScript"):
        pictures.features_from(tmp_path / "bad.pt")


def test_preference_is_the_share_of_pairs_got_wrong() -> None:
    assert pictures.preference_error(np.array([1.0, 2, 3, 4]), np.array([2.0, 1, 3, 5])) == (1 + 0.5) / 4
    losses = PAIRS.normal(0, 1, (2, 20_000))
    assert pictures.preference_error(losses[0], losses[1]) == pytest.approx(0.5, abs=0.02)
