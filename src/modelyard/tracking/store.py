"""The MLflow tracking store: where it is, its creation, and its errors in plain words."""

import logging
import os
import shlex
import socket
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit
from urllib.request import getproxies, proxy_bypass

from modelyard.core import addresses
from modelyard.core.errors import ModelyardError
from modelyard.core.project_name import project_name
from modelyard.tracking.database import (
    MEMORY,
    SQLITE,
    VARIABLE,
    advice,
    back_up_sqlite,
    create_sqlite,
    refuse_migration,
    sqlite_uri,
)
from modelyard.tracking.relocation import relocate_artifacts

DEFAULT_EXPERIMENT = "modelyard"
# Set before MLflow is imported; values that the user has set win.
MLFLOW_DEFAULTS = {
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2",  # MLflow's own limits make every stage wait for minutes
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "20",
    "MLFLOW_SYSTEM_METRICS_SAMPLING_INTERVAL": "5",  # seconds
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
}
# They name the run, experiment or model of a job around this process, which MLflow would write into.
VARIABLES_OF_OTHERS = ("MLFLOW_RUN_ID", "MLFLOW_EXPERIMENT_ID", "MLFLOW_EXPERIMENT_NAME", "MLFLOW_ACTIVE_MODEL_ID")
SERVER = ("http", "https")
PORTS = {"http": 80, "https": 443, "postgresql": 5432, "mysql": 3306, "mssql": 1433}
DATABASES = ("sqlite", "postgresql", "mysql")
CONNECT_SECONDS = 5.0


def tracking_uri() -> str:
    """The URI of the tracking store: MLFLOW_TRACKING_URI, or an SQLite database in the project's root.

    A relative path is meant from that root: the temporary folder of a DVC experiment is deleted.
    """
    address = os.environ.get(VARIABLE)
    if not address:
        return sqlite_uri(_own_database())
    file = address.removeprefix(SQLITE)
    is_relative = file != address and not file.startswith(("/", MEMORY))
    return sqlite_uri(project_root() / unquote(file)) if is_relative else address


def database_file() -> Path | None:
    """The file of the tracking store, if it is an SQLite database with nothing but a path in its address."""
    address = tracking_uri()
    is_file = address.startswith(SQLITE) and "?" not in address and not address.endswith(MEMORY)
    return Path(unquote(address.removeprefix(SQLITE))) if is_file else None


def masked_tracking_uri() -> str:
    """The tracking URI without user name and password, for screens and logs."""
    return addresses.masked(tracking_uri())


def mlflow_command(arguments: str) -> str:
    """A command line of MLflow for the store; an address with a password is not repeated, as the variable has it.

    MLflow sets the variable in this process, so that it does not say here what the user has set.
    """
    address = tracking_uri()
    assignment = f"{VARIABLE}={shlex.quote(address)} " if address.startswith(SQLITE) else ""
    return f"{assignment}mlflow {arguments}"


def mask_password(text: str) -> str:
    """A text, such as an error message of the store, without the password of the tracking URI and of parts of it."""
    return addresses.mask_in(text, tracking_uri())


def project_root() -> Path:
    """The project's root folder, also from within the temporary folder of a DVC experiment."""
    return Path(os.environ.get("DVC_ROOT") or Path.cwd()).resolve()


def mlflow_experiment() -> str:
    """The MLflow experiment of this project: projects may share a server."""
    return project_name(project_root()) or DEFAULT_EXPERIMENT


def is_enabled() -> bool:
    """Whether runs are tracked: unless MODELYARD_TRACKING is off, 0, false or no."""
    return os.environ.get("MODELYARD_TRACKING", "on").lower() not in ("off", "0", "false", "no")


def open_store() -> None:
    """Point MLflow to the store, and create its database if it is an SQLite file that does not exist yet.

    Call it before MLflow is imported: it sets the environment for that.

    Raises:
        ModelyardError: the store is of a kind that cannot be used, or does not answer.
    """
    check_address()
    _import_mlflow().set_tracking_uri(tracking_uri())
    prepare_store()


