"""Where the diary is kept, and the making of it."""

import logging
import os
from pathlib import Path

MLFLOW_EXPERIMENT = "modelyard"
# MLflow waits for minutes by default; every stage would wait again. A person's own values win.
PATIENCE = {"MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2", "MLFLOW_HTTP_REQUEST_TIMEOUT": "20"}
MEASURED = {"MLFLOW_SYSTEM_METRICS_SAMPLING_INTERVAL": "5"}  # seconds
QUIET = {"MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true"}  # a command's output is its own


def tracking_uri() -> str:
    """The address of the tracking store: MLFLOW_TRACKING_URI, or a database in the project's root."""
    return os.environ.get("MLFLOW_TRACKING_URI") or f"sqlite:///{project_root() / 'mlflow.db'}"


def masked_tracking_uri() -> str:
    """The store's address without name and password, for screens and logs."""
    return mask_password(tracking_uri())


def mask_password(told: str) -> str:
    """What is told of the store, such as an error, without name and password."""
    secret = tracking_uri().rpartition("@")[0].partition("://")[2]
    return told.replace(f"{secret}@", "...@") if secret else told


def project_root() -> Path:
    """The project's root, also from within the temporary folder of a DVC experiment."""
    return Path(os.environ.get("DVC_ROOT") or Path.cwd()).resolve()


def is_enabled() -> bool:
    """Whether runs are tracked."""
    return os.environ.get("MODELYARD_TRACKING", "on").lower() not in ("off", "0", "false", "no")


def connect() -> None:
    """Make the store and the experiment once: a fresh database opened by several processes at once is left broken."""
    for name, value in (PATIENCE | MEASURED | QUIET).items():
        os.environ.setdefault(name, value)
    import mlflow
    from filelock import FileLock

    logging.getLogger("mlflow").setLevel(logging.ERROR)
    mlflow.set_tracking_uri(tracking_uri())
    folder = project_root() / ".modelyard"
    folder.mkdir(exist_ok=True)
    with FileLock(folder / "mlflow.lock"):
        if mlflow.get_experiment_by_name(MLFLOW_EXPERIMENT) is None:
            served = tracking_uri().startswith(("http://", "https://"))
            artifacts = None if served else (project_root() / "mlartifacts").as_uri()
            mlflow.create_experiment(MLFLOW_EXPERIMENT, artifact_location=artifacts)
    mlflow.set_experiment(MLFLOW_EXPERIMENT)


def run_id_file(name: str) -> Path:
    """The file that remembers the id of an experiment's last run."""
    return project_root() / ".modelyard" / "runs" / name
