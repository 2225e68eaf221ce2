"""What a Dask worker does with a task, without Dask."""

import os
from contextlib import closing
from pathlib import Path

from modelyard.orchestration.cluster_worker import STOPPED, Machine
from modelyard.orchestration.engine import Command, Task


def test_the_log_of_a_command_is_sent_unless_the_coordinator_has_the_file_too(tmp_path: Path):
    machine = Machine(threads=1, memory=0)
    command = Command("echo hello; sleep 1", tmp_path, os.environ, tmp_path / "log")
    with closing(machine._engine):
        for sends_log, expected in ((True, b"hello\n"), (False, b"")):
            (tmp_path / "log").write_bytes(b"")
            sent: list[bytes] = []
            assert machine.run(Task("a", command), sent.append, lambda: True, sends_log).result == 0
            assert b"".join(sent) == expected
            assert (tmp_path / "log").read_bytes() == b"hello\n"


def test_a_task_that_nobody_wants_any_more_is_stopped_or_not_even_started(tmp_path: Path):
    machine = Machine(threads=1, memory=0)
    command = Command("echo >> started; sleep 300", tmp_path, os.environ, tmp_path / "log")
    with closing(machine._engine):
        assert machine.run(Task("a", command), print, lambda: False).error == STOPPED
        assert not (tmp_path / "started").exists()
        assert machine.run(Task("a", command), print, lambda: not (tmp_path / "started").exists()).error == STOPPED
