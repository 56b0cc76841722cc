"""What a person sees while a model learns: a live bar in a terminal, a line now and then elsewhere."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

from cavendish.training.log import Record

PLAIN_EVERY = 15.0  # s between lines where there is no terminal


def _speed(record: Record) -> str:
    return (
        f"loss {record['loss']:.4f}  {record['clips_per_second']:.0f} clips/s  "
        f"{record['flops_per_second'] / 1e9:.0f} GFLOP/s ({100 * record['flop_share']:.0f} % of matmul)"
    )


class Watch:
    """Shows training records as they come."""

    def __init__(self, console: Console) -> None:
        self.console = console
        self.shown = 0.0
        self.bar = Progress(
            TextColumn("learn {task.fields[stage]}"),
            BarColumn(),
            TaskProgressColumn(),
            TextColumn("{task.fields[speed]}"),
            TimeRemainingColumn(),
            console=console,
            disable=not console.is_terminal,
        )
        self.tasks: dict[str, int] = {}

    def __call__(self, record: Record) -> None:
        """Show one record."""
        stage = record["stage"]
        if stage not in self.tasks:
            self.tasks[stage] = self.bar.add_task("", total=record["steps"], stage=stage, speed="")
        self.bar.update(self.tasks[stage], completed=record["step"], speed=_speed(record))  # type: ignore[arg-type]
        last = record["step"] == record["steps"]
        if not self.console.is_terminal and (last or time.monotonic() - self.shown > PLAIN_EVERY):
            self.shown = time.monotonic()
            self.console.print(
                f"learn {stage}: step {record['step']}/{record['steps']}  {_speed(record)}  "
                f"{record['seconds_left']:.0f} s left",
                highlight=False,
            )


@contextmanager
def watching(console: Console) -> Iterator[Watch]:
    """Show progress while the block runs."""
    watch = Watch(console)
    with watch.bar:
        yield watch
