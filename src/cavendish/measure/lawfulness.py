"""How far imagined motion is from the law, whatever its start: residuals, constants, what is kept, what contacts do.

Every score is a deviation, 0 where imagination obeys the law. Only bodies that pass the gates are judged; a clip
without any has no answer and leaves `n` smaller, so a frozen or vanished ball never looks lawful.
    law residual   rms distance [m] of a clip's free flight from the true law, true constants, best start: it is 0
                   for a right law with a wrong start, which overlap of masks punishes like half the gravity
    g off 2.5      jackknife pseudo-values (see `shooting`) of a constant fitted to all clips, less the true one
    drift of Q     (mean of Q in the second half of a free flight) - (mean in the first), less the truth's own
    jump of Q      (mean of Q after a contact) - (mean before), less the truth's own
Q are the scene's invariants, with velocities smoothed as in `tracks`, and read from the truth in the same way.
"""

from dataclasses import replace

import numpy as np
from jaxtyping import Bool, Float

from cavendish.measure.contacts import Touch, contact_law, contacts, landing_law, landings, overlap, touched, touches
from cavendish.measure.discovery import constant_pull, cut, reference, true_parts, with_constants
from cavendish.measure.dynamics import Structure, fitted
from cavendish.measure.gates import admitted
from cavendish.measure.score import Score, score
from cavendish.measure.shooting import start_free
from cavendish.measure.tracks import CARTESIAN, in_flight, stretches
from cavendish.motion import Metres, Trajectory
from cavendish.scenes import Scene

READER_NOISE: Metres = 1e-3  # no claim of this instrument is finer, though clean video is read to 0.3 mm at 64 px


def law_scores(scene: Scene, truth: Trajectory, imagined: Trajectory, noise: Metres) -> list[Score]:
    """Compare free flight with the true law: residual, the same in units of the reader's noise, and constants."""
    known = reference(scene)
    if known is None:
        return []
    law, fit = known
    kept, _ = admitted(scene, imagined)
    tracks = cut(scene, imagined, kept)
    clips = len(imagined.position)
    rms = np.full(clips, np.nan)
    if len(tracks.clip):
        free = start_free(with_constants(law.structure, tracks, fit.theta), tracks)
        spent = np.isfinite(tracks.place).sum((1, 2)) - free.start.shape[1]
        square, count = np.zeros(clips), np.zeros(clips)
        np.add.at(square, tracks.clip, np.nan_to_num((free.residual**2).sum((1, 2)), nan=np.inf, posinf=np.inf))
        np.add.at(count, tracks.clip, spent)
        rms = np.where((count > 0) & np.isfinite(square), np.sqrt(square / np.maximum(count, 1)), np.nan)
    made = [score("law residual", "m", rms), score("law residual / reader noise", "", rms / noise)]
    names, signs = _constant_names(law.structure, true_parts(law, fit), fit.theta)
    judged = np.unique(tracks.clip)
    own = fitted(law.structure, tracks, fit.theta) if names and len(judged) >= 3 else None
    for k, name in enumerate(names):
        values = np.full(clips, np.nan)
        if own is not None:
            values[judged] = signs[k] * (own.pseudo[:, k] - fit.theta[k])
        made.append(score(name, "", values))
    return made


def invariant_scores(scene: Scene, truth: Trajectory, imagined: Trajectory) -> list[Score]:
    """Ask whether what the law keeps is kept, in flight and, where there are contacts, across them."""
    kept, _ = admitted(scene, imagined)
    own, true = _changes(scene, truth, imagined, kept), _changes(scene, truth, truth, np.ones_like(kept))
    made = []
    for name, (drift, jump) in own.items():
        quantity, unit = name.removesuffix("]").split(" [")
        made.append(score(f"drift of {quantity} in flight", unit, np.abs(drift - true[name][0])))
        if contact_law(scene) and not landing_law(scene):  # after a landing there is no flight
            made.append(score(f"jump of {quantity} at contacts", unit, np.abs(jump - true[name][1])))
    return made


