"""How well does the abnormality detector find planted faults, how rarely does it cry wolf? Writes docs/abnormality.md.

True films of the combinatorial worlds calibrate the limits; fresh true films give the false alarms; films with one
fault each, planted in what is drawn or by a push in the engine, give the power by kind and size. All films are
128 px with sensor noise of 10/255, read by the reader. Seeds of the three sets differ from each other and from those
of the films on which the signs were developed. The five sizes of a fault start at about the smallest that is found by
90 %; a smaller sixth, below this floor, shows where the detector fails and is not counted.

    python benchmarks/abnormality.py            reads what is not read yet, measures, writes the page
    python benchmarks/abnormality.py read K N   reads every N-th part from the K-th, so that N processes share the work
    python benchmarks/abnormality.py write      writes the page from what is read so far, and how much that is
"""

import os
import sys
from collections.abc import Callable
from dataclasses import replace
from functools import cache
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
READINGS = Path("runs/abnormality")
CALIBRATION, FRESH, FAULTS = (41, 1000), (42, 1000), (43, 60)  # seed, and number of films (per fault and size)
BELOW = (43, 20)
SIZES: dict[str, tuple[str, tuple[float, ...], tuple[float, ...]]] = {  # unit, the five that count, below the floor
    "vanish": ("frames", (2, 3, 4, 6, 10), (1,)),
    "appear": ("frames", (2, 3, 4, 6, 10), (1,)),
    "teleport": ("m", (0.3, 0.45, 0.6, 0.9, 1.2), (0.15,)),
    "split": ("m apart", (0.6, 0.9, 1.2, 1.5, 1.8), (0.3,)),
    "pass through": ("m deep", (0.05, 0.1, 0.15, 0.2, 0.3), (0.025,)),
    "energy gain": ("m/s thrown", (3, 4, 5, 6, 8), (2,)),
    "hover": ("of weight", (0.05, 0.1, 0.2, 0.4, 1.0), (0.025,)),
}
READ = ("position", "radius", "confidence", "angle")
Part = tuple[str, float, int, int]  # kind of fault or "true", size, seed, batch


def film_and_read(drawing: Drawing, as_drawn: Drawing, rng: np.random.Generator) -> Trajectory:
    """Film what is drawn, add noise, and read what the reader expects."""
    frames = render(drawing, SIDE, SIDE)
    noisy = frames + NOISE * rng.standard_normal(frames.shape, dtype=np.float32)
    return Reader.of(as_drawn).read(np.clip(np.rint(noisy), 0, 255).astype(np.uint8), SCENE.clock())


def read(part: Part) -> None:
    """Read a batch of films and store what was read, unless that has been done."""
    kind, size, seed, batch = part
    if _file(part).exists():
        return
    split = Split(SCENE, seed=seed, size=10**9, picture=Picture(SIDE, SIDE))
    rng = np.random.default_rng([seed, batch, ["true", *SIZES].index(kind), int(1000 * size)])
    found: list[Trajectory] = []
    while len(found) < BATCH:
        truth = split.trajectories(
            np.array([batch * BATCH + len(found)]) if kind == "true" else rng.integers(10**9, size=1)
        )
        drawing = SCENE.draw(truth) if kind == "true" else PLANTS[kind](truth, size, rng)
        if drawing is not None:
            found.append(film_and_read(drawing, _expected(drawing), rng))
    READINGS.mkdir(parents=True, exist_ok=True)
    unfinished = READINGS / f"unfinished-{os.getpid()}.npz"
    read_out = {name: np.concatenate([getattr(one, name) for one in found]).astype(np.float32) for name in READ}
    np.savez_compressed(unfinished, **read_out)
    unfinished.rename(_file(part))


@cache
def looks() -> Drawing:
    """Return shapes and screens, the same in all films."""
    return SCENE.draw(Split(SCENE, size=1).trajectories(np.array([0])))


def _file(part: Part) -> Path:
    return READINGS / ("-".join(map(str, part)).replace(" ", "_") + ".npz")


def signs_of(part: Part) -> Signs:
    """Measure the signs in stored readings."""
    with np.load(_file(part)) as stored:
        found = {name: stored[name].astype(float) for name in READ}
    blank, time = np.zeros((BATCH, 0)), SCENE.clock()
    return signs(
        looks(), Trajectory(time=time, velocity=np.zeros_like(found["position"]), factors=blank, **found), ROOM
    )


