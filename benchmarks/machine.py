"""The machine that measures: processor, versions, commit and current speed."""

import os
import platform
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Any

import psutil

from benchmarks.project_clone import ROOT, command_environment, git

PACKAGES = ("tensorflow", "keras", "numpy", "scikit-learn", "mlflow", "dvc")
MEASURED = ("src", "pipeline", "benchmarks", "params.yaml", "dvc.yaml", "requirements.lock", ":!benchmarks/results")
CPU_FLAGS = ("avx2", "avx512f", "avx512_bf16", "amx_bf16")

# Runs in a separate process: the threads of a matrix product make forking unsafe, and its memory would be counted.
PRODUCT = """
import time
import numpy as np
matrix = np.ones((2048, 2048), np.float32)
seconds = []
for _ in range(8):
    started = time.perf_counter()
    matrix @ matrix
    seconds.append(time.perf_counter() - started)
print(2 * 2048**3 / min(seconds) / 1e9)
"""


def machine() -> dict[str, Any]:
    """Describe processor, cores, CPU flags, memory and operating system."""
    cpu = Path("/proc/cpuinfo").read_text() if Path("/proc/cpuinfo").exists() else ""
    models = [line.partition(":")[2].strip() for line in cpu.splitlines() if line.startswith("model name")]
    flags = set(cpu.split())
    return {
        "processor": next(iter(models), platform.processor()),
        "cores": len(os.sched_getaffinity(0)),
        "abilities": [flag for flag in CPU_FLAGS if flag in flags],
        "memory_gib": round(psutil.virtual_memory().total / 2**30, 1),
        "system": f"{platform.system()} {platform.release().partition('-')[0]}",
    }


def versions() -> dict[str, str]:
    """Versions of Python and of the packages that determine the run time."""
    return {"python": platform.python_version()} | {name: version(name) for name in PACKAGES}


def commit() -> str:
    """The last commit that changed measured code; results and documentation do not count."""
    return git("log", "-1", "--format=%h", "--", *MEASURED, folder=ROOT)


def is_changed() -> bool:
    """Whether there are uncommitted changes, which a clone would not have."""
    return bool(git("status", "--porcelain", "--", *MEASURED, folder=ROOT))


def speed() -> float:
    """GFLOP/s of a matrix product on all cores; shows whether a shared machine was equally fast throughout."""
    done = subprocess.run(
        [sys.executable, "-c", PRODUCT], env=command_environment(), check=True, capture_output=True, text=True
    )
    return float(done.stdout)
