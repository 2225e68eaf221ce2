"""How a command that runs long ends."""

import signal


def handle_termination_as_ctrl_c() -> None:
    """End on a signal from CI or a closed terminal as by Ctrl-C: all that was started is stopped, nothing is lost."""
    for sign in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(sign) is not signal.SIG_IGN:  # as under nohup
            signal.signal(sign, signal.default_int_handler)
