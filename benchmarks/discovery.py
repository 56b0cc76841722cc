"""How often is the law found, and how often do its intervals hold the truth? Writes docs/discovery.md.

500 repeats of the fall through honey, 20 clips each, with white reading errors of 3 mm (0.02 px at 64 px); then
20 repeats of true video at 64 px through renderer and reader, and five seeds of every world of wrong physics.
Repeats that are finished stay finished as long as the code that discovers, reads and simulates is the same.
    python benchmarks/discovery.py              measures what is not measured yet, writes the page
    python benchmarks/discovery.py honey films  only these parts, without the page (also: jitter, lies, own)
    python benchmarks/discovery.py share K N    every N-th of what is not measured, from the K-th, without the page
    python benchmarks/discovery.py write        writes the page from what is measured so far, and how much that is
"""

import hashlib
import json
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from functools import cache, partial
from pathlib import Path

import numpy as np
from scipy import stats

from cavendish.data import Picture, Split
from cavendish.measure.discovery import CONSTANTS, NOT_COMPARED, OTHER, SAME, Discovery, cut, discover
from cavendish.measure.gates import admitted
from cavendish.motion import Trajectory
from cavendish.readout import Reader
from cavendish.scenes import (
    SCENES,
    AristotleFall,
    BouncingBall,
    ChargedParticle,
    Collision,
    DragFall,
    Incline,
    Orbit,
    Parabola,
    Pendulum,
    RunawayMotion,
    Scene,
    Spring,
    UniformMotion,
)

REPEATS, CLIPS, NOISE, PIXEL = 500, 20, 0.003, 10 / 64
ROOT = Path(__file__).parents[1]
DOCUMENT = ROOT / "docs" / "discovery.md"
MEASURES = ("discovery", "search", "shooting", "dynamics", "tracks", "gates", "contacts", "touching")
PAINTS = ("raster", "discs", "polygons", "colour")
ASKED = (
    "scenes",
    "readout",
    *(f"render/{name}.py" for name in PAINTS),
    *(f"measure/{name}.py" for name in MEASURES),
)
FILMS: tuple[tuple[Scene, tuple[tuple[str, float], ...]], ...] = (
    (Parabola(), (("g", 2.5),)),
    (DragFall(), (("g", 2.5), ("c", 3.0))),
    (Orbit(), (("p", -2.0),)),
    (BouncingBall(), (("restitution at walls", 0.8),)),
    (Collision(), (("restitution between bodies", 1.0),)),
)
OWN = tuple(kind() for kind in SCENES if kind.space == 2)
JITTER = ((CLIPS, 60), (5 * CLIPS, 20))  # clips, repeats
Cell = dict[str, list[float]]
LIES: tuple[tuple[Scene, Scene, str], ...] = (  # what the instrument is told, what is simulated, the right verdict
    (UniformMotion(), RunawayMotion(), OTHER),
    (UniformMotion(), ChargedParticle(), OTHER),
    (Parabola(), AristotleFall(), OTHER),
    (Parabola(), DragFall(), OTHER),
    (Parabola(), UniformMotion(), OTHER),
    (Parabola(), Parabola(gravity=-2.5), CONSTANTS),
    (DragFall(), Parabola(), OTHER),
    (Collision(), Collision(restitution=0.5), CONSTANTS),
    (Collision(), Collision(restitution=1.2), CONSTANTS),
    (BouncingBall(), BouncingBall(restitution=1.05), CONSTANTS),
    (Incline(), Incline(friction=0.0), OTHER),
    (Spring(), Spring(stiffness=10.0), CONSTANTS),
    (Pendulum(), Pendulum(gravity=5.0), CONSTANTS),
    (Orbit(), Orbit(exponent=-1.0), CONSTANTS),
)


def simulated(scene: Scene, seed: int) -> Trajectory:
    """Simulate clips and add reading errors."""
    truth = Split(scene, seed=seed).trajectories(np.arange(CLIPS))
    noise = np.random.default_rng(seed).normal(0, NOISE, truth.position.shape)
    return replace(truth, position=truth.position + noise)


def video(scene: Scene, seed: int, clips: int = CLIPS) -> Trajectory:
    """Film clips at 64 px and read them."""
    clip = Split(scene, seed=seed, picture=Picture(64, 64)).clips(np.arange(clips))
    return Reader.of(scene.draw(clip.trajectory)).read(clip.frames.numpy(), clip.trajectory.time)


def constants(found: Discovery) -> Cell:
    """Return the printed law's constants: value, interval, truth."""
    return {c.name: [c.value, c.low, c.high, c.true] for c in found.parameters}


def share(hits: list[bool]) -> str:
    """Write a share with its exact interval."""
    bounds = stats.binomtest(sum(hits), len(hits)).proportion_ci()
    return f"{sum(hits)} of {len(hits)} ({100 * bounds.low:.1f} to {100 * bounds.high:.1f} %)"


def honey_cell(seed: int) -> Cell:
    """Discover the fall through honey once."""
    return constants(discover(DragFall(), simulated(DragFall(), seed)))


