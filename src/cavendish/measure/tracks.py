"""Tracks in the coordinates of a law, cut into stretches of free flight, smoothed, and the jitter they carry.

The unknown functions of the scene's law name its coordinates q: x and y of every body, s up a slope, the angle
theta of a rod, displacements u1 and u2. A stretch is a run of frames, after the given ones, in which the body is
found, in view and touching nothing. Its jitter is read off sixth differences, which forget every smooth motion:
    sigma = median |D^6 q| / (0.6745 sqrt(C(12, 6))),     Var D^6 (white noise) = C(12, 6) sigma^2.
Smoothing: local polynomials (Savitzky and Golay 1964), here of degree 4 over 7 frames.
"""

import math
import re
import warnings
from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Bool, Float, Int
from scipy.ndimage import uniform_filter1d
from scipy.signal import savgol_filter

from cavendish.errors import BadInputError
from cavendish.motion import Metres, Seconds, Trajectory
from cavendish.scenes import Scene
from cavendish.scenes.looks import in_view

CARTESIAN = ("x", "y")
CHARTS = (CARTESIAN, ("s",), ("theta",), ("u1", "u2"))
SHORTEST = 6  # frames of a stretch
WINDOW, DEGREE = 7, 4
EDGE = 0.02  # m; how far a body may seem to stick out of the frame by the reader's error


@dataclass(frozen=True)
class Stretches:
    """Pieces of free flight, padded with NaN to one length."""

    names: tuple[str, ...]  # of the coordinates, as the law writes them
    place: Float[np.ndarray, "s t q"]
    given: Mapping[str, Float[np.ndarray, " s"]]  # masses and lengths of each piece
    metres: Float[np.ndarray, " s"]  # in one unit of the coordinates
    clip: Int[np.ndarray, " s"]
    unit: Int[np.ndarray, " s"]  # which body
    first: Int[np.ndarray, " s"]  # frame
    step: Seconds

    def of(self, which: Bool[np.ndarray, " s"]) -> "Stretches":
        """Keep some of the pieces."""
        given = {name: value[which] for name, value in self.given.items()}
        metres, clip, unit, first = (part[which] for part in (self.metres, self.clip, self.unit, self.first))
        return Stretches(self.names, self.place[which], given, metres, clip, unit, first, self.step)

    def smooth(self, order: int) -> Float[np.ndarray, "s t q"]:
        """Return the smoothed coordinates or their first or second derivative in time."""
        out = np.full(self.place.shape, np.nan)
        lengths = np.isfinite(self.place[:, :, 0]).sum(1)
        for length in np.unique(lengths).tolist():
            window = min(WINDOW, length - 1 + length % 2)
            alike = self.place[lengths == length, :length]
            smoothed = savgol_filter(alike, window, min(DEGREE, window - 1), order, self.step, axis=1)
            out[lengths == length, :length] = smoothed
        return out

    def jitter(self) -> Metres:
        """Return the noise of one reading; NaN without seven frames in a row."""
        sixth = np.diff(self.place, n=6, axis=1) * self.metres[:, None, None]
        sixth = np.abs(sixth[np.isfinite(sixth)])
        return float(np.median(sixth)) / (0.6745 * math.sqrt(math.comb(12, 6))) if sixth.size else math.nan


def law_names(scene: Scene) -> tuple[str, ...]:
    """Return the functions of time whose second derivative the law gives; x and y where it gives none."""
    found = [name for e in scene.law.equations for name in re.findall(r"Derivative\((\w+)\(t\), t, t\)", e)]
    return tuple(dict.fromkeys(found)) or CARTESIAN


def coordinate_names(scene: Scene) -> tuple[str, ...]:
    """Return the coordinates in which tracks are read: the law's own where they are known, else x and y."""
    names = law_names(scene)
    known = names in CHARTS and (names != ("s",) or "slope" in scene.constants())
    return names if known else CARTESIAN


def masses(scene: Scene, moving: Trajectory) -> Float[np.ndarray, "b n"]:
    """Return density pi r^2 with the median radius over the frames in which the body was found."""
    return np.asarray(scene.constants().get("density", 1.0) * np.pi * typical(moving.radius) ** 2)


