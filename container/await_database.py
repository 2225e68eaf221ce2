"""Waits until the database that a container needs answers, tells for what, and becomes the command that follows."""

import os
import sys
import time

import psycopg
from sqlalchemy.engine import URL, make_url

VARIABLES = ("MLFLOW_BACKEND_STORE_URI", "MODELYARD_OPTUNA_STORAGE")
SECONDS = float(os.environ.get("MODELYARD_WAIT_SECONDS", "120"))
LOOK_SECONDS = 2
ANSWER_SECONDS = 5
PASSING = ("starting up", "shutting down", "not yet accepting", "recovery", "too many", "remaining connection slots")


def main(command: list[str]) -> None:
    for variable in VARIABLES:
        if os.environ.get(variable, "").startswith("postgresql"):
            wait_for(make_url(os.environ[variable]))
    os.execvp(command[0], command)  # noqa: S606


def wait_for(database: URL) -> None:
    """Return once a database answers; end the process if it refuses, or is silent for SECONDS."""
    shown, told, ends = database.render_as_string(hide_password=True), "", time.monotonic() + SECONDS
    while reason := why_not(database):
        if "FATAL" in reason and not any(each in reason for each in PASSING):
            sys.exit(
                f"error: {shown} refuses: {reason}. A database keeps the names and passwords with which its volume "
                "was made: give those, or change them there (ALTER ROLE ... PASSWORD)."
            )
        if time.monotonic() > ends:
            sys.exit(
                f"error: {shown} has not answered for {SECONDS:g} s: {reason}. See that it runs and that the address "
                "is right, then start again; MODELYARD_WAIT_SECONDS waits longer."
            )
        if reason != told:
            print(f"waiting for {shown}: {reason}", file=sys.stderr, flush=True)  # noqa: T201
        told = reason
        time.sleep(LOOK_SECONDS)


def why_not(database: URL) -> str:
    """Why a database does not answer, in one line; nothing if it does. Without a password in it, PGPASSWORD counts."""
    try:
        psycopg.connect(
            host=database.host, port=database.port or 5432, user=database.username, password=database.password,
            dbname=database.database, connect_timeout=ANSWER_SECONDS,
        ).close()  # fmt: skip
    except psycopg.OperationalError as error:
        return " ".join(str(error).split())
    return ""


if __name__ == "__main__":
    main(sys.argv[1:])
