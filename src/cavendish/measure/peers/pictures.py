"""How alike pictures are, and sets of pictures: what most leaderboards print, and what no law can be read from.

    PSNR     10 log10(255^2 / MSE)
    SSIM     mean of (2 m n + c1)(2 s_mn + c2) / ((m^2 + n^2 + c1)(s_m^2 + s_n^2 + c2)), Gaussian windows of 1.5 px,
             c1 = (0.01 * 255)^2, c2 = (0.03 * 255)^2, per colour (Wang et al. 2004)
    Frechet  |mu - nu|^2 + tr(A + B - 2 (A B)^(1/2)) of means and covariances of features (Dowson and Landau 1982)
Our features are the lowest 4 x 4 x 4 cosine waves of a grey film: no weights, no network, so the number is *not* FVD.
FVD and LPIPS need their authors' networks: hand a TorchScript file of one that you trust. Preference (LikePhys, arXiv
2510.11512) is the share of pairs in which a model finds the impossible film likelier than the possible one.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Shaped, UInt8
from scipy.fft import dctn
from scipy.ndimage import gaussian_filter

from cavendish.errors import BadInputError

WAVES = 4
WINDOW, REACH = 1.5, 5  # px
C1, C2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
Films = UInt8[np.ndarray, "b t h w c"]


def psnr(made: Shaped[np.ndarray, "..."], true: Shaped[np.ndarray, "..."]) -> float:
    """Peak signal-to-noise ratio in decibels; infinite for equal pictures."""
    mse = float(((made.astype(float) - true.astype(float)) ** 2).mean())
    return 10 * float(np.log10(255**2 / mse)) if mse > 0 else float("inf")


def ssim(made: UInt8[np.ndarray, "t h w c"], true: UInt8[np.ndarray, "t h w c"]) -> float:
    """Structural similarity, averaged over pixels (5 px from the edge on), colours and frames."""

    def blur(values: Float[np.ndarray, "t h w c"]) -> Float[np.ndarray, "t h w c"]:
        return np.asarray(gaussian_filter(values, (0, WINDOW, WINDOW, 0), radius=(0, REACH, REACH, 0)))

    a, b = made.astype(float), true.astype(float)
    m, n = blur(a), blur(b)
    va, vb, cov = blur(a * a) - m * m, blur(b * b) - n * n, blur(a * b) - m * n
    values = (2 * m * n + C1) * (2 * cov + C2) / ((m * m + n * n + C1) * (va + vb + C2))
    return float(values[:, REACH:-REACH, REACH:-REACH].mean())


def frechet(made: Float[np.ndarray, "b k"], true: Float[np.ndarray, "i k"]) -> float:
    """Frechet distance of two sets of features, squared as is the custom."""
    shift = ((made.mean(0) - true.mean(0)) ** 2).sum()
    a, b = np.cov(made, rowvar=False), np.cov(true, rowvar=False)
    roots = np.sqrt(np.clip(np.linalg.eigvals(np.atleast_2d(a @ b)).real, 0, None))
    return float(shift + np.trace(np.atleast_2d(a)) + np.trace(np.atleast_2d(b)) - 2 * roots.sum())


def cosine_features(films: Films) -> Float[np.ndarray, "b k"]:
    """Our own features: the lowest cosine waves in time and space."""
    grey = films.astype(float).mean(-1) / 255
    waves = dctn(grey, axes=(1, 2, 3), norm="ortho") / np.sqrt(np.prod(grey.shape[1:]))
    return np.asarray(waves[:, :WAVES, :WAVES, :WAVES].reshape(len(films), -1))


def features_from(weights: Path) -> Callable[[Films], Float[np.ndarray, "b k"]]:
    """Return FVD's feature extractor from its TorchScript file: films in [-1, 1], b c t h w, to b k."""
    network = _network(weights)

    def extract(films: Films) -> Float[np.ndarray, "b k"]:
        with torch.no_grad():
            scaled = torch.from_numpy(films).float().permute(0, 4, 1, 2, 3) / 127.5 - 1
            return np.asarray(network(scaled).double().numpy())

    return extract


def lpips(made: UInt8[np.ndarray, "t h w c"], true: UInt8[np.ndarray, "t h w c"], weights: Path) -> float:
    """Return the learnt perceptual distance of a TorchScript network: two batches in [-1, 1], b c h w, to b."""
    network = _network(weights)
    with torch.no_grad():
        a, b = (torch.from_numpy(film).float().permute(0, 3, 1, 2) / 127.5 - 1 for film in (made, true))
        return float(network(a, b).mean())


def preference_error(possible: Float[np.ndarray, " p"], impossible: Float[np.ndarray, " p"]) -> float:
    """Share of pairs in which the possible film costs a model more; a tie counts half (chance is 0.5)."""
    return float(((possible > impossible) + 0.5 * (possible == impossible)).mean())


def _network(weights: Path) -> Any:
    if not weights.is_file():
        raise BadInputError(f"{weights}: no weights here; hand a TorchScript file of the authors' network")
    try:
        loader: Any = torch.jit.load
        return loader(str(weights), map_location="cpu").eval()
    except RuntimeError as error:
        raise BadInputError(f"{weights}: not a TorchScript file ({str(error).splitlines()[0]})") from error
