"""Checkpoints that are whole or absent: safetensors and JSON, no code.

checkpoints/<stage>/step-00001200/ holds model, ema, optimiser (.safetensors), state.json and MANIFEST.json.
All randomness is a function of (seed, step), so two integers stand for every generator and for the data
position. `latest` is computed from the folders, never stored; the last `KEPT` are kept. A checkpoint with
any file, tensor or key missing is refused by name: never silently started over. A published run has no past:
its folder holds the averaged parameters alone, <stage>.safetensors, under a manifest.
"""

import json
import shutil
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load_file
from safetensors.torch import save as to_bytes
from torch import Tensor

from cavendish.artefact import committed_folder, read_json, verify_folder
from cavendish.errors import BadInputError, CorruptDataError
from cavendish.training.optimiser import check_names

KEPT = 2
TENSORS = ("model", "ema", "optimiser")
STATE = {"step", "seed", "data_position", "clips_seen", "threads"}


def save(folder: Path, step: int, tensors: dict[str, dict[str, Tensor]], state: dict[str, Any]) -> Path:
    """Commit a checkpoint of a step, then forget all but the newest two."""
    target = folder / f"step-{step:08d}"
    with committed_folder(target) as private:
        for name in TENSORS:
            content = to_bytes({key: value.contiguous() for key, value in tensors[name].items()})
            (private / f"{name}.safetensors").write_bytes(content)
        (private / "state.json").write_text(json.dumps(state, indent=1))
    for old in steps(folder)[:-KEPT]:
        shutil.rmtree(old, ignore_errors=True)
    return target


def steps(folder: Path) -> list[Path]:
    """List the committed checkpoints, oldest first."""
    return sorted(folder.glob("step-*"))


def load(path: Path) -> tuple[dict[str, dict[str, Tensor]], dict[str, Any]]:
    """Verify and read one checkpoint."""
    verify_folder(path)
    tensors = {name: _tensors(path / f"{name}.safetensors") for name in TENSORS}
    state = read_json(path / "state.json")
    check_names(str(path / "state.json"), STATE, set(state))
    return tensors, state


def averaged(run: Path, stage: str) -> tuple[dict[str, Tensor], str]:
    """Return the newest averaged parameters of a stage, and where they come from."""
    published, found = run / f"{stage}.safetensors", steps(run / "checkpoints" / stage)
    if published.is_file():
        verify_folder(run)
        return _tensors(published), str(published)
    if not found:
        raise BadInputError(f"{run}: no checkpoint of stage '{stage}'; train it first")
    return load(found[-1])[0]["ema"], str(found[-1] / "ema.safetensors")


def publish(run: Path, stage: str, target: Path) -> None:
    """Write the newest averaged parameters of a stage into a folder."""
    tensors, _ = averaged(run, stage)
    (target / f"{stage}.safetensors").write_bytes(to_bytes({name: part.contiguous() for name, part in tensors.items()}))


def _tensors(file: Path) -> dict[str, Tensor]:
    try:
        return load_file(file)
    except (SafetensorError, OSError) as error:
        raise CorruptDataError(f"{file}: missing or not a safetensors file ({error})") from error
