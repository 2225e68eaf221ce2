"""The cores of stages that run at the same time, and signals that are deferred."""

import os
import signal
from collections.abc import Iterator

import pytest

from modelyard.orchestration.stage_process import DeferredSignals, core_shares


@pytest.mark.parametrize(
    ("jobs", "shares"),
    [
        (1, [{0, 1, 2, 4, 5}]),
        (2, [{0, 1}, {2, 4, 5}]),
        (5, [{0}, {1}, {2}, {4}, {5}]),
        (6, [{0, 1, 2, 4, 5}] * 6),
    ],
)
def test_each_job_has_cores_of_its_own_where_there_are_enough(monkeypatch, jobs: int, shares: list[set[int]]):
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: {5, 4, 2, 1, 0})
    assert core_shares(jobs) == shares


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
def test_an_ignored_signal_stays_ignored():
    with DeferredSignals():
        signal.raise_signal(signal.SIGHUP)
        assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
