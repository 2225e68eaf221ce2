"""Starts MLflow's server with password authentication, after checking what would stop it."""

import os
import secrets
import socket
import sys
import tempfile
from pathlib import Path

PASSWORD = "MLFLOW_AUTH_ADMIN_PASSWORD"  # noqa: S105 (a variable's name)
# Users are stored in the database of the runs, in separate tables.
USERS = "[mlflow]\ndefault_permission = READ\ndatabase_uri = {store}\nadmin_username = admin\n"


def main() -> None:
    """Check the settings, write MLflow's user configuration, then run the server in place of this process."""
    if not os.environ.get(PASSWORD):
        sys.exit(
            f"error: {PASSWORD} is not set: it is the password of the user admin. Set it to 12 characters or more."
        )
    check_port_is_free(os.environ["MLFLOW_HOST"], int(os.environ["MLFLOW_PORT"]))
    users = Path(tempfile.mkdtemp()) / "users.ini"
    users.write_text(USERS.format(store=os.environ["MLFLOW_BACKEND_STORE_URI"]), encoding="utf-8")
    os.environ["MLFLOW_AUTH_CONFIG_PATH"] = str(users)
    # All server processes share one key. It changes at a restart: a form that was open then must be sent again.
    os.environ.setdefault("MLFLOW_FLASK_SERVER_SECRET_KEY", secrets.token_hex(32))
    os.execvp("mlflow", ["mlflow", "server", "--app-name", "basic-auth"])  # noqa: S606, S607 (the rest is in MLFLOW_...)


def check_port_is_free(host: str, port: int) -> None:
    """Exit with an error if another process listens at the port."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            sys.exit(
                f"error: port {port} cannot be used: {error.strerror}. Stop what listens there, or set MLFLOW_PORT."
            )


if __name__ == "__main__":
    main()
