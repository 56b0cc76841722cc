"""Does who foretells orbits know the force? One transformer on true states, looking back over 2 to all frames.

Vafa et al. 2025 (arXiv 2507.06952) found accurate orbits and another force law in every sample; Liu et al. 2026 (arXiv
2602.06923) that a short window makes the same network Newtonian. The force is asked for in two ways:
    implied     what a step of the pupil does at a true past, a = (s^_k+1 - 2 s_k + s_k-1) / dt^2 (of exact orbits this
                reads p = -1.98, as a step is no instant)
    fine-tuned  a copy of the pupil, with a new last layer, is told the pull along a few orbits and tells it of others
Its part along the radius is fitted by  -a_r = mu r^p  (log-log regression), in `PARTS` subsamples: of the orbits asked
for the first, of the orbits told for the second. A law is known if p is -2, the same in all of them, and nothing acts
sideways. Places about the sun and pulls are complex numbers, x + i y. `fresh` is fine-tuned without having foretold
anything: what the few orbits teach by themselves.
"""

import copy
from dataclasses import dataclass
from typing import ClassVar, final

import numpy as np
import torch
from jaxtyping import Complex, Float
from torch import Tensor, nn

from cavendish.data import Split
from cavendish.measure.score import Score, score
from cavendish.models.world_model import parameters_from
from cavendish.scenes import Orbit
from cavendish.studies.experiment import AT, Experiment, Row, Trial
from cavendish.studies.state_pupils import Attentive, Foreteller, StatePupil, run_on, states_of, taught
from cavendish.training import seeded

ORBIT, LESSONS = Orbit(), Split(Orbit(), size=100_000)
WINDOWS = {"2 frames": 2, "3 frames": 3, "8 frames": 8, "16 frames": 16, "all frames": 0}
GIVEN, PARTS, CLIPS = 16, 5, 100
TOLD, STEPS, RATE = 10, 300, 1e-3  # orbits whose pull is told, and how long and fast a pupil is fine-tuned
WHERE = {"inside": "interpolation", "outside": "ood-distance"}
Plane = Complex[np.ndarray, "b t"]
States = tuple[Float[Tensor, "b t 2"], Float[Tensor, "b 1"]]  # places in units of the world, and radii


@final
@dataclass(frozen=True)
class Orbiting:
    """A pupil of orbits; none: the truth itself."""

    pupil: StatePupil | None
    seed: int


@final
class Orbits(Experiment):
    """The force that orbits imply: exponent p (Kepler's is -2), its range over subsamples, and what acts sideways.

    `implied` is the force of single steps; `fine-tuned` is told by a copy that was shown the pull along ten orbits,
    another ten for each of five subsamples. Position errors are those of free running from 16 given frames to the end
    of the clip, 1.6 s, a third of a turn. `truth` is the same reading of exact orbits; `fresh` foretold nothing before.
    """

    name: ClassVar = "orbits"
    question: ClassVar = "does who foretells orbits know the force?"

    def presets(self) -> dict[str, tuple[Trial, ...]]:
        """Vary the window alone."""
        return {"quick": _grid(3, 1000), "laptop": _grid(5, 6000)}

    def attempt(self, trial: Trial) -> Row:
        """Teach, run freely, and ask for the force in both ways."""
        asked: Orbiting = trial.setting
        net = None if asked.pupil is None else taught(asked.pupil, LESSONS, asked.seed).net
        students = [] if net is None else [fine_tuned(net, asked.seed, part) for part in range(PARTS)]
        scores: list[Score] = []
        said: list[str] = []
        for where, region in WHERE.items():
            state, radius = truth = true_states(Split(ORBIT, region, CLIPS, seed=1), 0, CLIPS)
            dream = state if net is None else run_on(net, state[:, :GIVEN], radius, state.shape[1] - GIVEN)
            miss = np.abs(arm_of(dream) - arm_of(state))[:, GIVEN:].mean(1)
            arm, pull = arm_of(state)[:, GIVEN:-1], implied(truth, net)[:, GIVEN - 1 :]
            parts = np.array_split(np.arange(CLIPS), PARTS)
            told = [pull_told(one, truth)[:, GIVEN - 1 : -1] for one in students] or [true_pull(arm)] * PARTS
            ways = {"implied": [(arm[part], pull[part]) for part in parts], "fine-tuned": [(arm, one) for one in told]}
            scores.append(score(f"{where}: position error", "m", miss))
            for way, samples in ways.items():
                found, words = law(samples)
                scores += [one.named(f"{where}, {way}: {one.name}") for one in found]
                said.append(f"{where}, {way}: -a_r = {words}")
        return Row(trial.row, tuple(scores), tuple(said))


