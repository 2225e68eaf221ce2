"""The engine of this machine: the end of each task, and that of the processes, when something goes wrong."""

import multiprocessing
import os
import signal
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import psutil
import pytest
from support.waiting import wait_until

from modelyard.orchestration.engine import Call, Command, Ended, Message, Task, run_all
from modelyard.orchestration.local_engine import LocalEngine
from modelyard.orchestration.worker_process import report

LONG = 60.0  # seconds, more than any of these needs


class Outcome(NamedTuple):
    job: Any
    result: Any
    error: str


def run_in_pool(
    work: Callable[[Any], Any], jobs: Iterable[Any], count: int, seconds: float, **options: Any
) -> Iterator[Outcome]:
    """Call a function for each job, and yield each outcome."""
    given = {str(number): job for number, job in enumerate(jobs)}
    tasks = [Task(key, Call(work, job)) for key, job in given.items()]
    with closing(LocalEngine(count, **options)) as engine, closing(run_all(engine, tasks, seconds)) as events:
        for ended in events:
            assert isinstance(ended, Ended)
            yield Outcome(given[ended.key], ended.result, ended.error)


def double(number: int) -> tuple[int, int]:
    """Twice the number, and the process that computed it."""
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


def touch_and_wait(folder: Path) -> None:
    (folder / str(os.getpid())).touch()
    time.sleep(0 if folder.name == "short" else LONG)


def test_every_job_is_done_once_by_no_more_processes_than_requested():
    done = list(run_in_pool(double, range(12), 2, LONG))
    assert sorted((outcome.job, outcome.result[0]) for outcome in done) == [
        (number, 2 * number) for number in range(12)
    ]
    assert 1 <= len({outcome.result[1] for outcome in done}) <= 2
    assert os.getpid() not in {outcome.result[1] for outcome in done}


def cores_within(seconds: float) -> list[int]:
    """The most cores that this process has had within some time."""
    most: list[int] = []
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        most = max(most, sorted(os.sched_getaffinity(0)), key=len)
        time.sleep(0.05)
    return most


@pytest.mark.skipif(len(os.sched_getaffinity(0)) < 2, reason="there is one core only")
def test_the_last_job_has_every_core_and_jobs_at_once_have_their_own():
    short, long = run_in_pool(cores_within, [0.5, 2.0], 2, LONG)
    assert (short.job, long.job) == (0.5, 2.0)
    assert len(short.result) < len(long.result) == len(os.sched_getaffinity(0))


def test_without_jobs_nothing_is_started():
    assert list(run_in_pool(double, [], 2, LONG)) == []


def test_a_job_that_raises_has_an_error_and_the_others_go_on():
    done = {outcome.job: outcome for outcome in run_in_pool(odd_ones_fail, range(4), 1, LONG)}
    assert [done[number].result for number in (0, 2)] == [0, 2]
    assert [done[number].error for number in (1, 3)] == ["ValueError: 1 is odd", "ValueError: 3 is odd"]


def test_a_killed_process_fails_its_own_job_and_no_other():
    done = {outcome.job: outcome for outcome in run_in_pool(die_at_two, range(6), 2, LONG)}
    assert sorted(done) == list(range(6))
    assert done[2].error == "its process ended (SIGKILL, perhaps out of memory)"
    assert [outcome.result for number, outcome in sorted(done.items()) if number != 2] == [0, 1, 3, 4, 5]


def test_a_process_that_was_killed_while_it_had_nothing_to_do_is_replaced():
    with closing(LocalEngine(1)) as engine:
        ((_, killed),) = [event.result for event in run_all(engine, [Task("first", Call(double, 1))], LONG)]
        os.kill(killed, signal.SIGKILL)
        wait_until(lambda: killed not in {child.pid for child in multiprocessing.active_children()}, LONG)
        ((result, other),) = [event.result for event in run_all(engine, [Task("second", Call(double, 2))], LONG)]
    assert result == 4
    assert other != killed


def test_a_process_that_is_being_started_gets_no_interrupt(capfd):
    with closing(LocalEngine(1)) as engine:
        engine.submit(Task("first", Call(double, 1)))
        (worker,) = multiprocessing.active_children()
        for _ in range(20):
            os.kill(worker.pid, signal.SIGINT)
            time.sleep(0.02)
        (ended,) = engine.watch(LONG)
    assert ended.result == (2, worker.pid)
    assert capfd.readouterr().err == ""


def test_a_process_that_exits_is_reported_with_its_exit_code():
    (done,) = run_in_pool(leave, [1], 1, LONG)
    assert done.error == "its process ended (exit code 7)"


