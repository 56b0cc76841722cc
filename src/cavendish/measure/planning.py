"""Acting by imagination: of many courses of buttons, press the one whose dream comes nearest to what is asked for.

A course is s buttons. A foresight tells the features f_1 .. f_s that it would lead to; the goal is a picture, with
features g, and a course costs mean_j |f_j - g|^2. Courses are drawn button by button from p_j(a), even at first, and
every round moves p towards the courses that did well,
    p_j(a) <- (1 - rate) p_j(a) + rate sum_n w_n [a_nj = a],
where w is even over the best few (cross-entropy method, Rubinstein 1999) or falls as exp(-(cost - best) / (T spread))
(path integrals, Williams et al. 2017). The first buttons of the best course met so far are pressed, then all is
thought over again. Beside it: chance, one step of foresight, and inverse dynamics, which asks no world model at all.
"""

from dataclasses import dataclass
from typing import Protocol, final, runtime_checkable

import torch
from jaxtyping import Float, Int, UInt8
from torch import Tensor

RATE = 0.8


class Eyes(Protocol):
    """Anything that sees features in pictures and knows buttons."""

    @property
    def buttons(self) -> int:
        """Return how many buttons there are."""

    def glimpse(self, frames: UInt8[Tensor, "b t h w c"]) -> Float[Tensor, "b t k"]:
        """Return the features of each frame by itself."""


class Foresight(Eyes, Protocol):
    """Anything that tells where courses would lead; every world model that listens to buttons can."""

    def foresee(self, seen: UInt8[Tensor, "b t h w c"], courses: Int[Tensor, "b n s"]) -> Float[Tensor, "b n s k"]:
        """Return the features that every course would lead to, frame by frame."""


class Hindsight(Eyes, Protocol):
    """Anything that tells which button lies between two moments."""

    def between(self, before: Float[Tensor, "b k"], after: Float[Tensor, "b k"]) -> Int[Tensor, " b"]:
        """Return the likeliest button."""


@runtime_checkable
class Policy(Protocol):
    """Whoever presses buttons to make the world look like a picture."""

    def press(self, seen: UInt8[Tensor, "b t h w c"], goal: UInt8[Tensor, "b h w c"], left: int) -> Int[Tensor, "b s"]:
        """Return the next buttons, at most as many as are left."""


@final
@dataclass(frozen=True)
class Elite:
    """Even weights for the best share of courses."""

    share: float = 0.125

    def weights(self, cost: Float[Tensor, "b n"]) -> Float[Tensor, "b n"]:
        """Weigh courses by rank."""
        count = max(1, round(self.share * cost.shape[1]))
        chosen = cost.topk(count, largest=False).indices
        return torch.zeros_like(cost).scatter(1, chosen, 1 / count)


@final
@dataclass(frozen=True)
class Boltzmann:
    """Weights that fall with the cost, in units of its spread over the courses."""

    temperature: float = 0.2

    def weights(self, cost: Float[Tensor, "b n"]) -> Float[Tensor, "b n"]:
        """Weigh courses by cost."""
        return torch.softmax(-cost / (self.temperature * cost.std(1, keepdim=True) + 1e-12), 1)


@final
@dataclass(frozen=True)
class Planner:
    """Thinks many courses over, again and again."""

    world: Foresight
    generator: torch.Generator
    rule: Elite | Boltzmann = Elite()
    depth: int = 8  # buttons of a course
    drawn: int = 48  # courses of a round
    rounds: int = 4
    held: int = 2  # buttons pressed before thinking again

    def press(self, seen: UInt8[Tensor, "b t h w c"], goal: UInt8[Tensor, "b h w c"], left: int) -> Int[Tensor, "b s"]:
        """Return the beginning of the best course."""
        clips, depth, buttons = len(seen), min(self.depth, left), self.world.buttons
        aim = self.world.glimpse(goal[:, None])
        chance = torch.full((clips, depth, buttons), 1 / buttons)
        best, least = torch.zeros(clips, depth, dtype=torch.long), torch.full((clips,), torch.inf)
        for _ in range(self.rounds):
            drawn = torch.multinomial(chance.flatten(0, 1), self.drawn, True, generator=self.generator)
            courses = drawn.view(clips, depth, self.drawn).transpose(1, 2).contiguous()
            courses[:, 0] = chance.argmax(-1)  # the likeliest course is always thought over; at first, no button at all
            cost = _cost(self.world, seen, courses, aim)
            found = cost.min(1)
            better = found.values < least
            best[better], least[better] = courses[better, found.indices[better]], found.values[better]
            pressed = torch.nn.functional.one_hot(courses, buttons)
            wanted = (self.rule.weights(cost)[..., None, None] * pressed).sum(1)
            chance = (1 - RATE) * chance + RATE * wanted
        return best[:, : self.held]


@final
@dataclass(frozen=True)
class Greedy:
    """Looks one step ahead."""

    world: Foresight

    def press(self, seen: UInt8[Tensor, "b t h w c"], goal: UInt8[Tensor, "b h w c"], left: int) -> Int[Tensor, "b s"]:
        """Return the button whose next frame is nearest."""
        courses = torch.arange(self.world.buttons).expand(len(seen), -1)[..., None]
        return _cost(self.world, seen, courses, self.world.glimpse(goal[:, None])).argmin(1)[:, None]


@final
@dataclass(frozen=True)
class Inverse:
    """Presses what would lie between now and the goal if they were neighbours in time."""

    model: Hindsight

    def press(self, seen: UInt8[Tensor, "b t h w c"], goal: UInt8[Tensor, "b h w c"], left: int) -> Int[Tensor, "b s"]:
        """Return that button."""
        both = self.model.glimpse(torch.stack([seen[:, -1], goal], 1))
        return self.model.between(both[:, 0], both[:, 1])[:, None]


@final
@dataclass(frozen=True)
class Chance:
    """Presses anything."""

    buttons: int
    generator: torch.Generator

    def press(self, seen: UInt8[Tensor, "b t h w c"], goal: UInt8[Tensor, "b h w c"], left: int) -> Int[Tensor, "b s"]:
        """Return any button."""
        return torch.randint(self.buttons, (len(seen), 1), generator=self.generator)


def _cost(
    world: Foresight,
    seen: UInt8[Tensor, "b t h w c"],
    courses: Int[Tensor, "b n s"],
    aim: Float[Tensor, "b 1 k"],
) -> Float[Tensor, "b n"]:
    return (world.foresee(seen, courses) - aim[:, None]).square().sum(-1).mean(-1)
