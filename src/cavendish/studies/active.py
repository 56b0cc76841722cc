"""Does it pay to choose the next experiment? Six ways to choose, one learner, one budget; and what none can see.

Everybody starts from the same `FIRST` random shots of `shots` and chooses `BATCH` more in each of `ROUNDS` rounds.
Decided on before the runs that are reported (the world was shaped in trials of one seed, what is asked was not touched
since): error (rms over both balls, metres) of the learner on fresh shots that miss, that hit (a small part of the
box), just out of range (up to 15 % beyond) and far out (30 to 60 %); how well the constants of the law are known after
a robust fit; hits and views of the screen among what was chosen. Choosing pays if disagreement or laws have at most
0.7 times random's error on hits and no more than 1.1 times it far out.
Identifiability: two balls of one look, which is heavier? (`scenes.hidden_mass`.) Films that end before they meet cannot
tell by construction; after one push the same learner, a curved probe of paths read to a centimetre, can.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar, final

import numpy as np
from jaxtyping import Float

from cavendish.measure.score import Score, figure, score
from cavendish.readout import choose_curved_probe
from cavendish.scenes import HiddenMass
from cavendish.studies.experiment import Contrast, Experiment, Row, Trial, compared
from cavendish.studies.shots import CHOOSERS, Ensemble, Experiments, Known, Shots, likeliest_law, touching

FIRST, BATCH, ROUNDS = 40, 20, 8
FRESH = 400  # shots of each kind
PUSHED, CLIPS, INSTANTS = {"passive video": False, "one push": True}, 600, 12
PLAIN, FLICKERING, HEAVIER = "a plain world", "with a noisy screen", "which ball is heavier?"


@final
@dataclass(frozen=True)
class Campaign:
    """One learner with its budget."""

    way: str
    world: Shots
    seed: int
    rounds: int = ROUNDS


@final
@dataclass(frozen=True)
class Watching:
    """A classifier and the films that it may see."""

    pushes: bool
    seed: int


@final
class Active(Experiment):
    """Who chooses the next simulation, and does it pay?

    Decided beforehand: choosing pays if disagreement or laws have at most 0.7 times random's error on hits and no more
    than 1.1 times it far out. Lower is better but for hits and for the share of right answers. `random` and `sobol`
    choose without looking; `passive, narrow` is shown what happens to happen. Fresh shots are never taken from behind
    the noisy screen.
    """

    name: ClassVar = "active"
    question: ClassVar = "does it pay to choose the next experiment?"

    def presets(self) -> dict[str, tuple[Trial, ...]]:
        """Give every way to choose every seed."""
        return {preset: _grid(seeds) for preset, seeds in {"quick": 5, "laptop": 30}.items()}

    def attempt(self, trial: Trial) -> Row:
        """Carry out a campaign, or watch."""
        if isinstance(trial.setting, Watching):
            return Row(trial.row, (_told_apart(trial.setting),))
        return Row(trial.row, _campaign(trial.setting))

    def findings(self, preset: str, answers: Mapping[str, Sequence[tuple[Score, ...]]]) -> str:
        """Compare choosing with random and space-filling, where it was decided to look."""
        worlds, names = (PLAIN, FLICKERING), ("error on hits", "error on misses", "error far out")
        pairs = [(a, b) for a in ("disagreement", "laws", "progress") for b in ("random", "sobol")]
        asked = (Contrast(f"{w}: {a}", f"{w}: {b}", name) for w in worlds for a, b in pairs for name in names)
        return compared(asked, answers)


def _grid(seeds: int) -> tuple[Trial, ...]:
    worlds = ((PLAIN, Shots()), (FLICKERING, Shots(screen=True)))
    shots = [
        Trial(f"{name}: {way}", Campaign(way, world, seed))
        for name, world in worlds
        for way in CHOOSERS
        for seed in range(seeds)
    ]
    told = [Trial(f"{HEAVIER}: {who}", Watching(p, seed)) for who, p in PUSHED.items() for seed in range(seeds)]
    return (*shots, *told)


def _campaign(campaign: Campaign) -> tuple[Score, ...]:
    world, choose = campaign.world, CHOOSERS[campaign.way]
    rng = np.random.default_rng(campaign.seed)
    u = CHOOSERS["passive, narrow" if "passive" in campaign.way else "random"](None, FIRST, rng)  # type: ignore[arg-type]
    seen, before = world.see(u, rng), None
    now = Ensemble(u, seen, campaign.seed)
    for _ in range(campaign.rounds):
        more = choose(Known(u, seen, now, before, campaign.seed), BATCH, rng)
        u, seen, before = np.concatenate([u, more]), np.concatenate([seen, world.see(more, rng)]), now
        now = Ensemble(u, seen, campaign.seed)
    ratio, restitution = likeliest_law(Known(u, seen, now, before, campaign.seed), rng)
    return (
        *(_error(world, now, f"error {where}", fresh) for where, fresh in _fresh(world).items()),
        figure("mass ratio off", "%", 100 * abs(ratio / world.ratio - 1)),
        figure("restitution off", "", abs(restitution - world.restitution)),
        figure("hits chosen", "%", 100 * float(touching(u[FIRST:]).mean())),
        figure("views of the screen", "%", 100 * float(Shots(screen=True).flickers(u[FIRST:]).mean())),
    )


def _fresh(world: Shots) -> dict[str, Experiments]:
    """Draw shots of every kind; those through the screen are left out."""
    rng = np.random.default_rng(10**6)
    inside, out = rng.random((40 * FRESH, 3)), rng.uniform(-0.6, 1.6, (40 * FRESH, 3))
    inside = inside[~Shots(screen=True).flickers(inside)]
    beyond = np.maximum(-out, out - 1).max(1)
    kinds = {
        "on hits": inside[touching(inside)],
        "on misses": inside[~touching(inside)],
        "just out": out[(beyond > 0) & (beyond < 0.15)],
        "far out": out[beyond > 0.3],
    }
    return {name: shots[:FRESH] for name, shots in kinds.items()}


def _error(world: Shots, learner: Ensemble, name: str, fresh: Experiments) -> Score:
    truth = Shots(world.ratio, world.restitution).see(fresh, np.random.default_rng(0))
    miss = ((learner.foretell(fresh).mean(0) - truth) ** 2).sum(-1)
    return figure(name, "m", float(np.sqrt(miss.mean())))


def _told_apart(watching: Watching) -> Score:
    """Teach a classifier which ball is heavier and ask it about other films."""
    scene, rng = HiddenMass(), np.random.default_rng(watching.seed)
    factors = np.array([scene.sample("train", rng) for _ in range(2 * CLIPS)])
    column = scene.columns(factors)
    gap = column["x_blue"] - column["x_red"] - 2 * column["radius"]
    meet = gap / (column["speed_red"] + column["speed_blue"])
    paths = np.stack([_path(scene, f, t, watching.pushes) for f, t in zip(factors, meet, strict=True)])
    paths += 0.01 * rng.standard_normal(paths.shape)
    told = np.diff(paths, axis=1).reshape(len(paths), -1)  # steps: where a ball is says nothing of its weight
    heavier = column["density_red"] > column["density_blue"]
    told, taught = (told / told.std())[:, None], heavier[:, None, None].astype(float)
    probe = choose_curved_probe(told[:CLIPS], taught[:CLIPS], np.ones((CLIPS, 1), bool))
    right = (probe.read(told[CLIPS:])[:, 0, 0] > 0.5) == heavier[CLIPS:]
    return score("right answers", "", right.astype(float))


def _path(scene: HiddenMass, factors: Float[np.ndarray, " f"], meet: float, pushes: bool) -> Float[np.ndarray, "t n"]:
    """Return places along the way, up to the touch or to as long again after it."""
    time = meet * np.linspace(0.0, 2.0 if pushes else 0.99, INSTANTS)
    return np.asarray(scene.simulate(factors[None], time).position[0, :, :, 0])
