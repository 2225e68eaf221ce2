"""Environment variables of everything that a command starts, here or on a cluster."""

QUIET = {"TF_CPP_MIN_LOG_LEVEL": "3", "MLFLOW_DISABLE_TELEMETRY": "true"}
"""Environment of everything that a command starts: no log noise from libraries (as in pipeline/python)."""

ONE_THREAD = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
"""Of all libraries but TensorFlow: results must not depend on the number of cores (as in pipeline/python)."""
