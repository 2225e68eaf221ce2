"""`modelyard serve`: an HTTP server for one model."""

import errno
import socket
from pathlib import Path

from modelyard.core.errors import ModelyardError
from modelyard.serving.engines import Engine
from modelyard.serving.request_log import RequestLog
from modelyard.serving.served_model import ServedModel, find_source
from modelyard.serving.server import make_app

BACKLOG = 2048  # connections that wait
CLOSING_SECONDS = 5  # for the answers to requests that have come; Docker ends a container after 10


def serve(
    name: str, host: str, port: int, watch_seconds: float, log: Path | None, log_megabytes: float, engine: Engine
) -> None:
    """Serve a model until the process is interrupted or terminated.

    Raises:
        ModelyardError: there is no such model, or the host or the port cannot be used.
    """
    import uvicorn

    served = ServedModel(find_source(name, engine, Path.cwd()))
    app = make_app(served, watch_seconds, RequestLog(log, log_megabytes) if log else None)
    listening = _listen(host, port)
    # A response is written in two parts. Without this, the second waits until the client has confirmed the first, some
    # 40 ms; asyncio does it for sockets that it has opened itself.
    listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    with listening:
        shown = f"[{host}]" if ":" in host else host
        print(f"{served.current.version}: http://{shown}:{listening.getsockname()[1]}", flush=True)  # noqa: T201
        config = uvicorn.Config(
            app, log_level="warning", access_log=False, timeout_graceful_shutdown=CLOSING_SECONDS, lifespan="on"
        )
        uvicorn.Server(config).run([listening])


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        socket.getaddrinfo(host, port, family)  # create_server raises OSError for any reason
        return socket.create_server((host, port), family=family, backlog=BACKLOG, reuse_port=False)
    except socket.gaierror as error:
        raise ModelyardError(f"there is no host {host} ({error.strerror}): choose another --host") from None
    except OSError as error:
        if error.errno == errno.EADDRNOTAVAIL:
            raise ModelyardError(f"{host} is not an address of this machine: choose another --host") from None
        raise ModelyardError(
            f"port {port} of {host} cannot be used ({error.strerror}): choose another --port"
        ) from None
