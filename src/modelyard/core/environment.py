"""Environment variables of everything that a command starts, here or on a cluster; pipeline/python has them too."""

import os

QUIET = {"TF_CPP_MIN_LOG_LEVEL": "3", "MLFLOW_DISABLE_TELEMETRY": "true"}
"""No log noise from libraries."""

ONE_THREAD = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
"""Of all libraries but TensorFlow: results must not depend on the number of cores."""

AVX2 = {
    "TF_ENABLE_ONEDNN_OPTS": "1",  # by default only on some processors
    "ONEDNN_MAX_CPU_ISA": "AVX2",
    "OPENBLAS_CORETYPE": "Haswell",
    "OPENBLAS_L2_SIZE": "512",  # KiB: products of matrices are divided by the size of this cache
    "NPY_DISABLE_CPU_FEATURES": "X86_V4 AVX512_ICL AVX512_SPR",
}
"""Libraries take the instructions of AVX2 on every processor: with wider ones, sums are rounded differently.

A variable that is set already stays as it is.
"""


def set_variables() -> None:
    """Set these variables in this process, which must not have loaded NumPy or TensorFlow yet."""
    for name, value in (QUIET | AVX2).items():
        os.environ.setdefault(name, value)
    os.environ.update(ONE_THREAD)