def connect() -> None:
    """Open the store, and create the project's experiment where it does not exist yet, for runs to be logged.

    Raises:
        ModelyardError: the store is of a kind that cannot be used, does not answer, or the experiment was deleted.
    """
    open_store()
    mlflow = _import_mlflow()
    with _store_lock():
        name = mlflow_experiment()
        experiment = mlflow.get_experiment_by_name(name)
        if experiment is None:
            is_server = tracking_uri().partition(":")[0] in SERVER  # which stores artifacts itself
            artifacts = None if is_server else (project_root() / "mlartifacts").as_uri()
            try:
                mlflow.create_experiment(name, artifact_location=artifacts)
            except mlflow.MlflowException as error:  # another machine was first, or a slow server was asked twice
                if error.error_code != "RESOURCE_ALREADY_EXISTS":
                    raise
        elif experiment.lifecycle_stage != "active":
            raise ModelyardError(
                f"the experiment {name} of {masked_tracking_uri()} was deleted. Restore it: "
                f"{mlflow_command(f'experiments restore --experiment-id {experiment.experiment_id}')}"
            )
    mlflow.set_experiment(name)


def prepare_store() -> None:
    """Create an SQLite database that does not exist; copy one that MLflow is about to migrate, and say so.

    One process at a time does so: a database that several processes create at once is left broken.
    """
    file = database_file()
    if file is None:
        return
    with _store_lock():
        if not file.exists():
            _import_mlflow()
            create_sqlite(file)
        if line := back_up_sqlite(file, project_root()):
            print(line, file=sys.stderr)  # noqa: T201
        report_relocation()


def check_address() -> None:
    """Refuse a tracking URI that MLflow would take minutes, or a traceback, to refuse.

    Raises:
        ModelyardError: the store is a folder, its password is misread, or nothing answers at its host and port.
    """
    address = tracking_uri()
    addresses.check_credentials(address, VARIABLE)
    scheme = address.partition(":")[0] if ":" in address else ""
    is_folder = scheme in ("", "file") and address != "databricks"
    if is_folder and os.environ.get("MLFLOW_ALLOW_FILE_STORE", "").lower() not in ("true", "1"):
        own = sqlite_uri(_own_database())
        raise ModelyardError(
            f"{VARIABLE}={address} is a folder; MLflow does not store runs in folders any more. Unset it to use {own}, "
            "or give the address of a database or of a server. To copy the runs of a folder: "
            f"mlflow migrate-filestore --source {shlex.quote(address)} --target {shlex.quote(own)}"
        )
    host, port = _host_and_port(address)
    is_behind_proxy = scheme in SERVER and getproxies().get(scheme) and not proxy_bypass(host)
    if host and not is_behind_proxy:
        _check_port(host, port)
    if scheme.partition("+")[0] in DATABASES:
        _check_database(address)


def report_relocation() -> None:
    """Use the artifacts of this folder where it was moved or copied together with its database, and say so."""
    if database_file() == _own_database():
        for line in relocate_artifacts(_own_database(), project_root() / "mlartifacts", mlflow_experiment()):
            print(line, file=sys.stderr)  # noqa: T201


@contextmanager
def explain_errors() -> Iterator[None]:
    """Raise whatever MLflow, its database or its server raises as one line.

    Raises:
        ModelyardError: the store failed.
    """
    try:
        yield
    except ModelyardError:
        raise
    except Exception as error:
        raise ModelyardError(f"the tracking store {masked_tracking_uri()} failed: {reason(error)}{_advice()}") from None


def reason(error: BaseException) -> str:
    """An error of the store on one line, without the password of its address."""
    if isinstance(error, ModelyardError):
        return mask_password(str(error))
    cause: Any = getattr(error, "orig", None) or error  # what the database said, without the SQL statement
    first = next((line for line in str(cause).splitlines() if line.strip()), "")
    return mask_password(f"{type(cause).__name__}: {first.strip()}")