def test_a_process_that_has_grown_large_is_replaced():
    same = {outcome.result[1] for outcome in run_in_pool(double, range(3), 1, LONG)}
    other = {outcome.result[1] for outcome in run_in_pool(double, range(3), 1, LONG, max_bytes=1)}
    assert len(same) == 1
    assert len(other) == 3


def test_after_the_time_limit_no_job_begins_and_the_one_that_runs_ends_first():
    assert [outcome.job for outcome in run_in_pool(time.sleep, [1.5, LONG], 1, 1.0)] == [1.5]


def test_without_time_no_job_begins():
    assert list(run_in_pool(time.sleep, [LONG], 1, 0.0)) == []


def test_closing_the_iterator_ends_the_processes(tmp_path: Path):
    (tmp_path / "short").mkdir()
    (tmp_path / "long").mkdir()
    with closing(run_in_pool(touch_and_wait, [tmp_path / "short", tmp_path / "long"], 2, LONG)) as done:
        assert next(done).job == tmp_path / "short"
        wait_until(lambda: list((tmp_path / "long").iterdir()), LONG)
    (name,) = (tmp_path / "long").iterdir()
    assert not psutil.pid_exists(int(name.name))


def test_one_process_does_jobs_in_their_order():
    assert [outcome.job for outcome in run_in_pool(double, [3, 1, 2], 1, LONG)] == [3, 1, 2]


def say_and_wait(word: str) -> str:
    report(word)
    time.sleep(LONG if word == "wait" else 0)
    return word


def until_ended(engine: LocalEngine) -> list[Message | Ended]:
    events: list[Message | Ended] = []
    while not any(isinstance(event, Ended) for event in events):
        events += engine.watch(LONG)
    return events


def test_what_a_task_reports_comes_before_its_end():
    with closing(LocalEngine(1)) as engine:
        engine.submit(Task("a", Call(say_and_wait, "word")))
        assert until_ended(engine) == [Message("a", "word"), Ended("a", "word")]
    say_and_wait("nobody listens")


def test_the_task_of_the_highest_priority_is_first():
    with closing(LocalEngine(1)) as engine:
        for key, priority in (("first", 0.0), ("low", 1.0), ("high", 2.0), ("also_high", 2.0)):
            engine.submit(Task(key, Call(abs, 1), priority))
        ends = [event.key for _ in range(4) for event in until_ended(engine)]
    assert ends == ["first", "high", "also_high", "low"]


def test_one_task_can_be_cancelled_and_the_others_go_on():
    with closing(LocalEngine(2)) as engine:
        engine.submit(Task("a", Call(say_and_wait, "wait")))
        assert engine.watch(LONG) == [Message("a", "wait")]
        engine.submit(Task("b", Call(say_and_wait, "b")))
        engine.cancel(["a"])
        assert until_ended(engine) == [Message("b", "b"), Ended("b", "b")]
        assert engine.watch(0.1) == []


def test_commands_and_functions_run_side_by_side(tmp_path: Path):
    command = Command("echo $WORD; exit 3", tmp_path, {"WORD": "hello"}, tmp_path / "log")
    with closing(LocalEngine(2)) as engine:
        engine.submit(Task("command", command))
        engine.submit(Task("call", Call(abs, -4)))
        ends = {event.key: event.result for _ in range(2) for event in until_ended(engine)}
    assert ends == {"command": 3, "call": 4}
    assert (tmp_path / "log").read_text() == "hello\n"


def test_what_processes_print_goes_to_the_log_whose_last_line_tells_why_one_ended(tmp_path: Path):
    (done,) = run_in_pool(print_and_leave, ["good bye"], 1, LONG, log=tmp_path / "log")
    assert done.error == "its process ended (exit code 7: good bye)"


def print_and_leave(text: str) -> None:
    os.write(1, text.encode())
    os._exit(7)


def test_a_command_that_cannot_be_started_ends_with_the_reason_and_the_others_go_on(tmp_path: Path):
    command = Command("exit 3", tmp_path, {}, tmp_path / "log")
    with closing(LocalEngine(1)) as engine:
        engine.submit(Task("lost", replace(command, folder=tmp_path / "gone")))
        engine.submit(Task("found", command))
        ends: dict[str, Ended] = {}
        while len(ends) < 2:  # perhaps both at once
            ends |= {event.key: event for event in until_ended(engine)}
    assert ends["lost"].error.startswith("it could not be started: [Errno 2] No such file or directory")
    assert ends["found"] == Ended("found", 3)
