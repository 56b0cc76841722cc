"""What this machine is and how fast it multiplies: the yardstick for every rate we print."""

import os
import platform
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


def matmul_rate(device: str = "cpu", side: int = 1024, repeats: int = 10) -> float:
    """Measure the best float32 matrix-product rate of a few tries, in operations per second."""
    a = torch.ones(side, side, device=device)
    best = 0.0
    for _ in range(repeats):
        start = time.perf_counter()
        for _ in range(4):
            product = a @ a
        float(product[0, 0])  # waits for an accelerator
        best = max(best, 4 * 2 * side**3 / (time.perf_counter() - start))
    return best


def _processor() -> str:
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        for line in cpuinfo.read_text().splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    return platform.processor() or platform.machine()