def parts_of(kind: str, size: float, seed: int, films: int) -> list[Part]:
    """List the batches of one kind of film."""
    return [(kind, size, seed, batch) for batch in range(films // BATCH)]


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
    """Throw a body upwards from nowhere, with more than the speed it had; the engine plays on.

    In the next frame the body itself must have half of the gain more than it ever had in the two tenths of a second
    before: a throw that a contact swallows at once, or that gives back what an impact just took, is none.
    """
    body, first = _moving(truth, rng), int(rng.integers(5, 26))
    turn, before = rng.uniform(np.pi / 4, 3 * np.pi / 4), truth.velocity[0, first, body]
    pushes = np.zeros((1, 32, len(PIECES), 2))
    pushes[0, first, body] = np.hypot(size, np.linalg.norm(before)) * np.array([np.cos(turn), np.sin(turn)]) - before
    played = SCENE.simulate(truth.factors, truth.time, pushes.reshape(1, 32, -1))
    energy, had = (
        0.5 * (film.velocity[0, :, body] ** 2).sum(-1) + SCENE.gravity * film.position[0, :, body, 1]
        for film in (played, truth)
    )
    return SCENE.draw(played) if energy[first + 1] - had[first - 2 : first + 1].max() > 0.25 * size**2 else None


def hover(truth: Trajectory, size: float, rng: np.random.Generator) -> Drawing | None:
    """Take part of its weight from a body that flies freely for six frames or more; the engine plays on."""
    body = _moving(truth, rng)
    flying = np.flatnonzero(_gaps(truth, body) < 0.3)
    last = int(flying[0]) if len(flying) else 32
    if last < 7:
        return None
    pushes = np.zeros((1, 32, len(PIECES), 2))
    pushes[0, :last, body, 1] = size * SCENE.gravity * SCENE.step
    played = SCENE.simulate(truth.factors, truth.time, pushes.reshape(1, 32, -1))
    return SCENE.draw(played) if (_gaps(played, body)[:7] > 0.3).all() else None


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


def plan() -> list[Part]:
    """List all that has to be read, in such an order that any beginning of the list holds like shares of all kinds."""
    kinds = [("true", 0.0, *CALIBRATION), ("true", 0.0, *FRESH)]
    kinds += [(kind, size, *FAULTS) for kind in SIZES for size in SIZES[kind][1]]
    kinds += [(kind, size, *BELOW) for kind in SIZES for size in SIZES[kind][2]]
    parts = [
        (k / len(batches), part) for batches in (parts_of(*kind) for kind in kinds) for k, part in enumerate(batches)
    ]
    return [part for _, part in sorted(parts, key=lambda pair: pair[0])]


def read_so_far(kind: str, size: float, seed: int, films: int) -> Signs:
    """Measure the signs in all films of one kind that have been read."""
    return gather([signs_of(part) for part in parts_of(kind, size, seed, films) if _file(part).exists()])


def row_of(kind: str, limit: dict[str, float]) -> str:
    """Measure the power for one kind of fault; return its row of the table."""
    unit, five, below = SIZES[kind]
    cells, hits, films, least, reliable = {}, 0, 0, "none", True
    for size in sorted((*five, *below), reverse=True):
        which = FAULTS if size in five else BELOW
        if not any(_file(part).exists() for part in parts_of(kind, size, *which)):
            cells[size] = f"{size:g}: not read"
            continue
        raised = alarms(read_so_far(kind, size, *which), limit)
        found = np.any(list(raised.values()), axis=0)
        if size in five:
            hits, films = hits + int(found.sum()), films + len(found)
        reliable = reliable and found.mean() >= 0.9
        least = f"{size:g} {unit}" if reliable else least
        cells[size] = f"{size:g}: {found.mean():.2f} ({raised[kind].mean():.2f})"
    shown = " | ".join(cells[size] for size in (*below, *five))
    return f"| {kind} | {unit} | {shown} | {hits}/{films} | **{least}** |"


def write() -> None:
    """Calibrate, test, and write the page."""
    true, fresh = (read_so_far("true", 0.0, *which) for which in (CALIBRATION, FRESH))
    limit, count = limits(true), len(fresh["hover"])
    cried = alarms(fresh, limit)
    false = int(np.any(list(cried.values()), axis=0).sum())
    note = f"Calibrated on {len(true['hover']):,} true films. "
    note += f"{sum(_file(part).exists() for part in plan())} of {len(plan())} batches of ten films are read. "
    note += "Cells: size: share found by any sign (share found as this kind)."
    head = ["# The abnormality detector", "", (__doc__ or "").strip(), "", note, ""]
    head += [f"False alarms: **{false} of {count:,}** fresh true films.", ""]
    head += [
        "| fault | size | below the floor | 1 | 2 | 3 | 4 | 5 | found (1 to 5) | least from which 90 % are found |",
        "|" + "---|" * 10,
    ]
    rows = [row_of(kind, limit) for kind in SIZES]
    table = ["", "| sign | unit | limit | false alarms |", "|---|---|---|---|"]
    table += [f"| {name} | {unit} | {limit[name]:.3g} | {cried[name].sum()} |" for name, unit in SIGNS.items()]
    text = "\n".join([*head, *rows, *table, ""])
    print(text)
    Path("docs/abnormality.md").write_text(text)


def main() -> None:
    """Read a share of the films, or write the page from what is read, or both."""
    what = sys.argv[1:2]
    first, every = map(int, sys.argv[2:4]) if what == ["read"] else (0, 1)
    for part in plan()[first::every] if what != ["write"] else []:
        read(part)
    if what != ["read"]:
        write()


if __name__ == "__main__":
    main()
