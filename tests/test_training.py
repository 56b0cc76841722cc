"""Training is a function of two integers: stopped anywhere, it goes on as if nothing had happened."""

import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Literal

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from cavendish.data import Split
from cavendish.errors import BadInputError, CorruptDataError, InterruptedRunError, NonFiniteError
from cavendish.models import DiffusionConfig, WorldModel
from cavendish.training import Run, TrainingConfig, load_trained, seeded, train
from cavendish.training import checkpoint as store
from cavendish.training.log import read_log
from cavendish.training.muon import orthogonalise
from cavendish.training.optimiser import Optimiser, rate_share
from cavendish.training.signals import StopRequest, stop_requests

MODEL = DiffusionConfig(size="pico", patch=8, tubelet=4)


def trained(folder: Path, split: Split, config: TrainingConfig, stop: StopRequest | None = None) -> WorldModel:
    """Train a tiny model in a folder, or go on with it."""
    model = MODEL.build(seeded(0))
    train(model, Run(folder, split, config, 0, stop or StopRequest(), lambda record: None))
    return model


def digest(folder: Path) -> str:
    """Hash parameters, average and optimiser of the newest checkpoint."""
    newest = store.steps(folder / "checkpoints" / "model")[-1]
    tensors, state = store.load(newest)
    content = hashlib.sha256(json.dumps(state, sort_keys=True).encode())
    for kind in sorted(tensors):
        for name in sorted(tensors[kind]):
            content.update(name.encode() + tensors[kind][name].numpy().tobytes())
    return content.hexdigest()


@pytest.mark.slow
@pytest.mark.parametrize("pause", [13, pytest.param(1, marks=pytest.mark.endurance)])
def test_resumed_run_equals_uninterrupted_run_at_every_step(pause: int, tiny_split: Split, tmp_path: Path) -> None:
    steps = 40
    config = TrainingConfig(steps=steps, batch=2, save_every=1000)
    trained(tmp_path / "whole", tiny_split, config)
    expected, log = digest(tmp_path / "whole"), len(read_log(tmp_path / "whole" / "log.jsonl"))
    every = replace(config, save_every=1)
    kept, store.KEPT = store.KEPT, steps
    try:
        trained(tmp_path / "saved", tiny_split, every)
    finally:
        store.KEPT = kept
    for step in range(1, steps, pause):
        folder = tmp_path / "resumed"
        source = tmp_path / "saved" / "checkpoints" / "model" / f"step-{step:08d}"
        shutil.copytree(source, folder / "checkpoints" / "model" / source.name)
        trained(folder, tiny_split, config)
        assert digest(folder) == expected, f"resumed at step {step}"
        shutil.rmtree(folder)
    assert log == steps // 20


def test_the_average_is_what_is_left_in_the_model(tiny_split: Split, tmp_path: Path) -> None:
    model = trained(tmp_path, tiny_split, TrainingConfig(steps=3, batch=2, save_every=2))
    average = load_file(store.steps(tmp_path / "checkpoints" / "model")[-1] / "ema.safetensors")
    assert all(torch.equal(value, average[name]) for name, value in model.state_dict().items())
    loaded = MODEL.build(seeded(9))
    load_trained(loaded, tmp_path)
    assert all(torch.equal(value, average[name]) for name, value in loaded.state_dict().items())


def test_training_twice_does_nothing_more(tiny_split: Split, tmp_path: Path) -> None:
    config = TrainingConfig(steps=3, batch=2)
    trained(tmp_path, tiny_split, config)
    before = {p: p.stat().st_mtime_ns for p in tmp_path.rglob("*.safetensors")}
    trained(tmp_path, tiny_split, config)
    assert {p: p.stat().st_mtime_ns for p in tmp_path.rglob("*.safetensors")} == before


@pytest.mark.parametrize("rule", ["adamw", "muon"])
def test_both_optimisers_lower_the_loss_on_one_batch(rule: str, tiny_split: Split) -> None:
    from cavendish.training.optimiser import Optimiser

    model = MODEL.build(seeded(0))
    optimiser = Optimiser(model, rule, 1e-3)
    clip, losses = tiny_split.clips(np.arange(2)), []
    for _ in range(12):
        loss, _ = model.loss(clip, seeded(0))
        loss.backward()
        optimiser.step(1.0)
        losses.append(loss.item())
    assert losses[-1] < 0.8 * losses[0]


