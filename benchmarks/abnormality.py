"""How well does the abnormality detector find planted faults, how rarely does it cry wolf? Writes docs/abnormality.md.

True films of the combinatorial worlds calibrate the limits; fresh true films give the false alarms; films with one
fault each, planted in what is drawn or by a push in the engine, give the power by kind and size. All films are
128 px with sensor noise of 10/255, read by the reader. Seeds of the three sets differ.
    python benchmarks/abnormality.py [films per fault and size, default 60]
"""

import sys
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from multiprocessing import get_context
from pathlib import Path

import numpy as np

from cavendish.data import Picture, Split
from cavendish.measure.abnormality import SIGNS, Room, Signs, alarms, limits, signs
from cavendish.motion import Drawing, Trajectory
from cavendish.readout import Reader
from cavendish.render import render
from cavendish.scenes import Combinatorial
from cavendish.scenes.layouts import PIECES, WALL

SCENE, SIDE, NOISE, BATCH = Combinatorial(), 128, 10.0, 10
FIXED = np.array([piece.fixed for piece in PIECES])
ROOM = Room(SCENE.gravity, FIXED, (WALL, WALL, SCENE.world.width - WALL, SCENE.world.height - WALL), SCENE.context)
CALIBRATION, FRESH = 500, 1000
SIZES: dict[str, tuple[str, tuple[float, ...]]] = {
    "vanish": ("frames", (1, 2, 3, 5, 8)),
    "appear": ("frames", (1, 2, 4, 6, 10)),
    "teleport": ("m", (0.3, 0.6, 0.9, 1.2, 1.8)),
    "split": ("m apart", (0.3, 0.6, 0.9, 1.2, 1.8)),
    "pass through": ("m deep", (0.05, 0.1, 0.15, 0.2, 0.3)),
    "energy gain": ("m/s thrown", (0.5, 1, 2, 3, 5)),
    "hover": ("of weight", (0.1, 0.2, 0.4, 0.7, 1.0)),
}


def film_and_read(drawing: Drawing, as_drawn: Drawing, rng: np.random.Generator) -> Trajectory:
    """Film what is drawn, add noise, and read what the reader expects."""
    frames = render(drawing, SIDE, SIDE)
    noisy = frames + NOISE * rng.standard_normal(frames.shape, dtype=np.float32)
    return Reader.of(as_drawn).read(np.clip(np.rint(noisy), 0, 255).astype(np.uint8), SCENE.clock())


def true_signs(batch: int, seed: int) -> Signs:
    """Measure the signs of a batch of true films."""
    truth = Split(SCENE, seed=seed, size=10**9, picture=Picture(SIDE, SIDE)).trajectories(_numbers(batch))
    drawing = SCENE.draw(truth)
    return signs(drawing, film_and_read(drawing, drawing, np.random.default_rng([seed, batch])), ROOM)


def faulty_signs(batch: int, kind: str, size: float) -> Signs:
    """Measure the signs of a batch of films with one fault each."""
    rng = np.random.default_rng([3, batch, sorted(SIZES).index(kind), int(1000 * size)])
    split = Split(SCENE, seed=3, size=10**9, picture=Picture(SIDE, SIDE))
    drawings = []
    while len(drawings) < BATCH:
        truth = split.trajectories(rng.integers(10**9, size=1))
        planted = PLANTS[kind](truth, size, rng)
        if planted is not None:
            drawings.append(planted)
    found = [film_and_read(drawing, _expected(drawing), rng) for drawing in drawings]
    seen = replace(
        found[0],
        **{
            name: np.concatenate([getattr(one, name) for one in found])
            for name in ("position", "velocity", "radius", "confidence", "angle", "factors")
        },
    )
    return signs(_expected(drawings[0]), seen, ROOM)


def _expected(drawing: Drawing) -> Drawing:
    """Return what the reader expects: the scene's own bodies, without a planted second half."""
    n = len(PIECES)
    return replace(
        drawing,
        shape=drawing.shape[:n],
        centre=drawing.centre[..., :n, :],
        extent=drawing.extent[..., :n],
        colour=drawing.colour[:n],
        angle=None if drawing.angle is None else drawing.angle[..., :n],
        outline=None if drawing.outline is None else drawing.outline[:n],
    )


def _numbers(batch: int) -> np.ndarray:
    return np.arange(batch * BATCH, (batch + 1) * BATCH)


def _moving(truth: Trajectory, rng: np.random.Generator) -> int:
    """Choose a body that is there and may move."""
    return int(rng.choice(np.flatnonzero((truth.position[0, 0, :, 0] > 0) & ~FIXED)))


