"""Does who foretells orbits know the force? One transformer on true states, looking back over 2 to all frames.

Vafa et al. 2025 (arXiv 2507.06952) found accurate orbits and another force law in every sample; Liu et al. 2026 (arXiv
2602.06923) that a short window makes the same network Newtonian. Here the force is what a step implies at a true past,
    a = (s^_k+1 - 2 s_k + s_k-1) / dt^2,   its part along the radius  -a_r = mu r^p,  log-log regression for p,
on `PARTS` subsamples of fresh clips: a law is known if p is -2 and the same in all of them, and nothing acts sideways.
"""

from dataclasses import dataclass, replace
from typing import ClassVar, final

import numpy as np
import torch
from jaxtyping import Float

from cavendish.data import Split
from cavendish.measure.score import Score, score
from cavendish.motion import Trajectory
from cavendish.scenes import Orbit
from cavendish.studies.experiment import AT, Experiment, Row, Trial
from cavendish.studies.state_pupils import Foreteller, StatePupil, places_of, states_of, taught

WINDOWS = {"2 frames": 2, "3 frames": 3, "8 frames": 8, "16 frames": 16, "all frames": 0}
GIVEN, PARTS, CLIPS = 16, 5, 100
WHERE = {"inside": "interpolation", "outside": "ood-distance"}


@final
@dataclass(frozen=True)
class Orbiting:
    """A pupil of orbits; none: the truth itself."""

    pupil: StatePupil | None
    seed: int


@final
class Orbits(Experiment):
    """The force that orbits imply: exponent p (Kepler's is -2), its range over subsamples, and what acts sideways.

    Position errors are those of free running from 16 given frames to the end of the clip, 1.6 s, a third of a turn.
    `truth` is the same reading of exact orbits.
    """

    name: ClassVar = "orbits"
    question: ClassVar = "does who foretells orbits know the force?"

    def presets(self) -> dict[str, tuple[Trial, ...]]:
        """Vary the window alone."""
        return {"quick": _grid(3, 600), "laptop": _grid(5, 6000)}

    def attempt(self, trial: Trial) -> Row:
        """Teach, run freely, and read the force."""
        asked: Orbiting = trial.setting
        pupil = None if asked.pupil is None else taught(asked.pupil, Split(Orbit(), size=100_000), asked.seed)
        scores: list[Score] = []
        for where, region in WHERE.items():
            truth = Split(Orbit(), region, CLIPS, seed=1).trajectories(np.arange(CLIPS))
            moving = truth if pupil is None else pupil.follow(_first(truth), len(truth.time) - GIVEN)
            miss = np.linalg.norm(moving.position - truth.position, axis=-1)[:, GIVEN:].mean((1, 2))
            scores += [score(f"{where}: position error", "m", miss), *_force(where, truth, pupil and pupil.net)]
        return Row(trial.row, tuple(scores))


def _grid(seeds: int, steps: int) -> tuple[Trial, ...]:
    pupils = {name: StatePupil("transformer", window=window, steps=steps) for name, window in WINDOWS.items()}
    taught_ones = [Trial(f"orbits{AT}{name}", Orbiting(who, n)) for name, who in pupils.items() for n in range(seeds)]
    return (*taught_ones, Trial(f"orbits{AT}truth", Orbiting(None, 0)))


def _first(truth: Trajectory) -> Trajectory:
    parts = {name: getattr(truth, name)[:, :GIVEN] for name in ("position", "velocity", "radius", "confidence")}
    return replace(truth, time=truth.time[:GIVEN], **parts)


@torch.no_grad()
def _force(where: str, truth: Trajectory, net: Foreteller | None) -> tuple[Score, ...]:
    """Read exponent and direction of the force that single steps imply."""
    scene, step = Orbit(), truth.time[1] - truth.time[0]
    after = truth.position[:, 2:, 0]
    if net is not None:
        state = states_of(truth, scene.world)
        told = state[:, net.first - 1 :] + net(state, torch.from_numpy(truth.radius[:, 0].copy()).float())
        after = places_of(told, scene.world)[:, 2 - net.first : -1, 0]
    arm = truth.position[:, 1:-1, 0] - np.array([scene.world.width, scene.world.height]) / 2
    pull = (after - 2 * truth.position[:, 1:-1, 0] + truth.position[:, :-2, 0]) / step**2
    far = np.linalg.norm(arm, axis=-1)
    inward, sideways = -(pull * arm).sum(-1) / far, (pull[..., 0] * arm[..., 1] - pull[..., 1] * arm[..., 0]) / far
    parts = np.array_split(np.arange(len(far)), PARTS)
    exponents = np.array([_exponent(far[part, GIVEN:], inward[part, GIVEN:]) for part in parts])
    found = score(f"{where}: exponent", "", exponents)
    spread = score(f"{where}: range of exponents", "", np.array([np.ptp(exponents)]))
    aside = np.sqrt((sideways[:, GIVEN:] ** 2).mean(1) / (inward[:, GIVEN:] ** 2).mean(1))
    return found, spread, score(f"{where}: sideways / inward", "", aside)


def _exponent(far: Float[np.ndarray, "c t"], inward: Float[np.ndarray, "c t"]) -> float:
    pulled = inward > 0
    return float(np.polyfit(np.log(far[pulled]), np.log(inward[pulled]), 1)[0])
