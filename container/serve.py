"""Becomes MLflow's server, with passwords on; what would stop it is told first."""

import os
import secrets
import socket
import sys
import tempfile
from pathlib import Path

PASSWORD = "MLFLOW_AUTH_ADMIN_PASSWORD"  # noqa: S105 (a variable's name)
# Users are kept in the database of the runs, in tables of their own.
USERS = "[mlflow]\ndefault_permission = READ\ndatabase_uri = {store}\nadmin_username = admin\n"


def main() -> None:
    if not os.environ.get(PASSWORD):
        sys.exit(
            f"error: {PASSWORD} is not set: the server has no password for its user admin. Set it, 12 letters or more."
        )
    refuse_a_taken_port(os.environ["MLFLOW_HOST"], int(os.environ["MLFLOW_PORT"]))
    users = Path(tempfile.mkdtemp()) / "users.ini"
    users.write_text(USERS.format(store=os.environ["MLFLOW_BACKEND_STORE_URI"]), encoding="utf-8")
    os.environ["MLFLOW_AUTH_CONFIG_PATH"] = str(users)
    # One key for all its processes. After a restart it is another: an open form must be sent again, nothing more.
    os.environ.setdefault("MLFLOW_FLASK_SERVER_SECRET_KEY", secrets.token_hex(32))
    os.execvp("mlflow", ["mlflow", "server", "--app-name", "basic-auth"])  # noqa: S606, S607 (the rest is in MLFLOW_...)


def refuse_a_taken_port(host: str, port: int) -> None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            sys.exit(f"error: port {port} cannot be had: {error.strerror}. End what listens there, or set MLFLOW_PORT.")


if __name__ == "__main__":
    main()
