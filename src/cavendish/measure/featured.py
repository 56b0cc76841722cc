"""Tracks and laws of a model without pixels: a probe, linear or curved, taught on true films alone, reads metres.

From the features f of each frame, x and y of every body and its radius r are read by ridge regression on the frames
in which all bodies are in view, and whether they are (1 or 0) on all frames:
    (x, y, r) = W f + w,   in view where  v f + u > 1/2      (`readout.probe`: its penalty by halves of the clips).
On clips that the probe has not seen stand R^2, the share of the places' variance that it explains, and its rms error,
the ruler's own; the law is read with that error as noise. What no linear probe finds cannot be judged this way, and
a ruler whose error bends with the place may bend a law: R^2 belongs beside every law that is read so.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Protocol, final, runtime_checkable

import numpy as np
from jaxtyping import Bool, Float
from torch import Tensor

from cavendish.data import Split
from cavendish.errors import BadInputError
from cavendish.measure.discovery import NOT_COMPARED, Discovery, discover
from cavendish.motion import Metres, Trajectory
from cavendish.readout.probe import CurvedProbe, Probe, choose_probe
from cavendish.readout.reader import differentiate
from cavendish.scenes import Scene
from cavendish.scenes.looks import in_view
from cavendish.video import Clip

BATCH, FRESH = 64, 4  # clips encoded at a time; every fourth one judges
CLEAR = 0.98  # R^2 below which a ruler bends too much to print a law


@runtime_checkable
class Encoder(Protocol):
    """Anything that has features of frames; every world model has."""

    def encode(self, clip: Clip) -> Float[Tensor, "b t k"]:
        """Return features of each frame that depend on no later frame."""


@final
@dataclass(frozen=True)
class FeatureReader:
    """Reads places and sizes out of features, and knows how well."""

    places: Probe | CurvedProbe
    presence: Probe | CurvedProbe
    bodies: int
    explained: float  # R^2 of places on fresh clips
    error: Metres  # rms of one coordinate there

    def read(self, features: Float[np.ndarray, "b t k"], time: Float[np.ndarray, " t"]) -> Trajectory:
        """Turn features into tracks; where the bodies do not seem to be in view they are lost."""
        found = self.places.read(features)
        shown = self.presence.read(features)[..., None] > 0.5
        values = np.where(
            shown, found.reshape(*found.shape[:2], self.bodies, 3).transpose(3, 0, 1, 2)[..., None], np.nan
        )
        position = np.concatenate([values[0], values[1]], -1)
        confidence = np.isfinite(position[..., 0]).astype(float)
        velocity = differentiate(position, time)
        return Trajectory(time, position, velocity, values[2, ..., 0], confidence, np.zeros((len(position), 0)))


Chooser = Callable[
    [Float[np.ndarray, "b t k"], Float[np.ndarray, "b t q"], Bool[np.ndarray, "b t"]], Probe | CurvedProbe
]


def learn_to_read(split: Split, model: Encoder, clips: int, choose: Chooser = choose_probe) -> FeatureReader:
    """Teach a probe on true clips of a split, the taught region's, three of four; judge it on the fourth."""
    if clips < 2 * FRESH:
        raise BadInputError(f"clips = {clips}, expected at least {2 * FRESH} to teach a probe and to judge it")
    parts = list(_encoded(split, model, clips))
    features, target, shown = (np.concatenate([part[k] for part in parts]) for k in range(3))
    fresh = np.arange(clips) % FRESH == FRESH - 1
    places = choose(features[~fresh], target[~fresh], shown[~fresh])
    presence = choose(features[~fresh], shown[~fresh, :, None].astype(float), np.ones_like(shown[~fresh]))
    told = shown[fresh]
    where = np.arange(target.shape[-1]) % 3 < 2  # x and y
    miss = (places.read(features[fresh][told]) - target[fresh][told])[:, where]
    variance = target[fresh][told][:, where].var(0).mean()
    square = float((miss**2).mean())
    return FeatureReader(places, presence, split.scene.bodies, 1 - square / float(variance), square**0.5)


def discover_in_features(
    split: Split, reader: FeatureReader, features: Float[np.ndarray, "b t k"], time: Float[np.ndarray, " t"]
) -> Discovery:
    """Read the law off what a model imagined in features, with the probe's own error as the ruler's."""
    return discover_through(reader, split.scene, reader.read(features, time))


def discover_through(reader: FeatureReader, scene: Scene, tracks: Trajectory) -> Discovery:
    """Read the law off tracks that a probe has told; none where it explains too little."""
    if reader.explained < CLEAR:
        why = f"not looked for: the probe explains R^2 = {reader.explained:.3f} of the places, expected {CLEAR:g}"
        said, nan = scene.law.readable(), float("nan")
        return Discovery(why, said, (), NOT_COMPARED, nan, reader.error, len(tracks.position), nan)
    return discover(scene, tracks, reader.error)


def _encoded(
    split: Split, model: Encoder, clips: int
) -> Iterator[tuple[Float[np.ndarray, "b t k"], Float[np.ndarray, "b t q"], Bool[np.ndarray, "b t"]]]:
    for start in range(0, clips, BATCH):
        clip = split.clips(np.arange(start, min(start + BATCH, clips)))
        truth = clip.truth
        target = np.concatenate([truth.position, truth.radius[..., None]], -1)
        shown = np.asarray(in_view(split.scene.draw(truth)).all(-1))
        yield model.encode(clip).double().cpu().numpy(), target.reshape(*target.shape[:2], -1), shown