def items(folder: Path) -> list[Callable[[], str]]:
    """List ways to damage a checkpoint; each returns the name that the refusal must contain."""

    def drop_file(name: str) -> Callable[[], str]:
        def damage() -> str:
            (folder / name).unlink()
            return name

        return damage

    def cut_file(name: str) -> Callable[[], str]:
        def damage() -> str:
            content = (folder / name).read_bytes()
            (folder / name).write_bytes(content[:-7])
            return name

        return damage

    names = ("model.safetensors", "ema.safetensors", "optimiser.safetensors", "state.json", "MANIFEST.json")
    return [drop_file(name) for name in names] + [cut_file(name) for name in names[:4]]


@pytest.mark.parametrize("number", range(9))
def test_a_damaged_checkpoint_is_refused_by_name(number: int, tiny_split: Split, tmp_path: Path) -> None:
    trained(tmp_path, tiny_split, TrainingConfig(steps=2, batch=2))
    named = items(store.steps(tmp_path / "checkpoints" / "model")[-1])[number]()
    with pytest.raises(CorruptDataError, match=named.replace(".", r"\.")):
        trained(tmp_path, tiny_split, TrainingConfig(steps=3, batch=2))


@pytest.mark.parametrize("kind", ["model", "ema", "optimiser"])
def test_removing_any_item_from_a_checkpoint_is_refused_with_its_name(
    kind: str, tiny_split: Split, tmp_path: Path
) -> None:
    trained(tmp_path, tiny_split, TrainingConfig(steps=2, batch=2))
    path = store.steps(tmp_path / "checkpoints" / "model")[-1]
    whole = store.load(path)[0][kind]
    for name in sorted(whole):
        save_file({key: value for key, value in whole.items() if key != name}, path / f"{kind}.safetensors")
        redo_manifest(path)
        with pytest.raises(CorruptDataError, match=f"'{name}' is missing"):
            trained(tmp_path, tiny_split, TrainingConfig(steps=3, batch=2))


@pytest.mark.parametrize("kind", ["model", "ema", "optimiser"])
def test_a_stored_item_of_another_shape_is_refused_with_its_name(kind: str, tiny_split: Split, tmp_path: Path) -> None:
    trained(tmp_path, tiny_split, TrainingConfig(steps=2, batch=2))
    path = store.steps(tmp_path / "checkpoints" / "model")[-1]
    whole = store.load(path)[0][kind]
    name = next(name for name, value in whole.items() if value.ndim == 2)
    save_file(whole | {name: whole[name][:-1].clone()}, path / f"{kind}.safetensors")
    redo_manifest(path)
    with pytest.raises(CorruptDataError, match=f"'{name}' has shape"):
        trained(tmp_path, tiny_split, TrainingConfig(steps=3, batch=2))


@pytest.mark.parametrize("rule", ["adamw", "muon"])
def test_what_has_met_no_gradient_yet_is_stored_like_all_else(rule: Literal["adamw", "muon"]) -> None:
    ends = []
    for pause in (False, True):
        model = MODEL.build(seeded(0))
        optimiser = Optimiser(model, rule, 1e-3)
        for first in (True, False):
            for name, parameter in model.named_parameters():
                parameter.grad = None if first and name.startswith("denoiser.blocks.0") else torch.ones_like(parameter)
            optimiser.step(1.0)
            if first and pause:
                state, optimiser = optimiser.state(), Optimiser(model, rule, 1e-3)
                optimiser.load(state, "memory")
        ends.append(model.state_dict())
    assert all(torch.equal(ends[0][name], ends[1][name]) for name in ends[0])


def test_removing_a_number_from_the_state_is_refused_with_its_name(tiny_split: Split, tmp_path: Path) -> None:
    trained(tmp_path, tiny_split, TrainingConfig(steps=2, batch=2))
    path = store.steps(tmp_path / "checkpoints" / "model")[-1]
    whole = json.loads((path / "state.json").read_text())
    for name in whole:
        (path / "state.json").write_text(json.dumps({key: value for key, value in whole.items() if key != name}))
        redo_manifest(path)
        with pytest.raises(CorruptDataError, match=f"'{name}' is missing"):
            trained(tmp_path, tiny_split, TrainingConfig(steps=3, batch=2))


def redo_manifest(path: Path) -> None:
    """Make the manifest agree with altered files, as a careful forger would."""
    files = {
        p.name: {"bytes": p.stat().st_size, "sha256": hashlib.sha256(p.read_bytes()).hexdigest()}
        for p in path.iterdir()
        if p.name != "MANIFEST.json"
    }
    (path / "MANIFEST.json").write_text(json.dumps({"files": files}))


def test_another_seed_is_not_resumed(tiny_split: Split, tmp_path: Path) -> None:
    config = TrainingConfig(steps=2, batch=2)
    trained(tmp_path, tiny_split, config)
    with pytest.raises(BadInputError, match="seed"):
        train(MODEL.build(seeded(0)), Run(tmp_path, tiny_split, config, 1, StopRequest(), lambda record: None))