def film_cell(scene: Scene, seed: int) -> Cell:
    """Discover a law once from true video."""
    return constants(discover(scene, video(scene, seed)))


def jitter_cell(clips: int, seed: int) -> Cell:
    """Discover gravity once with a pixel of jitter; the bound stands beside it."""
    read = video(Parabola(), seed, clips)
    noise = np.random.default_rng(seed + 1000).normal(0, PIXEL, read.position.shape)
    moved = replace(read, position=read.position + noise)
    found = constants(discover(Parabola(), moved))
    return {"g": [found["g"][0] if "g" in found else float("nan"), cramer_rao(moved)]}


def lie_cell(told: Scene, shown: Scene, seed: int) -> dict[str, object]:
    """Show a world under a textbook name, or its own, once."""
    show = video(shown, seed)
    if seed == 0:
        discover(told, show)  # compiles
    begun = time.process_time()
    found = discover(told, show)
    return {"law": found.printed_law, "verdict": found.verdict, "seconds": time.process_time() - begun}


@cache
def store() -> Path:
    """Return the file of finished cells, one for every state of the code that is asked."""
    digest = hashlib.sha256(repr((CLIPS, NOISE, PIXEL, LIES, FILMS)).encode())
    for name in ASKED:
        path = ROOT / "src" / "cavendish" / name
        for source in sorted(path.rglob("*.py")) if path.is_dir() else [path]:
            digest.update(source.read_bytes())
    return ROOT / "runs" / "discovery" / f"{digest.hexdigest()[:16]}.jsonl"


def finished() -> dict[str, dict[str, object]]:
    """Read the finished cells; a line that was cut off is none."""
    lines = store().read_text().splitlines(keepends=True) if store().exists() else []
    return {cell["name"]: cell for cell in map(json.loads, (line for line in lines if line.endswith("}\n")))}


def cells() -> dict[str, Callable[[], dict[str, object]]]:
    """List everything there is to measure."""
    every: dict[str, Callable[[], dict[str, object]]] = {}
    every |= {f"honey {seed}": partial(honey_cell, seed) for seed in range(REPEATS)}
    every |= {
        f"films {scene.name()} {seed}": partial(film_cell, scene, seed) for scene, _ in FILMS for seed in range(20)
    }
    every |= {f"lies {k} {seed}": partial(lie_cell, *LIES[k][:2], seed) for k in range(len(LIES)) for seed in range(5)}
    every |= {f"own {scene.name()}": partial(lie_cell, scene, scene, 0) for scene in OWN}
    every |= {f"jitter {clips} {seed}": partial(jitter_cell, clips, seed) for clips, n in JITTER for seed in range(n)}
    return every


def asked(parts: list[str]) -> dict[str, Callable[[], dict[str, object]]]:
    """Return these parts of all that there is to measure, or one process's share of it."""
    every = cells()
    if parts[:1] == ["share"]:
        own = list(every)[int(parts[1]) :: int(parts[2])]
        return {name: every[name] for name in own}
    return {name: cell for name, cell in every.items() if not parts or name.split()[0] in parts}


def measure(parts: list[str]) -> None:
    """Measure what is not finished, of these parts or of all."""
    done = finished()
    for name, cell in asked(parts).items():
        if name not in done:
            begun = time.process_time()
            made = {"name": name, "told": cell(), "spent": time.process_time() - begun}
            store().parent.mkdir(parents=True, exist_ok=True)
            with store().open("a") as file:
                file.write(json.dumps(made) + "\n")


def honey(done: dict) -> list[str]:
    """Write down the fall through honey."""
    right, covered, spent = [], {"c": [], "g": []}, []
    for cell in done.values():
        found = cell["told"]
        spent.append(cell["spent"])
        right.append(set(found) == set(covered))
        for name, (_, low, high, true) in found.items() if right[-1] else ():
            covered[name].append(low <= true <= high)
    return [
        f"Fall through honey, {len(done)} repeats of {CLIPS} simulated clips, reading errors {1000 * NOISE:g} mm:",
        f"structure right in {share(right)}; 95 % intervals hold c in {share(covered['c'])},",
        f"g in {share(covered['g'])}. {np.median(spent):.1f} s of one core a repeat.",
    ]


def films(done: dict) -> list[str]:
    """Write down what true video at 64 px gave."""
    rows = [
        "| quantity | true | largest miss over 20 seeds of 20 true films at 64 px | 95 % interval holds it |",
        "|---|---|---|---|",
    ]
    for scene, asked in FILMS:
        found = [done[f"films {scene.name()} {seed}"]["told"] for seed in range(20)]
        for name, true in asked:
            values = np.array([f.get(name, [np.nan] * 4) for f in found])
            held = ((values[:, 1] <= true) & (true <= values[:, 2])).sum()
            rows.append(
                f"| {scene.name()}: {name} | {true:g} | {np.abs(values[:, 0] - true).max():.2g} | {held} of 20 |"
            )
    return rows


