"""What the figures were measured on: processor, versions, commit, and how fast the machine is just now."""

import os
import platform
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Any

import psutil

from benchmarks.playground import ROOT, git, surroundings

PACKAGES = ("tensorflow", "keras", "numpy", "scikit-learn", "mlflow", "dvc")
MEASURED = ("src", "pipeline", "benchmarks", "params.yaml", "dvc.yaml", "requirements.lock", ":!benchmarks/results")
ABILITIES = ("avx2", "avx512f", "avx512_bf16", "amx_bf16")

# A process of its own: threads of a matrix product would make forking unsound, and its memory would be ours.
PRODUCT = """
import time
import numpy as np
matrix = np.ones((2048, 2048), np.float32)
took = []
for _ in range(8):
    began = time.perf_counter()
    matrix @ matrix
    took.append(time.perf_counter() - began)
print(2 * 2048**3 / min(took) / 1e9)
"""


def machine() -> dict[str, Any]:
    """The processor, its cores and abilities, memory and system."""
    cpu = Path("/proc/cpuinfo").read_text() if Path("/proc/cpuinfo").exists() else ""
    models = [line.partition(":")[2].strip() for line in cpu.splitlines() if line.startswith("model name")]
    flags = set(cpu.split())
    return {
        "processor": next(iter(models), platform.processor()),
        "cores": len(os.sched_getaffinity(0)),
        "abilities": [flag for flag in ABILITIES if flag in flags],
        "memory_gib": round(psutil.virtual_memory().total / 2**30, 1),
        "system": f"{platform.system()} {platform.release().partition('-')[0]}",
    }


def versions() -> dict[str, str]:
    """Python's version and those of the packages that take the time."""
    return {"python": platform.python_version()} | {name: version(name) for name in PACKAGES}


def commit() -> str:
    """The last commit that changed what is measured: results and documents do not count."""
    return git("log", "-1", "--format=%h", "--", *MEASURED, folder=ROOT)


def is_changed() -> bool:
    """Whether files differ from that commit; a clone would not have the difference."""
    return bool(git("status", "--porcelain", "--", *MEASURED, folder=ROOT))


def speed() -> float:
    """GFLOP/s of a matrix product on all cores: a machine shared with others is not equally fast all day."""
    done = subprocess.run(
        [sys.executable, "-c", PRODUCT], env=surroundings(), check=True, capture_output=True, text=True
    )
    return float(done.stdout)
