"""Orbits: exact ones imply Kepler's force, and a pupil's force is read from its steps and from what it is told."""

from typing import ClassVar, final

import numpy as np
import pytest
import torch
from jaxtyping import Float
from torch import Tensor

from cavendish.data import Split
from cavendish.scenes import Orbit
from cavendish.studies.experiment import Trial
from cavendish.studies.orbits import (
    GIVEN,
    Orbiting,
    Orbits,
    arm_of,
    fine_tuned,
    implied,
    law,
    pull_told,
    true_pull,
    true_states,
)
from cavendish.studies.state_pupils import Foreteller, StatePupil
from cavendish.training import seeded

TRUTH = true_states(Split(Orbit(), "interpolation", 20, seed=1), 0, 20)
ARM = arm_of(TRUTH[0])


@final
class Spring(Foreteller):
    """Steps of a world in which the pull grows with the distance: p = 1."""

    first: ClassVar = 3

    def forward(self, state: Float[Tensor, "b t k"], radius: Float[Tensor, "b n"]) -> Float[Tensor, "b s k"]:
        """Go on, and be pulled to the middle."""
        return (state[:, 2:] - state[:, 1:-1]) - 0.02 * state[:, 2:]


def test_exact_orbits_obey_kepler_whichever_way_they_are_asked() -> None:
    row = Orbits().attempt(Trial("x", Orbiting(None, 0)))
    for where in ("inside", "outside"):
        assert row[f"{where}: position error"].value == 0
        for way in ("implied", "fine-tuned"):
            assert row[f"{where}, {way}: exponent"].value == pytest.approx(-2, abs=0.02)  # a step is no instant
            assert row[f"{where}, {way}: range of exponents"].value < 0.02
            assert row[f"{where}, {way}: sideways / inward"].value < 0.02
    assert "40 r^-2.00" in row.said[1]


def test_another_force_is_read_as_what_it_is() -> None:
    (exponent, spread, aside, off), said = law([(ARM[:, 2:-1], implied(TRUTH, Spring()))] * 2)
    assert exponent.value == pytest.approx(1, abs=0.01)
    assert spread.value < 0.01
    assert aside.value < 0.01
    assert off.value > 0.3
    assert "r^1.0" in said


def test_who_is_told_the_pull_of_some_orbits_tells_that_of_others() -> None:
    net = StatePupil("transformer", width=32, window=3).build(2, 1, seeded(0))
    before = {name: value.clone() for name, value in net.state_dict().items()}
    student = fine_tuned(net, 0, 0)
    arm = ARM[:, GIVEN:-1]
    (_, _, aside, off), _ = law([(arm, pull_told(student, TRUTH)[:, GIVEN - 1 : -1])])
    assert off.value < 0.3 < law([(arm, 0.5 * true_pull(arm))])[0][3].value
    assert aside.value < 0.3
    assert all(torch.equal(value, before[name]) for name, value in net.state_dict().items())


def test_a_pupil_of_orbits_is_asked_everything() -> None:
    row = Orbits().attempt(Trial("x", Orbiting(StatePupil("transformer", width=16, window=3, steps=2), 0)))
    assert [score.name for score in row.scores if not np.isfinite(score.value)] == []
    assert len(row.said) == 4