def test_a_loss_that_is_not_finite_stops_before_any_parameter_moves(tiny_split: Split, tmp_path: Path) -> None:
    model = MODEL.build(seeded(0))
    with torch.no_grad():
        next(model.parameters()).fill_(float("inf"))
    before = {name: value.clone() for name, value in model.state_dict().items()}
    with pytest.raises(NonFiniteError, match="step 0"):
        train(model, Run(tmp_path, tiny_split, TrainingConfig(steps=2, batch=2), 0, StopRequest(), lambda record: None))
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())


def test_a_stop_request_saves_a_checkpoint_and_says_so(tiny_split: Split, tmp_path: Path) -> None:
    config = TrainingConfig(steps=20, batch=2, save_every=1000)
    with stop_requests() as stop:
        os.kill(os.getpid(), signal.SIGTERM)
        with pytest.raises(InterruptedRunError, match="SIGTERM after step 1"):
            trained(tmp_path, tiny_split, config, stop)
    assert [p.name for p in store.steps(tmp_path / "checkpoints" / "model")] == ["step-00000001"]


def test_only_the_newest_checkpoints_are_kept(tiny_split: Split, tmp_path: Path) -> None:
    trained(tmp_path, tiny_split, TrainingConfig(steps=6, batch=2, save_every=1))
    assert [p.name for p in store.steps(tmp_path / "checkpoints" / "model")] == ["step-00000005", "step-00000006"]


def test_newton_schulz_brings_singular_values_near_one() -> None:
    for shape in ((3, 64, 96), (2, 96, 256), (2, 256, 96)):
        values = torch.linalg.svdvals(orthogonalise(torch.randn(shape, generator=seeded(0))))
        assert values.min() > 0.3
        assert values.max() < 1.6


def test_the_rate_rises_stays_and_falls_to_nothing() -> None:
    shares = [rate_share(step, 1000, 0.02, 0.5) for step in range(1000)]
    assert shares[0] == pytest.approx(0.05)
    assert set(shares[20:500]) == {1.0}
    assert shares[-1] == pytest.approx(0.002)


RUN = "import sys; from cavendish.cli import call; sys.exit(call(sys.argv[1:]))"
SMALL = {
    "data.picture.height": 16,
    "data.picture.width": 16,
    "training.steps": 12,
    "training.batch": 2,
    "training.save-every": 2,
    "weighing.clips": 4,
    "weighing.cases": 20,
    "weighing.regions": "interpolation",
}
OVERRIDES = [word for field, value in SMALL.items() for word in (f"--{field}", str(value))]


def start(out: Path) -> subprocess.Popen[str]:
    """Start a small run in a process of its own."""
    return subprocess.Popen(
        [sys.executable, "-c", RUN, "run", "--out", str(out), *OVERRIDES],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
    )


def finish(out: Path) -> None:
    """Run the same command to its end."""
    with start(out) as process:
        _, complaint = process.communicate()
    assert process.returncode == 0, complaint


def results(out: Path) -> str:
    """Hash the scores and the final checkpoint of the one run in a folder."""
    (run,) = [p for p in out.iterdir() if p.is_dir()]
    scores = (run / "results" / "scores.json").read_bytes()
    return digest(run) + hashlib.sha256(scores).hexdigest()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("seed", "kills"), [(0, 3), *(pytest.param(seed, 5, marks=pytest.mark.endurance) for seed in (1, 2, 3, 4))]
)
def test_killed_anywhere_the_same_command_ends_with_the_same_bits(seed: int, kills: int, tmp_path: Path) -> None:
    begun = time.monotonic()
    finish(tmp_path / "whole")
    length = time.monotonic() - begun
    rng, out = np.random.default_rng(seed), tmp_path / "killed"
    for _ in range(kills):
        with start(out) as process:
            time.sleep(float(rng.uniform(0.3, 1.0)) * length)
            process.send_signal(signal.SIGKILL)
            process.communicate()
    finish(out)
    assert results(out) == results(tmp_path / "whole")
    assert not list(out.rglob(".tmp-*"))


@pytest.mark.slow
def test_sigterm_ends_a_run_with_75_and_the_same_command_resumes(tmp_path: Path) -> None:
    out = tmp_path / "stopped"
    with start(out) as process:
        deadline = time.monotonic() + 60
        while not list(out.rglob("step-*")) and time.monotonic() < deadline:
            time.sleep(0.02)
        process.send_signal(signal.SIGTERM)
        _, complaint = process.communicate()
    if process.returncode != 0:  # it may have been done already
        assert process.returncode == 75
        assert complaint.count("\n") == 1
        assert "resumes" in complaint
    finish(out)
