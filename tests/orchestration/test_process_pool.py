"""Work shared among spawned processes: what happens to each job, and to the processes, when something goes wrong."""

import os
import signal
import time
from contextlib import closing
from pathlib import Path

import psutil

from modelyard.orchestration.process_pool import outcomes

LONG = 60.0  # seconds, more than any of these needs


def double(number: int) -> tuple[int, int]:
    """Twice the number, and the process that knew."""
    return 2 * number, os.getpid()


def odd_ones_fail(number: int) -> int:
    if number % 2:
        raise ValueError(f"{number} is odd")
    return number


def die_at_two(number: int) -> int:
    if number == 2:
        os.kill(os.getpid(), signal.SIGKILL)
    return number


def leave(number: int) -> int:
    os._exit(7)


def wait_in(folder: Path) -> None:
    (folder / str(os.getpid())).touch()
    time.sleep(LONG)


def test_every_job_is_done_once_by_as_many_processes_as_are_asked_for():
    done = list(outcomes(double, range(12), 2, LONG))
    assert sorted((each.job, each.result[0]) for each in done) == [(number, 2 * number) for number in range(12)]
    assert 1 <= len({each.result[1] for each in done}) <= 2
    assert os.getpid() not in {each.result[1] for each in done}


def test_without_jobs_nothing_is_started():
    assert list(outcomes(double, [], 2, LONG)) == []


def test_a_job_that_raises_has_its_reason_and_the_rest_goes_on():
    done = {each.job: each for each in outcomes(odd_ones_fail, range(4), 1, LONG)}
    assert [done[number].result for number in (0, 2)] == [0, 2]
    assert [done[number].error for number in (1, 3)] == ["ValueError: 1 is odd", "ValueError: 3 is odd"]


def test_a_killed_process_takes_its_own_job_with_it_and_no_other():
    done = {each.job: each for each in outcomes(die_at_two, range(6), 2, LONG)}
    assert sorted(done) == list(range(6))
    assert done[2].error == "its process ended (SIGKILL, perhaps for want of memory)"
    assert [each.result for number, each in sorted(done.items()) if number != 2] == [0, 1, 3, 4, 5]


def test_a_process_that_leaves_is_told_with_its_exit_code():
    (done,) = outcomes(leave, [1], 1, LONG)
    assert done.error == "its process ended (exit code 7)"


def test_a_process_that_has_grown_large_is_replaced():
    same = {each.result[1] for each in outcomes(double, range(3), 1, LONG)}
    other = {each.result[1] for each in outcomes(double, range(3), 1, LONG, largest=1)}
    assert len(same) == 1
    assert len(other) == 3


def test_when_the_time_is_up_what_runs_is_stopped_and_has_no_outcome():
    began = time.monotonic()
    assert list(outcomes(time.sleep, [LONG], 1, 1.0)) == []
    assert time.monotonic() - began < LONG / 2


def test_no_process_outlives_whoever_stops_listening(tmp_path: Path):
    with closing(outcomes(wait_in, [tmp_path], 1, 8.0)) as done:
        assert list(done) == []
    (name,) = tmp_path.iterdir()
    assert not psutil.pid_exists(int(name.name))


def test_one_process_does_jobs_in_their_order():
    assert [each.job for each in outcomes(double, [3, 1, 2], 1, LONG)] == [3, 1, 2]
