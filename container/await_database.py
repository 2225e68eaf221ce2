"""Waits until the database of a container accepts connections, then replaces itself with the command that follows."""

import os
import signal
import sys
import time

import psycopg
from sqlalchemy.engine import URL, make_url

VARIABLES = ("MLFLOW_BACKEND_STORE_URI", "MODELYARD_OPTUNA_STORAGE")
WAIT_SECONDS = float(os.environ.get("MODELYARD_WAIT_SECONDS", "120"))
POLL_SECONDS = 2
CONNECT_SECONDS = 5
TEMPORARY = ("starting up", "shutting down", "not yet accepting", "recovery", "too many", "remaining connection slots")


def main(command: list[str]) -> None:
    """Wait for the PostgreSQL databases named in VARIABLES, then run the command in place of this process."""
    signal.signal(signal.SIGTERM, lambda number, _: os._exit(128 + number))  # a container's first process ignores it
    for variable in VARIABLES:
        if os.environ.get(variable, "").startswith("postgresql"):
            wait_for(make_url(os.environ[variable]))
    os.execvp(command[0], command)  # noqa: S606


def wait_for(database: URL) -> None:
    """Return once a database accepts a connection; exit if it refuses, or does not answer within WAIT_SECONDS."""
    shown, printed, deadline = database.render_as_string(hide_password=True), "", time.monotonic() + WAIT_SECONDS
    while reason := connection_error(database):
        if "FATAL" in reason and not any(text in reason for text in TEMPORARY):
            sys.exit(
                f"error: {shown} refuses the connection: {reason}. A database keeps the names and passwords with "
                "which its volume was created: use those, or change them in the database (ALTER ROLE ... PASSWORD)."
            )
        if time.monotonic() > deadline:
            sys.exit(
                f"error: {shown} has not answered for {WAIT_SECONDS:g} s: {reason}. Check that it runs and that the "
                "address is right, then start again; set MODELYARD_WAIT_SECONDS to wait longer."
            )
        if reason != printed:
            print(f"waiting for {shown}: {reason}", file=sys.stderr, flush=True)  # noqa: T201
        printed = reason
        time.sleep(POLL_SECONDS)


def connection_error(database: URL) -> str:
    """Why a connection fails, in one line; empty if it succeeds. PGPASSWORD is used if the URL has no password."""
    try:
        psycopg.connect(
            host=database.host, port=database.port or 5432, user=database.username, password=database.password,
            dbname=database.database, connect_timeout=CONNECT_SECONDS,
        ).close()  # fmt: skip
    except psycopg.OperationalError as error:
        return " ".join(str(error).split())
    return ""


if __name__ == "__main__":
    main(sys.argv[1:])
