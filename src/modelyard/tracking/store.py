"""The MLflow tracking store: where it is, and its creation."""

import logging
import os
from pathlib import Path

MLFLOW_EXPERIMENT = "modelyard"
# Set before MLflow is imported; values that the user has set win.
MLFLOW_DEFAULTS = {
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2",  # MLflow's own limits make every stage wait for minutes
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "20",
    "MLFLOW_SYSTEM_METRICS_SAMPLING_INTERVAL": "5",  # seconds
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
}


def tracking_uri() -> str:
    """The URI of the tracking store: MLFLOW_TRACKING_URI, or an SQLite database in the project's root."""
    return os.environ.get("MLFLOW_TRACKING_URI") or f"sqlite:///{project_root() / 'mlflow.db'}"


def masked_tracking_uri() -> str:
    """The tracking URI without user name and password, for screens and logs."""
    return mask_password(tracking_uri())


def mask_password(text: str) -> str:
    """A text, such as an error message of the store, without the user name and password of the tracking URI."""
    credentials = tracking_uri().rpartition("@")[0].partition("://")[2]
    return text.replace(f"{credentials}@", "...@") if credentials else text


def project_root() -> Path:
    """The project's root folder, also from within the temporary folder of a DVC experiment."""
    return Path(os.environ.get("DVC_ROOT") or Path.cwd()).resolve()


def is_enabled() -> bool:
    """Whether runs are tracked: unless MODELYARD_TRACKING is off, 0, false or no."""
    return os.environ.get("MODELYARD_TRACKING", "on").lower() not in ("off", "0", "false", "no")


def connect() -> None:
    """Point MLflow to the store, and create the store and the experiment where they do not exist yet.

    A lock lets one process at a time do so: a new database that several processes create at once is left broken.
    """
    for name, value in MLFLOW_DEFAULTS.items():
        os.environ.setdefault(name, value)
    import mlflow
    from filelock import FileLock

    logging.getLogger("mlflow").setLevel(logging.ERROR)
    mlflow.set_tracking_uri(tracking_uri())
    folder = project_root() / ".modelyard"
    folder.mkdir(exist_ok=True)
    with FileLock(folder / "mlflow.lock"):
        if mlflow.get_experiment_by_name(MLFLOW_EXPERIMENT) is None:
            is_server = tracking_uri().startswith(("http://", "https://"))  # which stores artifacts itself
            artifacts = None if is_server else (project_root() / "mlartifacts").as_uri()
            try:
                mlflow.create_experiment(MLFLOW_EXPERIMENT, artifact_location=artifacts)
            except mlflow.MlflowException as error:  # another machine was first, or a slow server was asked twice
                if error.error_code != "RESOURCE_ALREADY_EXISTS":
                    raise
    mlflow.set_experiment(MLFLOW_EXPERIMENT)


def run_id_file(experiment: str) -> Path:
    """The file that holds the id of an experiment's last run."""
    return project_root() / ".modelyard" / "runs" / experiment
