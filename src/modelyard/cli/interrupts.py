"""Signals that stop a long-running command."""

import signal

INTERRUPTED = 130
"""The exit code of a command that was stopped, as shells have it."""


def handle_termination_as_ctrl_c() -> None:
    """Raise KeyboardInterrupt on SIGTERM and SIGHUP too, so that CI or a closed terminal leaves no process behind."""
    for number in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) is not signal.SIG_IGN:  # ignored under nohup
            signal.signal(number, signal.default_int_handler)
