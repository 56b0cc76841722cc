"""Orbits: exact ones imply Kepler's force, and a pupil's force is read from its single steps."""

from typing import ClassVar, final

import numpy as np
import pytest
from jaxtyping import Float
from torch import Tensor

from cavendish.data import Split
from cavendish.scenes import Orbit
from cavendish.studies.experiment import Trial
from cavendish.studies.orbits import Orbiting, Orbits, _force
from cavendish.studies.state_pupils import Foreteller, StatePupil

TRUTH = Split(Orbit(), "interpolation", 20, seed=1).trajectories(np.arange(20))


@final
class Spring(Foreteller):
    """Steps of a world in which the pull grows with the distance: p = 1."""

    first: ClassVar = 3

    def forward(self, state: Float[Tensor, "b t k"], radius: Float[Tensor, "b n"]) -> Float[Tensor, "b s k"]:
        """Go on, and be pulled to the middle."""
        return (state[:, 2:] - state[:, 1:-1]) - 0.02 * state[:, 2:]


def test_exact_orbits_obey_kepler() -> None:
    row = Orbits().attempt(Trial("x", Orbiting(None, 0)))
    for where in ("inside", "outside"):
        assert row[f"{where}: exponent"].value == pytest.approx(-2, abs=0.01)
        assert row[f"{where}: range of exponents"].value < 0.01
        assert row[f"{where}: sideways / inward"].value < 0.01
        assert row[f"{where}: position error"].value == 0


def test_another_force_is_read_as_what_it_is() -> None:
    exponent, spread, aside = _force("inside", TRUTH, Spring())
    assert exponent.value == pytest.approx(1, abs=0.01)
    assert spread.value < 0.01
    assert aside.value < 0.01


def test_a_pupil_of_orbits_is_asked_everything() -> None:
    row = Orbits().attempt(Trial("x", Orbiting(StatePupil("transformer", width=16, window=3, steps=2), 0)))
    assert [score.name for score in row.scores if not np.isfinite(score.value)] == []
