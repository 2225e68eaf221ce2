"""What decides the last bits of a result besides code, settings and data: processor, libraries, environment."""

import os
import platform
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from modelyard.core.environment import AVX2

CPU_FEATURES = (
    "avx",
    "avx2",
    "fma",
    "avx512f",
    "avx512bw",
    "avx512dq",
    "avx512vl",
    "avx512_bf16",
    "avx512_fp16",
    "amx_tile",
    "amx_bf16",
)
"""The instruction sets, as Linux names them, among which oneDNN, OpenBLAS and NumPy choose when they are loaded."""

PACKAGES = (
    "numpy",
    "scipy",
    "scikit-learn",
    "tensorflow",
    "keras",
    "h5py",
    "pandas",
    "pyarrow",
    "skops",
    "matplotlib",
    "pillow",
)
"""What computes, reads or writes what is compared by its bytes."""

VARIABLES = (
    *AVX2,
    "DNNL_MAX_CPU_ISA",
    "ONEDNN_DEFAULT_FPMATH_MODE",
    "TF_XLA_FLAGS",
    "XLA_FLAGS",
    "GLIBC_TUNABLES",
)
"""Environment variables with which other code computes."""

CPUINFO, CACHES = Path("/proc/cpuinfo"), Path("/sys/devices/system/cpu/cpu0/cache")
GPUS = Path("/proc/driver/nvidia/gpus")


def describe() -> dict[str, Any]:
    """Everything here that can change the last bits of a result, ready for JSON; what the system hides is left out."""
    return {
        "processor": processor(),
        "cpu_features": cpu_features(),
        "caches": _caches(),
        "blas": _blas(),
        "python": platform.python_version(),
        "packages": {name: found for name in PACKAGES if (found := installed_version(name))},
        "libc": " ".join(platform.libc_ver()),
        "variables": {name: os.environ[name] for name in VARIABLES if os.environ.get(name)},
    }


def processor() -> str:
    """The model of the processor."""
    names = [line.partition(":")[2].strip() for line in _cpuinfo().splitlines() if line.startswith("model name")]
    return next(iter(names), platform.processor() or platform.machine())


def cpu_features() -> list[str]:
    """Those of CPU_FEATURES that the processor has; none where the system does not say."""
    flags = set(_cpuinfo().split())
    return [feature for feature in CPU_FEATURES if feature in flags]


def gpus() -> list[str]:
    """The model of each GPU that NVIDIA's driver names."""
    lines = [line for file in sorted(GPUS.glob("*/information")) for line in file.read_text().splitlines()]
    return [line.removeprefix("Model:").strip() for line in lines if line.startswith("Model:")]


def installed_version(package: str) -> str:
    """The version of a package, "" if it is not installed; it is not imported."""
    try:
        return version(package)
    except PackageNotFoundError:
        return ""


def _cpuinfo() -> str:
    try:
        return CPUINFO.read_bytes().decode(errors="replace")
    except OSError:  # not on Linux
        return ""


def _caches() -> dict[str, str]:
    """The size of each cache of a core: products of matrices are divided by it."""
    found = {}
    for index in sorted(CACHES.glob("index*")):
        try:
            level, kind, size = ((index / name).read_text().strip() for name in ("level", "type", "size"))
        except OSError:
            continue
        if kind != "Instruction":
            found[f"L{level}"] = size
    return found


def _blas() -> dict[str, str]:
    """The BLAS of NumPy and of SciPy, each with its version and the kind of core whose code it uses."""
    import numpy  # noqa: F401 (each brings a BLAS of its own, which is found once it is loaded)
    import scipy.linalg  # noqa: F401
    from threadpoolctl import threadpool_info

    libraries = [library for library in threadpool_info() if library["user_api"] == "blas"]
    return {
        Path(library["filepath"]).parent.name.removesuffix(".libs"): " ".join(
            str(library.get(key) or "unknown") for key in ("internal_api", "version", "architecture")
        )
        for library in sorted(libraries, key=lambda library: str(library["filepath"]))
    }
