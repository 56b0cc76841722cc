"""What this machine is and how fast it multiplies: the yardstick for every rate we print."""

import ctypes
import os
import platform
import statistics
import time
from functools import cache
from pathlib import Path

import torch


def describe() -> dict[str, str | int]:
    """Name the processor, the cores in use, and the versions that results depend on."""
    return {
        "processor": _processor(),
        "threads": torch.get_num_threads(),
        "memory_gib": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30),
        "accelerator": torch.cuda.get_device_name() if torch.cuda.is_available() else "none",
        "system": platform.platform(),
        "python": platform.python_version(),
        "torch": torch.__version__,
    }


def keep_freed_memory() -> None:
    """Ask the C library to keep what is freed: each step frees and asks again for the same large blocks.

    Handing pages back and zeroing new ones costs 4 to 9 % of a training step (docs/log.md). Only GNU libc has the call.
    """
    if platform.libc_ver()[0] == "glibc":
        library = ctypes.CDLL(None)
        library.mallopt(-4, 0)  # M_MMAP_MAX: take large blocks from the heap as well
        library.mallopt(-1, 2**31 - 1)  # M_TRIM_THRESHOLD: never shrink the heap


def matmul_rate(device: str = "cpu", side: int = 2048, repeats: int = 7, numbers: torch.dtype = torch.float32) -> float:
    """Measure the median rate of large matrix products, in operations per second."""
    a = torch.randn(side, side, device=device, generator=torch.Generator(device).manual_seed(0)).to(numbers)
    rates = []
    for _ in range(repeats):
        start = time.perf_counter()
        product = a @ a
        float(product[0, 0])  # waits for an accelerator
        rates.append(2 * side**3 / (time.perf_counter() - start))
    return statistics.median(rates)


@cache
def usual_rate(device: str, numbers: torch.dtype = torch.float32) -> float:
    """Return the rate of large products, 1024 x 1024 on a CPU, measured once in the life of a process."""
    return matmul_rate(device, 1024 if device == "cpu" else 8192, numbers=numbers)


def _processor() -> str:
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        for line in cpuinfo.read_text().splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    return platform.processor() or platform.machine()