def _grid(seeds: int, steps: int) -> tuple[Trial, ...]:
    pupils = {name: StatePupil("transformer", window=window, steps=steps) for name, window in WINDOWS.items()}
    pupils["fresh"] = StatePupil("transformer", steps=1)
    taught_ones = [Trial(f"orbits{AT}{name}", Orbiting(who, n)) for n in range(seeds) for name, who in pupils.items()]
    return (*taught_ones, Trial(f"orbits{AT}truth", Orbiting(None, 0)))


def true_states(split: Split, first: int, count: int) -> States:
    """Return true orbits as pupils are told them."""
    truth = split.trajectories(np.arange(first, first + count))
    return states_of(truth, ORBIT.world), torch.from_numpy(truth.radius[:, 0].copy()).float()


def arm_of(state: Float[Tensor, "b t 2"]) -> Plane:
    """Return places about the sun, in metres."""
    return np.asarray(torch.view_as_complex(state.double().contiguous()) * ORBIT.world.width)


def true_pull(arm: Plane) -> Plane:
    """Return the acceleration at places."""
    return np.asarray(-ORBIT.strength * np.abs(arm) ** (ORBIT.exponent - 1) * arm)


@torch.no_grad()
def implied(truth: States, net: Foreteller | None) -> Plane:
    """Return the acceleration that steps from true pasts imply, up to the last frame but one."""
    state, radius = truth
    first = 2 if net is None else net.first
    after = state[:, first:] if net is None else (state[:, first - 1 :] + net(state, radius))[:, :-1]
    arm, before = arm_of(state), first - 2
    return np.asarray((arm_of(after) - 2 * arm[:, before + 1 : -1] + arm[:, before:-2]) / ORBIT.step**2)


def fine_tuned(net: Foreteller, seed: int, part: int) -> Attentive:
    """Tell a copy of a pupil the pull along a few orbits of its lessons, others for every part."""
    assert isinstance(net, Attentive)
    student = copy.deepcopy(net)
    with parameters_from(seeded(seed, part)):
        student.leave = nn.Linear(student.leave.in_features, 2)
    state, radius = true_states(LESSONS, TOLD * part, TOLD)
    pull = torch.view_as_real(torch.from_numpy(true_pull(arm_of(state)))).float()[:, 1:]
    optimiser = torch.optim.AdamW(student.parameters(), RATE)
    for _ in range(STEPS):
        optimiser.zero_grad()
        (student(state, radius) - pull).square().mean().backward()
        optimiser.step()
    return student


@torch.no_grad()
def pull_told(student: Attentive, truth: States) -> Plane:
    """Return the pull that a fine-tuned pupil tells, from frame 1 on."""
    return np.asarray(torch.view_as_complex(student(*truth).double()))


def law(samples: list[tuple[Plane, Plane]]) -> tuple[tuple[Score, ...], str]:
    """Fit -a_r = mu r^p in every sample; say how much acts sideways and how far all is from the true pull."""
    found: list[tuple[float, ...]] = []
    for arm, pull in samples:
        outward, true = pull * arm.conj() / np.abs(arm), true_pull(arm)
        pulled = outward.real < 0
        p, log_mu = np.polyfit(np.log(np.abs(arm[pulled])), np.log(-outward.real[pulled]), 1)
        sideways, off = _rms(outward.imag) / _rms(outward.real), _rms(np.abs(pull - true)) / _rms(np.abs(true))
        found.append((p, sideways, off, np.exp(log_mu)))
    exponents, sideways, off, mu = np.array(found).T
    named = {"exponent": exponents, "range of exponents": np.ptp(exponents, keepdims=True)}
    named |= {"sideways / inward": sideways, "error / pull": off}
    words = ", ".join(f"{m:.3g} r^{p:.2f}" for m, p in zip(mu, exponents, strict=True))
    return tuple(score(name, "", values) for name, values in named.items()), words


def _rms(values: Float[np.ndarray, "b t"]) -> float:
    return float(np.sqrt((values**2).mean()))