def typical(values: Float[np.ndarray, "b t n"]) -> Float[np.ndarray, "b n"]:
    """Return medians over time that leave NaN aside; NaN where there is nothing else."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        return np.asarray(np.nanmedian(values, axis=1))


def stretches(scene: Scene, names: tuple[str, ...], moving: Trajectory, free: Bool[np.ndarray, "b t n"]) -> Stretches:
    """Cut tracks into stretches where they are free."""
    steps = np.diff(moving.time)
    if len(steps) < SHORTEST or np.ptp(steps) > 1e-3 * steps.mean():
        raise BadInputError(f"a law is read from at least {SHORTEST + 1} frames at one rate, got {len(moving.time)}")
    place, given, metres, whole = _coordinates(scene, names, moving)
    found = free.all(-1, keepdims=True) if whole else free
    found = found & np.isfinite(place).all(-1)
    pieces = [
        (b, n, int(run[0]), len(run))
        for b, n in np.ndindex(found.shape[0], found.shape[2])
        for run in _runs(np.flatnonzero(found[b, :, n]))
        if len(run) >= SHORTEST
    ]
    b, n, first, length = np.array(pieces, int).reshape(-1, 4).T
    cut = np.full((len(pieces), int(length.max(initial=SHORTEST)), len(names)), np.nan)
    for k, (i, j, start, count) in enumerate(pieces):
        cut[k, :count] = place[i, start : start + count, j]
    each = {name: value[b, n] for name, value in given.items()}
    return Stretches(names, cut, each, metres[b, n], b, n, first, float(steps.mean()))


def in_flight(
    scene: Scene, moving: Trajectory, touched: list[tuple[int, int, tuple[int, int]]]
) -> Bool[np.ndarray, "b t n"]:
    """Mark imagined frames in which a body is wholly in view and no touch (clip, frame, bodies) is going on."""
    free = in_view(scene.draw(_steadied(moving)), -EDGE) & ~moving.lost
    free[:, : scene.context] = False
    for clip, frame, bodies in touched:
        for body in bodies:
            if body >= 0:
                free[clip, frame, body] = False
    return np.asarray(free)


def _steadied(moving: Trajectory) -> Trajectory:
    """Average places over five frames, lest a frame at the rim be kept or left out by its own reading error."""
    found = ~moving.lost[..., None]
    total = uniform_filter1d(np.where(found, moving.position, 0.0), 5, axis=1)
    share = uniform_filter1d(found.astype(float), 5, axis=1)
    return replace(moving, position=np.where(share > 0, total / np.maximum(share, 0.1), np.nan))


def _runs(frames: Int[np.ndarray, " k"]) -> list[Int[np.ndarray, " run"]]:
    return [run for run in np.split(frames, np.flatnonzero(np.diff(frames) > 1) + 1) if len(run)]


def _coordinates(
    scene: Scene, names: tuple[str, ...], moving: Trajectory
) -> tuple[Float[np.ndarray, "b t n q"], dict[str, Float[np.ndarray, "b n"]], Float[np.ndarray, "b n"], bool]:
    """Return coordinates, what is given beside them, metres per unit, and whether they span all bodies at once."""
    x, mass = moving.position, masses(scene, moving)
    middle = np.array([scene.world.width, scene.world.height]) / 2
    constants = scene.constants()
    if names == ("s",):
        up = np.array([math.cos(constants["slope"]), math.sin(constants["slope"])])
        return (x @ up)[..., None], {"m": mass}, np.ones_like(mass), False
    if names == ("theta",):
        arm = x - middle
        length = typical(np.linalg.norm(arm, axis=-1))
        angle = np.unwrap(np.nan_to_num(np.arctan2(arm[..., 0], -arm[..., 1])), axis=1)
        angle[moving.lost] = np.nan
        return angle[..., None], {"m": mass, "L": length}, length, False
    if names == ("u1", "u2"):
        rest = scene.world.width * np.arange(1, 3) / 3
        given = {"m1": mass[:, :1], "m2": mass[:, 1:]}
        return (x[..., 0] - rest)[:, :, None], given, np.ones((len(x), 1)), True
    if any("r(t)" in equation for equation in scene.law.equations):
        x = x - middle
    return x, {"m": mass}, np.ones_like(mass), False
