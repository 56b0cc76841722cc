"""Pupils whose marks are known: each passes what it knows and fails exactly where it should."""

from functools import lru_cache

import numpy as np
import pytest

from cavendish.data import Picture, Split
from cavendish.measure.discovery import NO_LAW, OTHER, SAME
from cavendish.measure.results import MODEL, Entry
from cavendish.models import DiffusionConfig
from cavendish.scenes import Parabola
from cavendish.studies.controls import NearestCase
from cavendish.studies.marks import law_of
from cavendish.studies.study import Study, Weighing
from cavendish.studies.weigh import reader_of, weigh
from cavendish.training import TrainingConfig

GATES = ("lost share", "vanished share", "still share", "doubled share")
DATA = Split(Parabola(), size=3000, picture=Picture(64, 64))
STUDY = Study("controls", DATA, DiffusionConfig(), TrainingConfig(), Weighing(("ood-velocity",), 24, 3000))


@lru_cache
def marks() -> dict[str, Entry]:
    """Weigh the controls on untaught speeds; the copyist sits in the model's chair."""
    weighed = weigh(
        STUDY, "ood-velocity", NearestCase(DATA, 3000, reader_of(DATA)), NearestCase(DATA, 3000, reader_of(DATA))
    )
    laws = {who: law_of(Parabola(), reading) for who, reading in weighed.readings.items()}
    return {e.who: Entry(e.who, e.scores, e.copying, laws[e.who]) for e in weighed.result.entries}


def test_the_oracle_passes_every_gate_and_every_law() -> None:
    oracle = marks()["oracle"]
    assert {gate: oracle[gate].value for gate in GATES} == dict.fromkeys(GATES, 0.0)
    assert oracle.law.verdict == SAME
    assert oracle["law residual / reader noise"].value < 3
    assert abs(oracle["g along y off 2.5"].value) < 0.0125
    assert oracle["position error"].value < 0.01
    assert oracle["colour drift"].value < 5
    assert oracle.copying.value < 0.05
    assert oracle["bits that the law saves"].low > 0


def test_the_frozen_ball_fails_the_gate_and_looks_lawful_to_nobody() -> None:
    freeze = marks()["freeze"]
    assert freeze["still share"].value == 1.0
    assert freeze["law residual"].n == freeze["g along y off 2.5"].n == 0
    assert freeze.law.verdict == NO_LAW
    assert freeze["position error"].value > 1


def test_the_coasting_ball_passes_the_gates_and_obeys_another_law() -> None:
    coast = marks()["coast"]
    assert coast["still share"].value == coast["doubled share"].value == 0
    assert coast["g along y off 2.5"].value == pytest.approx(-2.5, abs=0.05)
    assert coast.law.verdict == OTHER
    assert coast["law residual / reader noise"].low > 50
    assert coast["velocity error x, time mean"].value < 0.05  # along x the law is to coast


def test_the_copyist_obeys_the_law_and_is_found_copying() -> None:
    for who in (MODEL, "nearest case"):
        copyist = marks()[who]
        assert copyist.copying.value > 0.95
        assert copyist["bits that the law saves"].high < 0
        assert copyist.law.verdict == SAME  # it replays true clips
        assert copyist["velocity error x, time mean"].value > 0.3
        fast = np.array(copyist["pull towards the taught range"].values)
        assert np.nanmean(fast) > 0.7
