"""SIGTERM and SIGHUP end a command like Ctrl-C."""

import os
import signal
from collections.abc import Iterator

import pytest

from modelyard.cli.interrupts import handle_termination_as_ctrl_c

SIGNALS = (signal.SIGTERM, signal.SIGHUP)


@pytest.fixture(autouse=True)
def _restore_handlers() -> Iterator[None]:
    handlers = {number: signal.getsignal(number) for number in SIGNALS}
    yield
    for number, handler in handlers.items():
        signal.signal(number, handler)


@pytest.mark.parametrize("number", SIGNALS)
def test_a_termination_signal_raises_keyboard_interrupt(number: signal.Signals):
    signal.signal(number, signal.SIG_DFL)  # it is ignored where the tests run under nohup
    handle_termination_as_ctrl_c()
    with pytest.raises(KeyboardInterrupt):
        os.kill(os.getpid(), number)
        signal.pause()


def test_under_nohup_a_hangup_stays_ignored():
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    handle_termination_as_ctrl_c()
    assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
