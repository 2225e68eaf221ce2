"""The command `modelyard` from its first moment, when Ctrl-C has nothing to tidy up and must find nothing to say."""

import os
import signal
import sys


def main() -> None:
    """Run the command that the arguments name; Ctrl-C before it is there ends the process at once."""
    heeded = signal.getsignal(signal.SIGINT)
    if heeded is signal.default_int_handler:  # not in a shell's background, where it is ignored
        signal.signal(signal.SIGINT, lambda number, frame: os._exit(128 + number))
    os.environ.setdefault("MODELYARD_PYTHON", sys.executable)  # for pipeline/python, where the checkout has no .venv
    from modelyard.cli import app

    signal.signal(signal.SIGINT, heeded)
    app()


if __name__ == "__main__":
    main()
