"""Entry point of the command `modelyard`, also as `python -m modelyard`."""

import os
import signal
import sys
from types import FrameType


def _exit_at_once(number: int, _: FrameType | None) -> None:
    os._exit(128 + number)


def main() -> None:
    """Run the command line; Ctrl-C while it is being imported exits without a traceback."""
    handler = signal.getsignal(signal.SIGINT)
    if handler is signal.default_int_handler:  # a shell's background job ignores SIGINT: leave that alone
        signal.signal(signal.SIGINT, _exit_at_once)
    os.environ.setdefault("MODELYARD_PYTHON", sys.executable)  # for pipeline/python in a checkout without .venv
    os.environ.setdefault(
        "PYDANTIC_DISABLE_PLUGINS", "__all__"
    )  # to look for some it reads the metadata of all packages
    from modelyard.cli import app
    from modelyard.core.errors import exit_on_error
    from modelyard.core.streams import substitute_unencodable

    signal.signal(signal.SIGINT, handler)
    substitute_unencodable()
    os.environ["PYTHONIOENCODING"] = "utf-8:backslashreplace"  # the logs of what it starts, whatever the terminal
    with exit_on_error():
        app()


if __name__ == "__main__":
    main()
