"""Two runs in one checkout: the second waits, and says for whom."""

import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.waiting import wait_until

from modelyard.core.errors import ModelyardError
from modelyard.orchestration.run_lock import RUNNING, only_run

HOLD = """
import sys, time
from pathlib import Path
from modelyard.orchestration.run_lock import note_running, only_run
with only_run(Path.cwd(), 0, print):
    note_running(Path.cwd(), ["train@a", "evaluate@b"])
    time.sleep(60)
"""
BOUND = 20.0


@pytest.fixture
def holder(tmp_path: Path) -> Iterator[subprocess.Popen]:
    """Another process that holds the lock of `tmp_path` while it runs two stages."""
    process = subprocess.Popen([sys.executable, "-c", HOLD], cwd=tmp_path)
    wait_until(lambda: (tmp_path / RUNNING).exists(), BOUND)
    yield process
    process.kill()
    process.wait()


def refuse(text: str) -> None:
    pytest.fail(f"waited: {text}")


def test_a_free_checkout_is_not_waited_for(tmp_path: Path):
    for _ in range(2):
        with only_run(tmp_path, 0, refuse):
            pass


def test_a_wait_that_is_too_long_names_process_time_and_stages(tmp_path: Path, holder: subprocess.Popen):
    reports: list[str] = []
    with pytest.raises(ModelyardError) as raised, only_run(tmp_path, 0.3, reports.append):
        pytest.fail("two at once")
    named = rf"process {holder.pid}, running in this folder since \d\d:\d\d:\d\d \(train@a, evaluate@b\)"
    assert_matches(rf"Waiting for {named}\.", reports[0])
    assert_matches(rf"after 0.3 s there is still {named}; nothing was run. Wait longer \(--wait\), or .*", raised.value)
    assert len(reports) == 1


def test_who_does_not_wait_is_told_to_try_again(tmp_path: Path, holder: subprocess.Popen):
    with pytest.raises(ModelyardError) as raised, only_run(tmp_path, 0, refuse):
        pytest.fail("two at once")
    named = rf"process {holder.pid}, running in this folder since \d\d:\d\d:\d\d \(train@a, evaluate@b\)"
    assert_matches(rf"there is {named}; nothing was done. Try again when it has ended, or .*", raised.value)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_the_next_run_goes_on_when_the_other_has_ended(tmp_path: Path, holder: subprocess.Popen, number: int):
    def end(_: str) -> None:
        threading.Timer(0.3, lambda: holder.send_signal(number)).start()

    with only_run(tmp_path, BOUND, end):
        assert holder.wait(BOUND) != 0


def test_the_stages_of_a_killed_run_are_not_those_of_the_next_one(tmp_path: Path, holder: subprocess.Popen):
    holder.kill()
    holder.wait()
    with only_run(tmp_path, 0, refuse):
        with pytest.raises(ModelyardError, match=rf"process {os.getpid()}, ") as raised, only_run(tmp_path, 0, refuse):
            pytest.fail("two at once")
        assert "train@a" not in str(raised.value)


def test_a_run_that_fails_frees_the_checkout(tmp_path: Path):
    with pytest.raises(ZeroDivisionError), only_run(tmp_path, 0, refuse):
        raise ZeroDivisionError
    with only_run(tmp_path, 0, refuse):
        assert str(os.getpid()) in (tmp_path / ".dvc/tmp/runner/run.holder").read_text()


def assert_matches(pattern: str, text: object) -> None:
    assert re.fullmatch(pattern, str(text), flags=re.DOTALL), text