def _gaps(truth: Trajectory, body: int) -> np.ndarray:
    """Return a lower bound of the room around a body in every frame, from circles around all bodies."""
    reach = np.array([np.linalg.norm(p.outline, axis=-1).max() if p.outline is not None else 1.0 for p in PIECES])
    far = np.linalg.norm(truth.position[0] - truth.position[0, :, body : body + 1], axis=-1)
    gap = far - (reach * truth.radius[0])[:, :] - (reach * truth.radius[0])[:, body : body + 1]
    gap[:, body] = np.inf
    low = truth.position[0, :, body] - reach[body] * truth.radius[0, :, body : body + 1] - WALL
    high = 10 - WALL - truth.position[0, :, body] - reach[body] * truth.radius[0, :, body : body + 1]
    return np.minimum(gap.min(-1), np.minimum(low.min(-1), high.min(-1)))


def vanish(truth: Trajectory, size: float, rng: np.random.Generator) -> Drawing | None:
    """Leave a body out for a number of frames."""
    body, first = _moving(truth, rng), int(rng.integers(4, 32 - int(size)))
    place = truth.position.copy()
    place[0, first : first + int(size), body] = np.nan
    return SCENE.draw(replace(truth, position=place))


def appear(truth: Trajectory, size: float, rng: np.random.Generator) -> Drawing | None:
    """Show a body that is not there, at rest in an empty place, for a number of frames."""
    absent = np.flatnonzero(truth.position[0, 0, :, 0] < 0)
    body, first = int(rng.choice(absent)), int(rng.integers(4, 32 - int(size)))
    for _ in range(100):
        shown = replace(truth, position=truth.position.copy())
        shown.position[0, :, body] = rng.uniform(1.0, 9.0, 2)
        if (_gaps(shown, body)[first : first + int(size)] > 0).all():
            shown.position[0, :first, body] = np.nan
            shown.position[0, first + int(size) :, body] = np.nan
            return SCENE.draw(shown)
    return None


def teleport(truth: Trajectory, size: float, rng: np.random.Generator) -> Drawing | None:
    """Put a body elsewhere from one frame to the next, where it goes on as before."""
    body, first = _moving(truth, rng), int(rng.integers(4, 30))
    turn = rng.uniform(0, 2 * np.pi)
    place = truth.position.copy()
    place[0, first:, body] += size * np.array([np.cos(turn), np.sin(turn)])
    inside = (place[0, first:, body] > 0.5) & (place[0, first:, body] < 9.5)
    return SCENE.draw(replace(truth, position=place)) if inside.all() else None


def split_in_two(truth: Trajectory, size: float, rng: np.random.Generator) -> Drawing | None:
    """Let a body break into halves that part until they are some way apart."""
    body, first = _moving(truth, rng), int(rng.integers(4, 26))
    drawing = SCENE.draw(truth)
    centre, extent = drawing.centre.copy(), drawing.extent.copy()
    extent[0, first:, body] /= np.sqrt(2)
    second = np.where(np.arange(32)[:, None] >= first, centre[0, :, body], np.nan)
    turn, ramp = rng.uniform(0, np.pi), np.clip((np.arange(32) - first + 1) / 3, 0, 1)[:, None]
    away = 0.5 * size * ramp * np.array([np.cos(turn), np.sin(turn)])
    centre[0, :, body] += away
    assert drawing.angle is not None
    assert drawing.outline is not None
    return replace(
        drawing,
        shape=np.append(drawing.shape, drawing.shape[body]),
        centre=np.concatenate([centre, (second - away)[None, :, None]], 2),
        extent=np.concatenate([extent, extent[..., body : body + 1]], 2),
        colour=np.concatenate([drawing.colour, drawing.colour[body : body + 1]]),
        angle=np.concatenate([drawing.angle, drawing.angle[..., body : body + 1]], 2),
        outline=np.concatenate([drawing.outline, drawing.outline[body : body + 1]]),
    )