def run_id_file(experiment: str) -> Path:
    """The file that holds the id of an experiment's last run."""
    return project_root() / ".modelyard" / "runs" / experiment


def saved_run_id(experiment: str) -> str:
    """The id of an experiment's last run; empty if there is none, or the file is damaged."""
    with suppress(OSError, UnicodeDecodeError):
        return run_id_file(experiment).read_text(encoding="utf-8").strip()
    return ""


def _import_mlflow() -> Any:
    for name in VARIABLES_OF_OTHERS:
        os.environ.pop(name, None)
    for name, value in MLFLOW_DEFAULTS.items():
        os.environ.setdefault(name, value)
    try:
        Path.home()
    except RuntimeError:  # a user without an entry in /etc/passwd, with whom MLflow cannot be imported
        os.environ["HOME"] = tempfile.gettempdir()
    import mlflow

    logging.getLogger("mlflow").setLevel(logging.ERROR)
    return mlflow


def _store_lock() -> Any:
    """The lock of the store's creation, which whoever has it can take again."""
    from filelock import FileLock

    folder = project_root() / ".modelyard"
    folder.mkdir(exist_ok=True)
    return FileLock(folder / "mlflow.lock", is_singleton=True)


def _own_database() -> Path:
    return project_root() / "mlflow.db"


def _advice() -> str:
    return advice(_own_database(), project_root()) if database_file() == _own_database() else ""


def _check_port(host: str, port: int) -> None:
    """Refuse a host and port where nothing answers within CONNECT_SECONDS."""
    try:
        socket.create_connection((host, port), CONNECT_SECONDS).close()
    except OSError as error:
        raise ModelyardError(
            f"nothing answers at {masked_tracking_uri()} ({host}, port {port}: {error.strerror or error}). Start the "
            f"server, or correct {VARIABLE}."
        ) from None


def _check_database(address: str) -> None:
    """Connect once: MLflow would repeat what fails, such as a wrong password, for almost two minutes.

    Raises:
        ModelyardError: the database refuses the connection.
    """
    from sqlalchemy import NullPool, create_engine, make_url

    try:
        url = make_url(address)
        is_file = url.get_backend_name() == "sqlite"
        if (file := database_file()) is not None and not file.is_file():
            return  # MLflow will create it
        options = {} if is_file else {"connect_timeout": int(CONNECT_SECONDS)}
        with create_engine(url, poolclass=NullPool, connect_args=options).connect() as connection:
            connection.exec_driver_sql("PRAGMA schema_version" if is_file else "SELECT 1")
            if not is_file:
                refuse_migration(connection, masked_tracking_uri(), project_root())
    except ModelyardError:
        raise
    except Exception as error:  # of SQLAlchemy or of a driver
        raise ModelyardError(
            f"the database {masked_tracking_uri()} cannot be used: {reason(error)}. Correct {VARIABLE} or the database."
        ) from None


def _host_and_port(address: str) -> tuple[str, int]:
    """Host and port of a server or database; no host for a file, or where a driver finds it by itself.

    Raises:
        ModelyardError: it cannot be read.
    """
    try:
        if address.partition("://")[0] in SERVER:
            parts = urlsplit(address)
            return parts.hostname or "", parts.port or PORTS[parts.scheme]
        if address.partition(":")[0].partition("+")[0] not in PORTS:
            return "", 0
        from sqlalchemy import make_url

        url = make_url(address)
        return url.host or "", url.port or PORTS[url.get_backend_name()]
    except Exception as error:
        raise ModelyardError(
            f"{VARIABLE} ({masked_tracking_uri()}) is not an address that MLflow can use: {reason(error)}. Examples: "
            "https://mlflow.example.org, postgresql+psycopg://user@host/database, sqlite:////folder/mlflow.db."
        ) from None
