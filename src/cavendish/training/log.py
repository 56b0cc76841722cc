"""The training log: one JSON line per record, readable while it is written, and cut back on resume."""

import json
from pathlib import Path
from typing import Any

from cavendish.artefact import commit_file, disk_errors
from cavendish.errors import needs_extra

Record = dict[str, Any]


def read_log(path: Path) -> list[Record]:
    """Read all complete records; a last line that a kill cut short is left out."""
    if not path.exists():
        return []
    records = []
    for line in path.read_text().splitlines():
        try:
            records.append(json.loads(line))
        except ValueError:
            break
    return records


def rewind(path: Path, stage: str, step: int) -> None:
    """Forget the records of a stage after a step, so that a resumed run writes them once."""
    kept = [r for r in read_log(path) if r["stage"] != stage or r["step"] <= step]
    commit_file(path, "".join(json.dumps(r) + "\n" for r in kept).encode())


def append(path: Path, record: Record) -> None:
    """Add one record."""
    with disk_errors(path), path.open("a") as handle:
        handle.write(json.dumps(record) + "\n")


def to_tensorboard(records: list[Record], folder: Path) -> None:
    """Copy records to TensorBoard event files in a folder; needs the `tensorboard` extra."""
    with needs_extra("TensorBoard", "tensorboard"):
        from torch.utils.tensorboard import SummaryWriter
    writer = SummaryWriter(str(folder))
    for record in records:
        for key, value in record.items():
            if isinstance(value, int | float) and key != "step":
                writer.add_scalar(f"{record['stage']}/{key}", value, record["step"])
    writer.close()
