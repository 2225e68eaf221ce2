"""A process is identified by host, pid and start time, and known to have died only on its own host."""

import os
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator

import psutil
import pytest
from joblib.externals.loky.backend import context as loky_context
from support.waiting import wait_until

from modelyard.core import processes
from modelyard.core.processes import (
    core_count,
    divide_cores,
    has_died,
    is_on_this_host,
    this_process,
    usable_cores,
)

HOST, PID, STARTED = this_process().split(":")


def test_this_process_is_named_by_host_pid_and_start_and_is_alive() -> None:
    assert (socket.gethostname(), str(os.getpid())) == (HOST, PID)
    assert not has_died(this_process())


def test_a_system_that_restricts_no_process_to_cores_has_all_of_them(monkeypatch: pytest.MonkeyPatch) -> None:
    assert usable_cores() == sorted(os.sched_getaffinity(0))
    for name in ("sched_getaffinity", "sched_setaffinity"):
        monkeypatch.delattr(os, name)
    assert usable_cores() == list(range(os.cpu_count()))
    divide_cores([os.getpid()])


def test_a_quota_of_fewer_cores_than_there_are_is_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loky_context, "_cpu_count_cgroup", lambda os_cpu_count: 1)
    assert core_count() == 1


def test_without_a_quota_the_cores_that_this_process_may_use_are_counted() -> None:
    assert core_count() == len(usable_cores())


@pytest.fixture
def busy_processes() -> Iterator[Callable[[int], list[subprocess.Popen]]]:
    """Starts processes that each have a second thread and a child."""
    code = (
        "import subprocess, sys, threading\n"
        "child = subprocess.Popen(['cat'], stdin=subprocess.PIPE)\n"
        "threading.Thread(target=sys.stdin.read, daemon=True).start()\n"
        "print(child.pid, flush=True)\n"
        "child.wait()\n"
    )
    started = []

    def start(count: int) -> list[subprocess.Popen]:
        command = [sys.executable, "-c", code]
        new = [subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) for _ in range(count)]
        started.extend(new)
        for each in new:
            each.stdout.readline()
        return new

    yield start
    for each in started:
        for process in (*psutil.Process(each.pid).children(), each):
            process.kill()
        each.communicate()


def cores_of(process: subprocess.Popen) -> set[frozenset[int]]:
    """The cores of each thread of a process and of what it started."""
    members = [psutil.Process(process.pid), *psutil.Process(process.pid).children()]
    threads = [thread.id for member in members for thread in member.threads()]
    assert len(threads) == 3
    return {frozenset(os.sched_getaffinity(thread)) for thread in threads}


@pytest.mark.parametrize(
    ("count", "shares"),
    [
        (0, []),
        (1, [[1, 2, 4, 5, 9]]),
        (2, [[1, 2], [4, 5, 9]]),
        (5, [[1], [2], [4], [5], [9]]),
        (6, [[1, 2, 4, 5, 9]] * 6),
    ],
)
def test_each_process_has_cores_of_its_own_where_there_are_enough(
    monkeypatch: pytest.MonkeyPatch, count: int, shares: list[list[int]]
) -> None:
    given = []
    monkeypatch.setattr(processes, "usable_cores", lambda: [1, 2, 4, 5, 9])
    monkeypatch.setattr(processes, "restrict_to_cores", lambda process, cores: given.append((process, cores)))
    divide_cores([os.getpid()] * count)
    assert [cores for process, cores in given if process == os.getpid()] == shares


@pytest.mark.skipif(len(usable_cores()) < 2, reason="one core cannot be divided")
def test_the_cores_of_a_process_that_ended_go_to_the_other_with_all_its_threads_and_children(busy_processes) -> None:
    first, second = busy_processes(2)
    divide_cores([first.pid, second.pid])
    (of_first,), (of_second,) = cores_of(first), cores_of(second)
    assert of_first | of_second == set(usable_cores())
    assert not of_first & of_second
    divide_cores([second.pid])
    assert cores_of(second) == {frozenset(usable_cores())}


def test_a_process_that_has_ended_gets_no_cores() -> None:
    ended = subprocess.Popen(["true"])
    ended.wait()
    divide_cores([ended.pid])


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
