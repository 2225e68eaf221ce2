"""What a Dask worker does with a task, without Dask."""

import errno
import os
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from pathlib import Path
from types import SimpleNamespace

import pytest
from support.repositories import git

from modelyard.orchestration import cluster_worker, shared_data
from modelyard.orchestration.checkout import describe_coordinator
from modelyard.orchestration.cluster_worker import STOPPED, Done, Machine, Order
from modelyard.orchestration.engine import Command, Task


@pytest.fixture
def run_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Done]]:
    """Runs a script that needs `in` and makes `out`, on a worker in the folder of the coordinator."""
    root = tmp_path / "project"
    root.mkdir()
    git(root, "init", "-q")
    (root / "params.yaml").write_text("x: 1\n")
    git(root, "add", "-A")
    git(root, "commit", "-qm", "project")
    (root / "in").write_text("1")
    monkeypatch.chdir(root)
    tasks = {"a": SimpleNamespace(state="executing")}
    worker = SimpleNamespace(state=SimpleNamespace(tasks=tasks), log_event=lambda *_: None)
    monkeypatch.setattr("distributed.get_worker", lambda: worker)
    machine = Machine(threads=1, memory=0)
    monkeypatch.setattr(cluster_worker, "_machine", lambda: machine)

    def run(script: str, modules: tuple[str, ...] = ()) -> Done:
        task = Task("a", Command(script, Path(), {}, Path(".dvc/tmp/log")), needs=("in",), makes=("out",))
        return cluster_worker.run(Order(task, describe_coordinator(root), False, {}, modules, {}).to_bytes())

    with closing(machine._engine):
        yield run


def test_in_a_shared_folder_the_md5_of_what_was_made_comes_back(run_here: Callable[..., Done]):
    done = run_here("mkdir out; cp in params.yaml out")
    assert done.ended.made == shared_data.md5s(Path(), ["out"])
    assert list(done.ended.made) == ["out"]
    assert run_here("exit 1").ended.made is None


@pytest.mark.parametrize("edit", ["echo 2 > in", "echo x: 2 > params.yaml"])
def test_what_was_made_while_its_sources_changed_is_not_that_of_the_order(run_here: Callable[..., Done], edit: str):
    assert run_here(f"cat in params.yaml > out; {edit}").ended.made is None


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_without_room_for_a_fork_server_a_task_runs_all_the_same(
    run_here: Callable[..., Done], monkeypatch: pytest.MonkeyPatch
):
    def fail(**_: object) -> str:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(tempfile, "mkdtemp", fail)
    assert run_here("echo $MODELYARD_FORK_SERVER > out", modules=("no_room",)).ended.result == 0
    assert Path("out").read_text() == "\n"


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


class SizedProcess:
    """A process of so much memory, which may be killed."""

    def __init__(self, size: int, children: Sequence["SizedProcess"] = ()) -> None:
        self._size, self._children, self.is_killed = size, children, False

    def children(self, recursive: bool) -> Sequence["SizedProcess"]:
        return self._children

    def memory_full_info(self) -> SimpleNamespace:
        return SimpleNamespace(pss=self._size)

    def kill(self) -> None:
        self.is_killed = True


@pytest.mark.parametrize(("limit", "killed"), [(109, [False, True]), (110, [False, False])])
def test_the_limit_of_memory_covers_the_worker_itself_which_is_never_killed(
    limit: int, killed: list[bool], monkeypatch: pytest.MonkeyPatch
):
    children = [SizedProcess(20), SizedProcess(30)]
    for worker in (SizedProcess(60, children), SizedProcess(200)):
        monkeypatch.setattr(cluster_worker.psutil, "Process", lambda worker=worker: worker)
        machine = Machine(threads=1, memory=limit)
        with closing(machine._engine):
            machine._limit_memory()
        assert not worker.is_killed
    assert [child.is_killed for child in children] == killed
