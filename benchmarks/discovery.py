"""How often is the law found, and how often do its intervals hold the truth? Writes docs/discovery.md.

500 repeats of the fall through honey, 20 clips each, with white reading errors of 3 mm (0.02 px at 64 px); then
20 repeats of true video at 64 px through renderer and reader, and five seeds of every world of wrong physics.
    python benchmarks/discovery.py
"""

import time
from dataclasses import replace
from pathlib import Path

import numpy as np
from scipy import stats

from cavendish.data import Picture, Split
from cavendish.measure.discovery import CONSTANTS, OTHER, Discovery, cut, discover
from cavendish.measure.gates import admitted
from cavendish.motion import Trajectory
from cavendish.readout import Reader
from cavendish.scenes import (
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
DOCUMENT = Path(__file__).parents[1] / "docs" / "discovery.md"
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


def constant(found: Discovery, name: str) -> float:
    """Return a constant of the printed law, NaN where it is not in it."""
    return next((c.value for c in found.parameters if c.name == name), float("nan"))


def share(hits: list[bool]) -> str:
    """Write a share with its exact interval."""
    bounds = stats.binomtest(sum(hits), len(hits)).proportion_ci()
    return f"{sum(hits)} of {len(hits)} ({100 * bounds.low:.1f} to {100 * bounds.high:.1f} %)"


def honey() -> list[str]:
    """Repeat the fall through honey."""
    right, covered, begun = [], {"c": [], "g": []}, time.perf_counter()
    for seed in range(REPEATS):
        found = discover(DragFall(), simulated(DragFall(), seed))
        right.append({c.name for c in found.parameters} == set(covered))
        if right[-1]:
            for c in found.parameters:
                covered[c.name].append(c.low <= c.true <= c.high)
    each = (time.perf_counter() - begun) / REPEATS
    return [
        f"Fall through honey, {REPEATS} repeats of {CLIPS} simulated clips, reading errors {1000 * NOISE:g} mm:",
        f"structure right in {share(right)}; 95 % intervals hold c in {share(covered['c'])},",
        f"g in {share(covered['g'])}. {each:.1f} s a repeat.",
    ]


def films() -> list[str]:
    """Repeat on true video at 64 px."""
    rows = ["| quantity | true | largest miss over 20 seeds of 20 true films at 64 px |", "|---|---|---|"]
    for scene, name, true in (
        (Parabola(), "g", 2.5),
        (DragFall(), "g", 2.5),
        (DragFall(), "c", 3.0),
        (Orbit(), "p", -2.0),
        (BouncingBall(), "restitution at walls", 0.8),
        (Collision(), "restitution between bodies", 1.0),
    ):
        values = np.array([constant(discover(scene, video(scene, seed)), name) for seed in range(20)])
        rows.append(f"| {scene.name()}: {name} | {true:g} | {np.abs(values - true).max():.2g} |")
    return rows


def jitter() -> list[str]:
    """Add a pixel of jitter to true films, and set the Cramer-Rao bound beside what is found."""
    rows = [
        "| clips | rms miss of g | no unbiased ruler can do better than | repeats within 2 % |",
        "|---|---|---|---|",
    ]
    for clips, repeats in ((CLIPS, 60), (5 * CLIPS, 20)):
        misses, bounds = [], []
        for seed in range(repeats):
            read = video(Parabola(), seed, clips)
            noise = np.random.default_rng(seed + 1000).normal(0, PIXEL, read.position.shape)
            moved = replace(read, position=read.position + noise)
            misses.append(constant(discover(Parabola(), moved), "g") / 2.5 - 1)
            bounds.append(cramer_rao(moved) / 2.5)
        rms, bound = float(np.sqrt(np.mean(np.square(misses)))), float(np.mean(bounds))
        within = share([abs(miss) < 0.02 for miss in misses])
        rows.append(f"| {clips} | {100 * rms:.2f} % | {100 * bound:.2f} % | {within} |")
    needed = int(np.ceil(clips * (stats.norm.ppf(0.975) * bound / 0.02) ** 2))
    return [*rows, f"\nBy the bound, {needed} clips are needed for 2 % in 95 of 100 repeats."]


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


def lies() -> list[str]:
    """Show wrong physics under a textbook name; time every law."""
    rows = ["| told | shown | printed law (seed 0) | right verdict, of 5 seeds |", "|---|---|---|---|"]
    spent = {}
    for told, shown, verdict in LIES:
        shows = [video(shown, seed) for seed in range(5)]
        discover(told, shows[0])  # compiles
        begun = time.perf_counter()
        found = [discover(told, show) for show in shows]
        spent[f"{shown.name()} as {told.name()}"] = (time.perf_counter() - begun) / 5
        right = sum(f.verdict == verdict for f in found)
        rows.append(f"| {told.law.readable()} | {shown.law.readable()} | {found[0].printed_law} | {right} |")
    slowest = max(spent, key=lambda pair: spent[pair])
    middle = np.median(list(spent.values()))
    rows.append(f"\nA law takes {middle:.1f} s at the median, {spent[slowest]:.1f} s at most ({slowest}).")
    return rows


def main() -> None:
    """Measure everything and write it down."""
    parts = ["# Law discovery, measured", "Written by `python benchmarks/discovery.py`.", "\n".join(honey())]
    parts += ["\n".join(films()), "g of a parabola with one pixel of jitter added at 64 px:", "\n".join(jitter())]
    parts += ["Lie detector: wrong physics, filmed at 64 px and read back.", "\n".join(lies())]
    DOCUMENT.write_text("\n\n".join(parts) + "\n")


if __name__ == "__main__":
    main()
