"""Checkpoints that are whole or absent: safetensors and JSON, no code.

checkpoints/<stage>/step-00001200/ holds model, ema, optimiser (.safetensors), state.json and MANIFEST.json.
All randomness is a function of (seed, step), so two integers stand for every generator and for the data
position. `latest` is computed from the folders, never stored; the last `KEPT` are kept. A checkpoint with
any file, tensor or key missing is refused by name: never silently started over.
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
from cavendish.errors import CorruptDataError
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
    tensors = {}
    for name in TENSORS:
        file = path / f"{name}.safetensors"
        try:
            tensors[name] = load_file(file)
        except (SafetensorError, OSError) as error:
            raise CorruptDataError(f"{file}: missing or not a safetensors file ({error})") from error
    state = read_json(path / "state.json")
    check_names(str(path / "state.json"), STATE, set(state))
    return tensors, state