def contact_scores(scene: Scene, truth: Trajectory, imagined: Trajectory) -> list[Score]:
    """Compare what contacts do, how many there are, and how deep bodies sink into each other."""
    known = reference(scene)
    if not contact_law(scene) or known is None:
        return []
    pull = constant_pull(known[0].structure, known[1])
    clips = len(truth.position)
    own, true = touches(scene, imagined, pull), touches(scene, truth, pull)
    made = []
    for quantity in ("restitution", "friction", "momentum"):
        miss = np.abs(_per_clip(own, quantity, clips) - _per_clip(true, quantity, clips))
        name = "momentum handed on" if quantity == "momentum" else quantity
        if any(np.isfinite(getattr(touch, quantity)) for touch in true):
            made.append(score(f"{name} off the truth", "", miss))
    last = len(truth.time) - 3  # later ones are not seen to end
    told = [[c.clip for c in (*contacts(scene, t), *landings(scene, t)) if c.frame <= last] for t in (truth, imagined)]
    counts = [np.bincount(np.array(clip, int), minlength=clips) for clip in told]
    missed = np.where(counts[0] > 0, np.abs(counts[1] - counts[0]) / np.maximum(counts[0], 1), np.nan)
    sunk = np.maximum(overlap(scene, imagined) - overlap(scene, truth), 0.0)[:, scene.context :].max(1)
    deep = _per_clip(own, "depth", clips) - np.nan_to_num(_per_clip(true, "depth", clips))  # between frames too
    sunk = np.fmax(sunk, np.where(np.abs(deep) > READER_NOISE, deep, 0.0))
    return [*made, score("contacts missed or added", "", missed), score("penetration", "m", sunk)]


def _constant_names(
    structure: Structure, parts: dict[tuple[int, object], tuple[str, float]], theta: Float[np.ndarray, " p"]
) -> tuple[list[str], list[float]]:
    """Name what stands before every term as the law does, with the sign that turns its number into that."""
    names, signs = [], []
    for value, term in zip(theta, structure.terms, strict=False):
        row, feature = next((row, part) for row, part in enumerate(term) if part != 0)
        symbol = parts[row, feature][0]
        sign = -1.0 if symbol.startswith("-") else 1.0
        signs.append(sign)
        along = f" along {'xy'[row]}" if len(term) > 1 and not structure.central else ""
        names.append(f"{symbol.removeprefix('-')}{along} off {sign * value:.4g}")
    power = [f"p off {theta[-1]:.4g}"] if structure.central else []
    return names + power, signs + [1.0] * len(power)


def _changes(
    scene: Scene, truth: Trajectory, moving: Trajectory, kept: Bool[np.ndarray, "b n"]
) -> dict[str, tuple[Float[np.ndarray, " b"], Float[np.ndarray, " b"]]]:
    """Return, for every invariant, each clip's mean drift along free flights and mean jump between them."""
    free = in_flight(scene, moving, touched(scene, moving)) & kept[:, None]
    pieces = stretches(scene, CARTESIAN, moving, free)
    velocity = np.full(moving.position.shape, np.nan)
    length = np.isfinite(pieces.place[:, :, 0]).sum(1)
    for b, n, first, count, speed in zip(pieces.clip, pieces.unit, pieces.first, length, pieces.smooth(1), strict=True):
        velocity[b, first : first + count, n] = speed[:count]
    present = free.any(1)
    whole = (np.isfinite(velocity).all(-1) | ~present[:, None]).all(-1) & present.any(-1)[:, None]
    masked = replace(moving, velocity=np.where(present[:, None, :, None], velocity, 0.0), factors=truth.factors)
    masked = replace(masked, position=np.where(present[:, None, :, None], masked.position, 0.0), radius=truth.radius)
    return {name: _drift_and_jump(q, whole) for name, q in scene.invariants(masked).items()}


def _drift_and_jump(
    values: Float[np.ndarray, "b t"], whole: Bool[np.ndarray, "b t"]
) -> tuple[Float[np.ndarray, " b"], Float[np.ndarray, " b"]]:
    drift, jump = np.full(len(values), np.nan), np.full(len(values), np.nan)
    for b, (q, w) in enumerate(zip(values, whole, strict=True)):
        frames = np.flatnonzero(w & np.isfinite(q))
        runs = [run for run in np.split(frames, np.flatnonzero(np.diff(frames) > 1) + 1) if len(run) > 3]
        if runs:
            drift[b] = np.mean([q[run[len(run) // 2 :]].mean() - q[run[: len(run) // 2]].mean() for run in runs])
            means = [q[run].mean() for run in runs]
            jump[b] = np.mean(np.diff(means)) if len(means) > 1 else np.nan
    return drift, jump


def _per_clip(found: list[Touch], quantity: str, clips: int) -> Float[np.ndarray, " b"]:
    total, count = np.zeros(clips), np.zeros(clips)
    for touch in found:
        value = getattr(touch, quantity)
        if np.isfinite(value):
            total[touch.clip] += value
            count[touch.clip] += 1
    return np.where(count > 0, total / np.maximum(count, 1), np.nan)
