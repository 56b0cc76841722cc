"""What this machine is and how fast it multiplies: the yardstick for every rate we print."""

import os
import platform
import statistics
import time
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


def matmul_rate(device: str = "cpu", side: int = 2048, repeats: int = 7) -> float:
    """Measure the median float32 rate of large matrix products, in operations per second."""
    a = torch.randn(side, side, device=device, generator=torch.Generator(device).manual_seed(0))
    rates = []
    for _ in range(repeats):
        start = time.perf_counter()
        product = a @ a
        float(product[0, 0])  # waits for an accelerator
        rates.append(2 * side**3 / (time.perf_counter() - start))
    return statistics.median(rates)


def _processor() -> str:
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        for line in cpuinfo.read_text().splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    return platform.processor() or platform.machine()
