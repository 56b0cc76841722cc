"""What is learnt does not depend on how a step is spread over processes and over time."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from cavendish.cli import call
from cavendish.data import Split
from cavendish.errors import BadInputError
from cavendish.models import DiffusionConfig
from cavendish.training import Run, TrainingConfig, seeded, train
from cavendish.training import checkpoint as store
from cavendish.training.log import read_log
from cavendish.training.signals import StopRequest
from cavendish.training.spread import Spread

FIELDS = {"data.picture.height": 16, "data.picture.width": 16, "training.steps": 4, "training.batch": 4}
FIELDS |= {"training.save-every": 2, "spread.parts": 2, "model.size": "pico-hourglass"}
CALL = ["cavendish.cli", "train", "uniform-quick", *(word for k, v in FIELDS.items() for word in (f"--{k}", str(v)))]
TWO = ["torch.distributed.run", "--standalone", "--nproc-per-node", "2", "-m"]


def train_in(out: Path, *launcher: str) -> Path:
    """Run the command here, or in processes of its own where a launcher is named, and return the run folder."""
    if not launcher:
        assert call([*CALL[1:], "--out", str(out)]) == 0
        return next(out.iterdir())
    command = [sys.executable, "-m", *launcher, *CALL, "--out", str(out)]
    done = subprocess.run(
        command, check=False, capture_output=True, text=True, env=os.environ | {"OMP_NUM_THREADS": "1"}
    )
    assert done.returncode == 0, done.stderr
    return next(out.iterdir())


def begun(run: Path, out: Path) -> Path:
    """Copy a run as it was after its first checkpoint."""
    shutil.copytree(run, out / run.name)
    shutil.rmtree(out / run.name / "checkpoints" / "model" / "step-00000004")
    return out


def differ(one: Path, other: Path) -> float:
    """Return the largest difference between the last checkpoints of two runs."""
    kinds = [store.load(store.steps(run / "checkpoints" / "model")[-1])[0] for run in (one, other)]
    assert {k: set(v) for k, v in kinds[0].items()} == {k: set(v) for k, v in kinds[1].items()}
    pairs = [(value, kinds[1][kind][name]) for kind, part in kinds[0].items() for name, value in part.items()]
    return max(float((a - b).abs().max()) for a, b in pairs if a.numel())


@pytest.mark.slow
def test_two_processes_learn_what_one_learns_and_go_on_from_each_others_checkpoints(tmp_path: Path) -> None:
    one = train_in(tmp_path / "one")
    two = train_in(tmp_path / "two", *TWO)
    (alone,), (together,) = (read_log(run / "log.jsonl") for run in (one, two))
    assert together["loss"] == pytest.approx(alone["loss"], rel=1e-5)
    assert together["gradient_norm"] == pytest.approx(alone["gradient_norm"], rel=1e-5)
    assert differ(one, two) < 1e-5
    assert differ(one, train_in(begun(two, tmp_path / "back to one"))) < 1e-5
    assert differ(one, train_in(begun(one, tmp_path / "on to two"), *TWO)) < 1e-5
    assert json.loads((one / "study.json").read_text())["spread"]["parts"] == 2


def test_recomputed_blocks_learn_the_same_bits(tiny_split: Split, tmp_path: Path) -> None:
    states = []
    for name, spread in (("kept", Spread()), ("again", Spread(recompute=True))):
        model = DiffusionConfig(size="pico", patch=8, tubelet=4).build(seeded(0))
        config = TrainingConfig(steps=3, batch=2)
        train(model, Run(tmp_path / name, tiny_split, config, 0, StopRequest(), lambda record: None, spread))
        states.append(model.state_dict())
    assert all(torch.equal(value, states[1][name]) for name, value in states[0].items())


def test_a_batch_that_cannot_be_cut_is_refused(tiny_split: Split, tmp_path: Path) -> None:
    model = DiffusionConfig(size="pico", patch=8, tubelet=4).build(seeded(0))
    config = TrainingConfig(steps=3, batch=4)
    with pytest.raises(BadInputError, match="parts = 3, expected a divisor of the batch of 4"):
        train(model, Run(tmp_path, tiny_split, config, 0, StopRequest(), lambda record: None, Spread(3)))
    with pytest.raises(BadInputError, match="at least 1"):
        Spread(0)
