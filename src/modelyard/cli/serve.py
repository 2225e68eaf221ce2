"""`modelyard serve`: an HTTP server for one model."""

from pathlib import Path

from modelyard.core.errors import ModelyardError
from modelyard.serving.engines import Engine
from modelyard.serving.served_model import ServedModel, find_source
from modelyard.serving.server import make_app, open_log

BACKLOG = 2048  # connections that wait
CLOSING_SECONDS = 30  # for the answers to requests that have come before the server is stopped


def serve(
    name: str, host: str, port: int, watch_seconds: float, log: Path | None, log_megabytes: float, engine: Engine
) -> None:
    """Serve a model until the process is interrupted or terminated.

    Raises:
        ModelyardError: there is no such model, or the port cannot be used.
    """
    import socket

    import uvicorn

    served = ServedModel(find_source(name, engine, Path.cwd()))
    app = make_app(served, watch_seconds, open_log(log, log_megabytes) if log else None)
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        listening = socket.create_server((host, port), family=family, backlog=BACKLOG, reuse_port=False)
    except socket.gaierror as error:
        raise ModelyardError(f"there is no host {host} ({error.strerror}): choose another --host") from None
    except OSError as error:
        raise ModelyardError(
            f"port {port} of {host} cannot be used ({error.strerror}): choose another --port"
        ) from None
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
