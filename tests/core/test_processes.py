"""A process is identified by host, pid and start time, and known to have died only on its own host."""

import os
import socket
import subprocess

import psutil
import pytest
from support.waiting import wait_until

from modelyard.core.processes import has_died, is_on_this_host, this_process, usable_cores, use_cores

HOST, PID, STARTED = this_process().split(":")


def test_this_process_is_named_by_host_pid_and_start_and_is_alive() -> None:
    assert (socket.gethostname(), str(os.getpid())) == (HOST, PID)
    assert not has_died(this_process())


def test_a_system_that_restricts_no_process_to_cores_has_all_of_them(monkeypatch: pytest.MonkeyPatch) -> None:
    assert usable_cores() == sorted(os.sched_getaffinity(0))
    for name in ("sched_getaffinity", "sched_setaffinity"):
        monkeypatch.delattr(os, name)
    assert usable_cores() == list(range(os.cpu_count()))
    use_cores([0])


@pytest.mark.parametrize("separator", [":", " "], ids=["now", "earlier MLflow runs"])
def test_a_later_process_with_the_same_pid_does_not_stand_for_the_earlier_one(separator: str) -> None:
    assert has_died(separator.join((HOST, PID, str(int(STARTED) - 60))))
    assert not has_died(separator.join((HOST, PID, STARTED)))


def test_a_start_time_that_was_read_one_second_later_is_the_same_process() -> None:
    assert not has_died(f"{HOST}:{PID}:{int(STARTED) + 1}")


def test_a_clock_that_is_set_back_ends_no_process() -> None:
    assert not has_died(f"{HOST}:{PID}:{int(STARTED) + 3600}")


def test_a_process_that_ended_has_died_before_and_after_its_parent_waits_for_it() -> None:
    child = subprocess.Popen(["cat"], stdin=subprocess.PIPE)
    identity = f"{HOST}:{child.pid}:{psutil.Process(child.pid).create_time():.0f}"
    assert not has_died(identity)
    child.stdin.close()
    wait_until(lambda: has_died(identity), 15)
    child.wait()
    assert has_died(identity)


@pytest.mark.parametrize("identity", ["another.machine:1:1", "another.machine 1 1", ""])
def test_nothing_is_known_of_a_process_of_another_host(identity: str) -> None:
    assert not is_on_this_host(identity)
    assert not has_died(identity)