def pass_through(truth: Trajectory, size: float, rng: np.random.Generator) -> Drawing | None:
    """Let a body that lies on the floor or on a wall sink into it, within five frames."""
    body, first = _moving(truth, rng), int(rng.integers(4, 24))
    drawing = SCENE.draw(truth)
    low = truth.position[0, :, body, 1] - truth.radius[0, :, body]
    outline = PIECES[body].outline
    if outline is not None:
        turn = truth.angle[0, :, body, None]
        low = truth.position[0, :, body, 1] + truth.radius[0, :, body] * (
            np.sin(turn) * outline[:, 0] + np.cos(turn) * outline[:, 1]
        ).min(-1)
    if (low[first:] > WALL + 0.02).any():
        return None
    centre = drawing.centre.copy()
    centre[0, :, body, 1] -= size * np.clip((np.arange(32) - first + 1) / 5, 0, 1)
    return replace(drawing, centre=centre)


def energy_gain(truth: Trajectory, size: float, rng: np.random.Generator) -> Drawing | None:
    """Throw a body upwards from nowhere, with more than the speed it had; the engine plays on."""
    body, first = _moving(truth, rng), int(rng.integers(5, 26))
    turn, before = rng.uniform(np.pi / 4, 3 * np.pi / 4), truth.velocity[0, first, body]
    pushes = np.zeros((1, 32, len(PIECES), 2))
    pushes[0, first, body] = np.hypot(size, np.linalg.norm(before)) * np.array([np.cos(turn), np.sin(turn)]) - before
    return SCENE.draw(SCENE.simulate(truth.factors, truth.time, pushes.reshape(1, 32, -1)))


def hover(truth: Trajectory, size: float, rng: np.random.Generator) -> Drawing | None:
    """Take part of its weight from a body that flies freely for six frames or more; the engine plays on."""
    body = _moving(truth, rng)
    flying = np.flatnonzero(_gaps(truth, body) < 0.3)
    last = int(flying[0]) if len(flying) else 32
    if last < 7:
        return None
    pushes = np.zeros((1, 32, len(PIECES), 2))
    pushes[0, :last, body, 1] = size * SCENE.gravity * SCENE.step
    return SCENE.draw(SCENE.simulate(truth.factors, truth.time, pushes.reshape(1, 32, -1)))


PLANTS: dict[str, Callable[[Trajectory, float, np.random.Generator], Drawing | None]] = {
    "vanish": vanish,
    "appear": appear,
    "teleport": teleport,
    "split": split_in_two,
    "pass through": pass_through,
    "energy gain": energy_gain,
    "hover": hover,
}


def gather(parts: list[Signs]) -> Signs:
    """Join batches."""
    return {name: np.concatenate([part[name] for part in parts]) for name in SIGNS}


def main() -> None:
    """Calibrate, test, and write the table."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 60
    with get_context("spawn").Pool(2) as pool:
        calibration = gather(pool.map(partial(true_signs, seed=1), range(CALIBRATION // BATCH), 1))
        limit = limits(calibration)
        print(limit, flush=True)
        lines = ["| fault | size | " + " | ".join(f"{n}" for n in range(1, 6)) + " | found | least found by 90 % |"]
        lines += ["|---|---|" + "---|" * 7]
        for kind, (unit, sizes) in SIZES.items():
            shares, total = [], 0
            for size in sizes:
                parts = pool.map(partial(faulty_signs, kind=kind, size=size), range(count // BATCH), 1)
                raised = alarms(gather(parts), limit)
                found = np.any(list(raised.values()), axis=0)
                total += int(found.sum())
                shares.append((size, found.mean(), raised[kind].mean()))
            least = next((f"{size:g} {unit}" for size, share, _ in shares if share >= 0.9), "none")
            cells = " | ".join(f"{size:g}: {share:.2f} ({named:.2f})" for size, share, named in shares)
            lines.append(f"| {kind} | {unit} | {cells} | {total}/{5 * count} | **{least}** |")
            print(lines[-1], flush=True)
        fresh = gather(pool.map(partial(true_signs, seed=2), range(FRESH // BATCH), 1))
    cried = alarms(fresh, limit)
    false = np.any(list(cried.values()), axis=0)
    lines = [f"False alarms: **{false.sum()} of {FRESH}** fresh true films.", "", *lines, ""]
    rows = [f"| {name} | {unit} | {limit[name]:.3g} | {cried[name].sum()} |" for name, unit in SIGNS.items()]
    head = (__doc__ or "").strip()
    table = ["| sign | unit | limit | false alarms |", "|---|---|---|---|", *rows]
    note = f"Calibrated on {CALIBRATION} true films; {count} films per fault and size. "
    note += "Cells: size: share found (share found as this kind)."
    Path("docs/abnormality.md").write_text(
        "\n".join(["# The abnormality detector", "", head, "", note, "", *lines, *table, ""])
    )
    print("\n".join(lines + table))


if __name__ == "__main__":
    main()
