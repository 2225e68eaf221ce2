"""Signals that are deferred."""

import signal
from collections.abc import Iterator

import pytest

from modelyard.orchestration.stage_process import DeferredSignals


@pytest.fixture
def ignored_hangup() -> Iterator[None]:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    yield
    signal.signal(signal.SIGHUP, before)


def test_an_interrupt_is_raised_when_the_block_ends_and_the_handler_is_restored():
    before, done = signal.getsignal(signal.SIGINT), []
    with pytest.raises(KeyboardInterrupt), DeferredSignals():
        signal.raise_signal(signal.SIGINT)
        done.append("the rest of the block")
    assert done
    assert signal.getsignal(signal.SIGINT) is before


@pytest.mark.usefixtures("ignored_hangup")
def test_a_signal_that_was_deferred_goes_to_its_own_handler():
    received = []
    signal.signal(signal.SIGHUP, lambda number, _: received.append(number))
    with DeferredSignals():
        signal.raise_signal(signal.SIGHUP)
        assert received == []
    assert received == [signal.SIGHUP]


@pytest.mark.usefixtures("ignored_hangup")
def test_an_ignored_signal_stays_ignored():
    with DeferredSignals():
        signal.raise_signal(signal.SIGHUP)
        assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
