"""Physics-IQ (Motamed et al., arXiv 2501.09038) and Physics-IQ Verified (arXiv 2606.18943), from their formulas.

Motion masks at a quarter of the size: grey, 5 x 5 Gaussian blur, |frame - running mean (rate 0.3)| > 10 bytes,
5 x 5 opening and closing; the first mask is empty. With masks M, W of two films
    spatial IoU         |max_t M & max_t W| / |max_t M | max_t W|                    where
    spatiotemporal IoU  mean_t |M_t & W_t| / |M_t | W_t|, 1 where both are empty     where and when
    weighted IoU        sum min(mean_t M, mean_t W) / sum max(...)                   where and how much
    MSE                 of frames in [0, 1]
Original   100 clip(1/3 sum_k mean(IoU_k) / mean(IoU_k of two real takes) - (mean MSE - mean MSE of two real takes))
Verified   100 mean over samples of 1/4 (sum_k clip(IoU_k / IoU_k of two real takes) + clip(MSE of takes / MSE))
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, UInt8
from scipy import ndimage

RATE, THRESHOLD, SHRINK = 0.3, 10.0, 4
SIGMA, REACH = 1.1, 2  # what a 5 x 5 Gaussian kernel means in the image library that they use
GREY = np.array([0.299, 0.587, 0.114])
Masks = Bool[np.ndarray, "t h w"]


@dataclass(frozen=True)
class Comparison:
    """How two films differ."""

    spatial: float
    spatiotemporal: float
    weighted: float
    mse: float

    @property
    def overlaps(self) -> Float[np.ndarray, "3"]:
        """Return the three IoUs."""
        return np.array([self.spatial, self.spatiotemporal, self.weighted])


def motion_masks(frames: UInt8[np.ndarray, "t h w c"]) -> Masks:
    """Mark what moves."""
    h, w = (side // SHRINK * SHRINK for side in frames.shape[1:3])
    grey = frames[:, :h, :w].astype(float) @ GREY
    small = grey.reshape(len(grey), h // SHRINK, SHRINK, w // SHRINK, SHRINK).mean((2, 4))
    smooth = ndimage.gaussian_filter(small, (0, SIGMA, SIGMA), radius=(0, REACH, REACH))
    masks, mean, square = np.zeros(small.shape, bool), smooth[0], np.ones((5, 5), bool)
    for k in range(1, len(smooth)):
        moving = np.abs(smooth[k] - mean) > THRESHOLD
        masks[k] = ndimage.binary_closing(ndimage.binary_opening(moving, square), square)
        mean = (1 - RATE) * mean + RATE * smooth[k]
    return masks


def spatiotemporal_iou(one: Masks, other: Masks) -> float:
    """Compare where something moved, frame by frame."""
    return float(np.mean([_iou(a, b) for a, b in zip(one, other, strict=True)]))


def weighted_iou(one: Masks, other: Masks) -> float:
    """Compare where and for how long something moved."""
    a, b = one.mean(0), other.mean(0)
    most = np.maximum(a, b).sum()
    return float(np.minimum(a, b).sum() / most) if most > 0 else 1.0


def compare(one: UInt8[np.ndarray, "t h w c"], other: UInt8[np.ndarray, "t h w c"]) -> Comparison:
    """Compare two films of one shape."""
    a, b = motion_masks(one), motion_masks(other)
    mse = float(((one / 255.0 - other / 255.0) ** 2).mean())
    return Comparison(_iou(a.max(0), b.max(0)), spatiotemporal_iou(a, b), weighted_iou(a, b), mse)


def original_score(made: list[Comparison], takes: list[Comparison]) -> float:
    """Return the published score: ratios of means over all samples; `takes` compares two takes of reality."""
    ratio = np.mean([m.overlaps for m in made], axis=0) / np.mean([t.overlaps for t in takes], axis=0)
    excess = np.mean([m.mse for m in made]) - np.mean([t.mse for t in takes])
    return 100 * float(np.clip(ratio.mean() - excess, 0, 1))


def verified_score(made: list[Comparison], takes: list[Comparison]) -> float:
    """Return the audited score: means of ratios, each sample and part between 0 and 1."""
    parts = []
    for m, t in zip(made, takes, strict=True):
        overlaps = np.clip(m.overlaps / np.maximum(t.overlaps, 1e-12), 0, 1)
        error = 1.0 if m.mse <= t.mse else t.mse / m.mse
        parts.append((overlaps.sum() + error) / 4)
    return 100 * float(np.mean(parts))


def _iou(a: Bool[np.ndarray, "h w"], b: Bool[np.ndarray, "h w"]) -> float:
    union = (a | b).sum()
    return float((a & b).sum() / union) if union > 0 else 1.0
