"""`modelyard ui`: MLflow's own server on the project's store."""

import os
import socket
import sys

from modelyard.errors import ModelyardError
from modelyard.tracking import root, store, store_to_show


def serve(port: int) -> None:
    """Become the MLflow server; Ctrl-C ends it.

    Raises:
        ModelyardError: the port is taken, or runs are kept on a server that has pages of its own.
    """
    address = store()
    if address.startswith(("http://", "https://")):
        raise ModelyardError(f"runs are kept on a server: open {store_to_show()} in the browser.")
    with socket.socket() as probe:
        if probe.connect_ex(("127.0.0.1", port)) == 0:
            raise ModelyardError(f"port {port} is taken; choose another, such as: modelyard ui --port {port - 1}")
    command = [sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(port)]
    command += ["--backend-store-uri", address, "--default-artifact-root", (root() / "mlartifacts").as_uri()]
    print(f"Runs of {store_to_show()} at http://127.0.0.1:{port} (Ctrl-C ends)", flush=True)  # noqa: T201
    os.execv(sys.executable, command)  # noqa: S606
