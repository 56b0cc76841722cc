"""Who does the cells of an experiment: this process, several processes here, or the tasks of a Ray cluster.

Every worker goes through the same grid and takes what is neither done nor in other hands (`experiment.in_turn`), so a
worker that is killed leaves a cell that another takes over from its last checkpoint. All see the same folder. Workers
here share the cores evenly; one whose starter has died finishes its cell and stops before the next.
"""

import multiprocessing
import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any, final

import torch
from rich.console import Console

from cavendish.errors import BadInputError, CavendishError, InterruptedRunError, needs_extra
from cavendish.studies.experiment import Experiment, in_turn

POOLS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")


@final
@dataclass(frozen=True)
class Processes:
    """Several processes on this machine."""

    count: int

    def __post_init__(self) -> None:
        """Refuse fewer than one."""
        if self.count < 1:
            raise BadInputError(f"workers = {self.count}, expected at least 1")

    def __call__(self, experiment: Experiment, preset: str, root: Path, console: Console) -> None:
        """Start the processes, wait, and finish alone what they left."""
        if self.count > 1:
            ways = multiprocessing.get_context("spawn")
            threads = max(1, (os.cpu_count() or 1) // self.count)
            os.environ.update({name: str(threads) for name in POOLS})  # whoever starts reads it as it is imported
            words = (experiment, preset, root, threads)
            team = [ways.Process(target=_work, args=words) for _ in range(self.count)]
            for worker in team:
                worker.start()
            for worker in team:
                worker.join()
            stopped = [worker.exitcode for worker in team if worker.exitcode]
            if InterruptedRunError.exit_code in stopped:
                raise InterruptedRunError(f"{experiment.name}: stopped; the same command resumes")
        in_turn(experiment, preset, root, console)


@final
@dataclass(frozen=True)
class Cluster:
    """The tasks of a Ray cluster (`local` starts one here), one worker for every core that it lends."""

    address: str
    count: int

    def __call__(self, experiment: Experiment, preset: str, root: Path, console: Console) -> None:
        """Start the tasks and wait."""
        with needs_extra("--ray", "ray"):
            import ray
        where, cores = (None, self.count) if self.address == "local" else (self.address, None)
        seen = {"env_vars": {"PYTHONPATH": os.pathsep.join(sys.path)}}  # what can be imported here can be there
        quiet: dict[str, Any] = {"log_to_driver": False, "include_dashboard": False, "configure_logging": False}
        ray.init(where, num_cpus=cores, runtime_env=seen, **quiet)
        try:
            task = ray.remote(_quietly)
            ray.get([task.remote(experiment, preset, str(root.absolute())) for _ in range(self.count)])
        finally:
            ray.shutdown()


def _work(experiment: Experiment, preset: str, root: Path, threads: int) -> None:
    torch.set_num_threads(threads)
    starter = os.getppid()
    try:
        in_turn(experiment, preset, root, Console(), lambda: os.getppid() == starter)
    except CavendishError as error:  # who started this meets the same error and says it once
        sys.exit(error.exit_code)


def _quietly(experiment: Experiment, preset: str, root: str) -> None:
    torch.set_num_threads(1)
    in_turn(experiment, preset, Path(root), Console(quiet=True))
