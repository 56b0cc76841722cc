"""Planners press what leads to the goal in a world that they know, and errands are judged in the true one."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from jaxtyping import Float, Int, UInt8
from torch import Tensor

from cavendish.data import Picture, Split
from cavendish.measure.planning import Boltzmann, Chance, Elite, Greedy, Inverse, Planner
from cavendish.measure.score import proportion
from cavendish.models import JepaConfig
from cavendish.readout import Reader
from cavendish.scenes import Pushable
from cavendish.studies.controls import reader_of
from cavendish.studies.genie_planning import Dreamt, meaning
from cavendish.studies.planning import NEAR, PRESSES, Simulator, Tables, errands
from cavendish.training import seeded
from cavendish.video import Clip, Imagined

PICTURE = Picture(16, 16)
STEPS = torch.tensor([[0.0, 0.0], [-1.0, 0.0], [1.0, 0.0], [0.0, -1.0], [0.0, 1.0]])


class Lawn:
    """A point moves by one in one of four ways; its picture is its coordinates."""

    buttons = 5

    def glimpse(self, frames: UInt8[Tensor, "b t h w c"]) -> Float[Tensor, "b t k"]:
        """Read the coordinates off the first pixel."""
        return frames[:, :, 0, 0, :2].float()

    def foresee(self, seen: UInt8[Tensor, "b t h w c"], courses: Int[Tensor, "b n s"]) -> Float[Tensor, "b n s k"]:
        """Walk."""
        return self.glimpse(seen)[:, -1][:, None, None] + STEPS[courses].cumsum(2)

    def between(self, before: Float[Tensor, "b k"], after: Float[Tensor, "b k"]) -> Int[Tensor, " b"]:
        """Take the step that looks most like the way."""
        return ((after - before) @ STEPS.T).argmax(1)


def at(*places: tuple[int, int]) -> UInt8[Tensor, "b 1 1 c"]:
    """Picture points."""
    return torch.tensor([(*place, 0) for place in places], dtype=torch.uint8)[:, None, None]


@pytest.mark.parametrize("rule", [Elite(), Boltzmann()], ids=["cem", "mppi"])
def test_a_planner_walks_to_the_goal_and_stops_there(rule: Elite | Boltzmann) -> None:
    lawn, goal = Lawn(), at((8, 5), (3, 5), (5, 5))
    place, planner = at((5, 5), (5, 7), (5, 5)), Planner(lawn, seeded(0), rule, depth=6)
    for _ in range(8):
        led = lawn.foresee(place[:, None], planner.press(place[:, None], goal, 6)[:, None])
        place = at(*[(int(x), int(y)) for x, y in led[:, 0, -1]])
    assert torch.equal(place, goal)


def test_weights_are_shares_that_favour_cheap_courses() -> None:
    cost = torch.tensor([[3.0, 1.0, 2.0, 9.0]])
    for rule in (Elite(0.5), Boltzmann()):
        weights = rule.weights(cost)
        assert weights.sum() == pytest.approx(1.0)
        assert weights[0, 1] >= weights[0, 2] > weights[0, 3]
    assert Elite(0.5).weights(cost).tolist() == [[0.0, 0.5, 0.5, 0.0]]


def test_one_step_policies_take_the_step_towards_the_goal() -> None:
    seen, goal = at((5, 5), (5, 5))[:, None], at((9, 5), (5, 1))
    for policy in (Greedy(Lawn()), Inverse(Lawn())):
        assert policy.press(seen, goal, 9).tolist() == [[2], [3]]
    assert Chance(5, seeded(0)).press(seen, goal, 9).shape == (2, 1)


def test_who_knows_the_world_reaches_the_goal_and_chance_does_not() -> None:
    scene = Pushable()
    asked = errands(scene, PICTURE, 12, seed=3)
    tables, reader = Tables(scene, PICTURE, asked), Reader.of(scene.draw(scene.simulate(asked.factors, scene.clock())))
    simulator = Simulator(tables, reader)
    assert np.allclose(simulator.glimpse(asked.goal[:, None])[:, 0].numpy(), asked.place, atol=0.1)
    knows = tables.run(Planner(simulator, seeded(0), drawn=24))
    assert (knows < NEAR).mean() >= 0.9
    start = np.linalg.norm(asked.place - scene.simulate(asked.factors, scene.clock()).position[:, 0, 0], axis=-1)
    assert (start >= 2.0 - 1e-9).all()
    assert (tables.run(Chance(5, seeded(0))) < NEAR).mean() <= 0.2
    assert scene.frames > PRESSES


def test_a_predictive_embedding_foresees_what_it_dreams() -> None:
    model = replace(JepaConfig(latent=4, rollout=4, window=12), buttons=5).build(seeded(0))
    torch.nn.init.normal_(model.predictor.step.weight, std=0.1, generator=seeded(1))
    frames = torch.randint(0, 255, (2, 3, 16, 16, 3), generator=seeded(2)).to(torch.uint8)
    courses = torch.randint(0, 5, (2, 6, 4), generator=seeded(3))
    led = model.foresee(frames, courses)
    assert led.shape == (2, 6, 4, 4)
    assert torch.allclose(led[1, 3], model.foresee(frames[1:], courses[1:, 3:4])[0, 0], atol=1e-5)
    assert model.between(*model.glimpse(frames)[:, :2].unbind(1)).shape == (2,)


def test_a_share_has_a_wilson_interval() -> None:
    found = proportion("done", np.arange(50) < 48)
    assert (found.value, round(found.low, 2), round(found.high, 2)) == (0.96, 0.87, 0.99)


class Rolling:
    """A dream in which codes, the buttons reversed, push the picture by four pixels."""

    buttons = 5

    def infer(self, clip: Clip) -> Int[Tensor, "b s"]:
        """Tell the buttons, in another order."""
        assert clip.actions is not None
        return 4 - clip.actions[:, :-1, 0].long()

    def follow(self, context: Clip, actions: Int[Tensor, "b h"], generator: torch.Generator) -> Imagined:
        """Roll the last frame left, right, down or up."""
        films = []
        for film, codes in zip(context.frames, actions, strict=True):
            shown = list(film)
            for code in codes:
                across, up = (4 * STEPS[4 - code]).int().tolist()
                shown.append(shown[-1].roll((-up, across), (0, 1)))
            films.append(torch.stack(shown))
        time = torch.arange(films[0].shape[0]).float()
        return Imagined(torch.stack(films), None, time, context.world, context.frames.shape[1])

    def guess(self, clip: Clip) -> tuple[Int[Tensor, "b s n"], Int[Tensor, "b t n"]]:
        """Know nothing of symbols."""
        return torch.zeros(1), torch.zeros(1)


def test_a_played_world_foresees_in_metres_where_the_ball_of_its_dream_goes() -> None:
    split = Split(Pushable(), size=40, seed=2, picture=Picture(64, 64))
    clip = split.clips(np.arange(40))
    codes = meaning(Rolling(), clip, 200, 5)
    assert codes.tolist() == [4, 3, 2, 1, 0]
    dreamt = Dreamt(Rolling(), codes, reader_of(split), split.scene.world)
    begun = dreamt.glimpse(clip.frames[:, :1])[:, 0]
    inside = ((begun > 3.0) & (begun < 7.0)).all(1)
    assert inside.any()
    courses = torch.tensor([[1, 4], [2, 0]]).expand(int(inside.sum()), 2, 2)
    led = dreamt.foresee(clip.frames[inside, :1], courses)
    moved = (STEPS[courses] * 4 * split.scene.world.width / 64).cumsum(2)
    assert torch.allclose(led, begun[inside][:, None, None] + moved, atol=1e-3)
    assert (dreamt.glimpse(torch.full_like(clip.frames[:2, :1], 255)) == 100.0).all()