def jitter(done: dict) -> list[str]:
    """Set the Cramer-Rao bound beside what is found under a pixel of jitter."""
    rows = [
        "| clips | rms miss of g | no unbiased ruler can do better than | repeats within 2 % |",
        "|---|---|---|---|",
    ]
    for clips, repeats in JITTER:
        found = np.array([done[f"jitter {clips} {seed}"]["told"]["g"] for seed in range(repeats)]) / 2.5
        misses, bound = found[:, 0] - 1, found[:, 1].mean()
        rms, within = np.sqrt(np.mean(misses**2)), share(list(np.abs(misses) < 0.02))
        rows.append(f"| {clips} | {100 * rms:.2f} % | {100 * bound:.2f} % | {within} |")
    needed = int(np.ceil(clips * (stats.norm.ppf(0.975) * bound / 0.02) ** 2))
    return [
        *rows,
        f"\nBy the bound, {needed} clips are needed for 2 % in 95 of 100 repeats: {CLIPS} clips of 64 px with a whole "
        "pixel of jitter do not hold g to 2 %, whoever reads it.",
    ]


def cramer_rao(moving: Trajectory) -> float:
    """Return the least standard error of g: each flight knows its place and speed no better than its own frames."""
    tracks = cut(Parabola(), moving, admitted(Parabola(), moving)[0])
    information = 0.0
    for length in np.isfinite(tracks.place[:, :, 1]).sum(1):
        t = tracks.step * np.arange(length)
        free = np.stack([np.ones(length), t], -1)
        fall = t**2 / 2
        fall = fall - free @ np.linalg.lstsq(free, fall, rcond=None)[0]
        information += float(fall @ fall) / PIXEL**2
    return information**-0.5


def called(scene: Scene) -> str:
    """Write a scene's name, the constants that are not its usual ones, and its law."""
    usual = type(scene)().constants()
    unusual = [f"{name} {value:g}" for name, value in scene.constants().items() if value != usual[name]]
    return f"{scene.name()}{', '.join(['', *unusual])}: {scene.law.readable()}"


def lies(done: dict) -> list[str]:
    """Write down wrong physics under a textbook name, and how long a law takes."""
    rows = ["| told | shown | printed law (seed 0) | right verdict, of 5 seeds |", "|---|---|---|---|"]
    spent = {}
    for k, (told, shown, verdict) in enumerate(LIES):
        found = [done[f"lies {k} {seed}"]["told"] for seed in range(5)]
        spent[f"{shown.name()} as {told.name()}"] = np.max([f["seconds"] for f in found])
        right = sum(f["verdict"] == verdict for f in found)
        rows.append(f"| {called(told)} | {called(shown)} | {found[0]['law']} | {right} |")
    slowest = max(spent, key=lambda pair: spent[pair])
    middle = np.median(list(spent.values()))
    rows.append(f"\nA law takes {middle:.1f} s of one core at the median, {spent[slowest]:.1f} s at most ({slowest}).")
    return rows


def own(done: dict) -> list[str]:
    """Write down how every comparable scene's own law was judged, and how long the slowest took."""
    found = {name.split()[1]: cell["told"] for name, cell in done.items()}
    silent = [name for name, told in found.items() if told["verdict"] == NOT_COMPARED]
    found = {name: told for name, told in found.items() if name not in silent}
    same = [name for name, told in found.items() if told["verdict"] == SAME]
    others = "".join(f"; {name}: {told['verdict']}" for name, told in found.items() if name not in same)
    slowest = max(found, key=lambda name: found[name]["seconds"])
    return [
        f"{CLIPS} films of 64 px each: `{SAME}` in {len(same)} of {len(found)}{others}.",
        f"A law takes {np.median([told['seconds'] for told in found.values()]):.1f} s of one core at the median,",
        f"{found[slowest]['seconds']:.1f} s at most ({slowest}). Not compared: {', '.join(silent)}.",
    ]


def section(name: str, done: dict, write: Callable[[dict], list[str]]) -> str:
    """Write a part of the page if it is measured; honey and scenes need not be whole for that."""
    wanted = asked([name])
    found = {cell: done[cell] for cell in wanted if cell in done}
    missing = len(found) < len(wanted)
    said = f"\n\n({len(found)} of {len(wanted)} are measured on this state of the code.)" if missing else ""
    return ("\n".join(write(found)) if not said or (name in ("honey", "own") and found) else "") + said


def main() -> None:
    """Measure everything and write it down."""
    parts = sys.argv[1:]
    if parts != ["write"]:
        measure(parts)
        if parts:
            return
    done = finished()
    texts = [
        "# Law discovery, measured",
        "Written by `python benchmarks/discovery.py`.",
        section("honey", done, honey),
        section("films", done, films),
        "g of a parabola with one pixel of jitter added at 64 px:",
        section("jitter", done, jitter),
        "Lie detector: wrong physics, filmed at 64 px and read back.",
        section("lies", done, lies),
        "Every scene's own law:",
        section("own", done, own),
    ]
    DOCUMENT.write_text("\n\n".join(text.strip("\n") for text in texts) + "\n")


if __name__ == "__main__":
    main()
