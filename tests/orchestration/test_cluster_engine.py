"""A cluster of two workers on loopback, each in a checkout of its own: the same results, whatever happens to it."""

import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Collection, Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from textwrap import dedent
from types import SimpleNamespace
from typing import Any

import psutil
import pytest
from distributed import KilledWorker
from distributed.client import ClosedClientError
from distributed.comm import CommClosedError
from ruamel.yaml import YAML
from support.cluster_tasks import fill_memory, wait_for, wait_once
from support.clusters import Cluster, cluster, kill_tree
from support.pipelines import init_dvc
from support.repositories import git
from support.waiting import wait_until

from modelyard.core.errors import ModelyardError
from modelyard.orchestration import cluster_engine, shared_data
from modelyard.orchestration.checkout import describe
from modelyard.orchestration.cluster_engine import ClusterEngine, refuse_unencrypted
from modelyard.orchestration.cluster_worker import Done
from modelyard.orchestration.engine import Call, Ended, Engine, EngineOptions, Message, Task, run_all
from modelyard.orchestration.scheduler import Pipeline, StageState

LONG = 300.0
STAGES = """
stages:
  raw: {cmd: mkdir raw && echo 1 > raw/a && echo 2 > raw/b, outs: [raw]}
  one: {cmd: "cat raw/a raw/b > one; echo one >> $TRACE", deps: [raw], outs: [one]}
  two: {cmd: "mkdir two; cp raw/b two/x; pwd; echo $HERE_ONLY; echo 3 > two.json; echo two >> $TRACE", deps: [raw], outs: [two, {two.json: {cache: false}}]}
  last: {cmd: "cat one two/x two.json > last; echo last >> $TRACE", deps: [one, two, two.json], outs: [last]}
"""  # noqa: E501


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project with a remote."""
    root = tmp_path_factory.mktemp("cluster") / "mine"
    root.mkdir()
    git(root, "init", "-q")
    init_dvc(root, no_scm=False)
    (root / "dvc.yaml").write_text(dedent(STAGES))
    (root / "requirements.lock").write_text("a==1\n")
    (root / ".gitignore").write_text("/raw\n/one\n/two\n/last\n")
    remote = f"['remote \"team\"']\n    url = {root.parent}/remote\n"
    (root / ".dvc" / "config").write_text(f"[core]\n    remote = team\n{remote}")
    git(root, "add", "-A")
    git(root, "commit", "-qm", "project")
    return root


@pytest.fixture(scope="module")
def workers(project: Path) -> Iterator[Cluster]:
    """A cluster of two workers, each in a checkout of its own."""
    folder = project.parent
    with cluster(folder / "cluster", os.environ | {"TRACE": str(folder / "trace")}) as team:
        for name in ("a", "b"):
            team.start_worker(checkout(project, name), name, "--no-nanny")
        yield team


@pytest.fixture
def team(workers: Cluster) -> Iterator[Cluster]:
    """The cluster; those workers that a test has killed run again after it."""
    yield workers
    workers.restart_workers()


@pytest.fixture
def mine(project: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The project as the current folder, as it is committed."""
    monkeypatch.chdir(project)
    monkeypatch.setenv("TRACE", str(project.parent / "trace"))
    warnings.clear()
    return project


@pytest.fixture
def calls(tmp_path: Path) -> Path:
    """Where a function of `cluster_tasks` leaves a file for each call."""
    folder = tmp_path / "calls"
    folder.mkdir()
    return folder


def checkout(project: Path, name: str) -> Path:
    """A worker's own checkout of the commit."""
    git(project.parent, "clone", "-q", str(project), name)
    return project.parent / name


def connect(team: Cluster, mine: Path, **options: Any) -> "closing[ClusterEngine]":
    return closing(ClusterEngine(mine, team.address, EngineOptions(**options), 1, warnings.append))


def processes(calls: Path) -> list[list[int]]:
    """The process of each call, and the worker that has started it."""
    return [[int(pid) for pid in file.name.split(".")] for file in calls.iterdir()]


def called(calls: Path, count: int = 1) -> None:
    wait_until(lambda: len(list(calls.iterdir())) == count, LONG)


def ends(engine: Engine, *tasks: Task) -> dict[str, Ended]:
    return {event.key: event for event in run_all(engine, tasks, LONG) if isinstance(event, Ended)}


warnings: list[str] = []


def rebuild(engine: Engine, root: Path, watch: Callable[[Any], None] = lambda _: None) -> dict[str, StageState]:
    pipeline = Pipeline(root)
    pipeline.find_unchanged()
    pipeline.run(None, watch, (), engine, stays=lambda stage: stage.name == "raw")
    return {name: stage.state for name, stage in pipeline.stages.items()}


def lock(root: Path) -> dict:
    return YAML(typ="safe").load(root / "dvc.lock")


@pytest.mark.slow
def test_stages_run_in_other_checkouts_and_the_lock_is_that_of_a_sequential_run(
    mine: Path, team: Cluster, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("HERE_ONLY", "a password")
    with connect(team, mine) as engine:
        assert set(rebuild(engine, mine).values()) == {StageState.BUILT}
    assert warnings == []
    assert (mine / "last").read_text() == "1\n2\n2\n3\n"
    assert (mine / "two" / "x").read_text() == "2\n"
    assert sorted((mine.parent / "trace").read_text().split()) == ["last", "one", "two"]
    log = (mine / ".dvc/tmp/runner/logs/two.log").read_text()
    assert log.strip() in {str(mine.parent / "a"), str(mine.parent / "b")}, "the log of a worker is here"
    alone = checkout(mine, "alone")
    subprocess.run([sys.executable, "-m", "dvc", "repro", "-q"], cwd=alone, check=True)
    assert lock(alone) == lock(mine)
    (mine / "dvc.lock").unlink()


@pytest.mark.slow
def test_after_a_kill_of_a_worker_another_one_does_its_task(mine: Path, team: Cluster, calls: Path):
    with connect(team, mine) as engine:
        engine.submit(Task("killed", Call(wait_once, calls)))
        called(calls)
        ((process, worker),) = processes(calls)
        os.kill(worker, signal.SIGKILL)
        wait_until(lambda: not psutil.pid_exists(process), LONG)
        first, *_, last = until_ended(engine)
    assert (first, last) == (Message("killed", "called"), Ended("killed", 2))


def until_ended(engine: Engine) -> list[Message | Ended]:
    """The events up to the end of a task, without the machine."""
    events: list[Message | Ended] = []
    while not any(isinstance(event, Ended) for event in events):
        events += engine.watch(LONG)
    return [replace(event, machine=None) if isinstance(event, Ended) else event for event in events]


@pytest.mark.slow
def test_without_a_worker_a_task_waits_for_one_and_says_so(
    mine: Path, team: Cluster, calls: Path, monkeypatch: pytest.MonkeyPatch
):
    def lose_workers() -> None:
        called(calls)
        time.sleep(1.0)  # by then the engine waits for the end alone
        team.stop_workers("a", "b")

    monkeypatch.setattr(cluster_engine, "THREADS_SECONDS", 0.1)
    with connect(team, mine) as engine:
        monkeypatch.setattr(engine, "_warn", lambda line: [warnings.append(line), team.restart_workers()])
        threading.Thread(target=lose_workers).start()
        assert ends(engine, Task("patient", Call(wait_once, calls)))["patient"].result == 2
    assert warnings == [
        f"warning: the scheduler at {team.address} has lost its last worker. Start one in a checkout of this commit: "
        f".venv/bin/dask worker {team.address}"
    ]


@pytest.mark.slow
def test_what_is_stopped_leaves_no_process_on_the_workers(mine: Path, team: Cluster, calls: Path):
    with connect(team, mine) as engine:
        engine.submit(Task("stopped", Call(wait_once, calls)))
        called(calls)
        engine.cancel()
        ((process, worker),) = processes(calls)
        wait_until(lambda: not psutil.pid_exists(process), LONG)
        assert psutil.pid_exists(worker)
        assert ends(engine, Task("stopped", Call(wait_once, calls)))["stopped"].result == 2, "it can be done later"


def hang_up(_: ClusterEngine) -> None:
    os.kill(os.getpid(), signal.SIGHUP)
    time.sleep(LONG)


def terminate(_: ClusterEngine) -> None:
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(LONG)


def cut_the_connection(engine: ClusterEngine) -> None:
    """Dask connects again at once, but gives up what it waits for."""
    engine._client.loop.add_callback(engine._client.scheduler_comm.comm.abort)
    until_ended(engine)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("go_away", "error"),
    [(hang_up, KeyboardInterrupt), (terminate, KeyboardInterrupt), (cut_the_connection, ModelyardError)],
)
def test_a_coordinator_that_goes_away_comes_back_to_results(
    mine: Path, team: Cluster, calls: Path, go_away: Callable[[ClusterEngine], None], error: type[BaseException]
):
    task = Task("taken", Call(wait_for, calls))
    with connect(team, mine) as engine:
        engine.submit(task)
        called(calls)
        with pytest.raises(error):
            go_away(engine)
        wait_until(lambda: engine._client.status == "running", LONG)
    (calls.parent / "go").touch()
    with connect(team, mine) as engine:
        assert ends(engine, task)["taken"].result == 1
    assert len(processes(calls)) == 1, "it was done once"
    with connect(team, mine) as engine:
        assert ends(engine, task)["taken"].result == 2, "a result that was taken is not kept on the cluster"


@pytest.mark.slow
@pytest.mark.parametrize("is_replaced", [False, True])
def test_in_a_shared_folder_a_rebuild_comes_back_to_what_its_stages_have_made_unless_it_was_replaced(
    mine: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, is_replaced: bool
):
    def leave_while_two_runs(stages: dict[str, Any]) -> None:
        if stages["two"].state is StageState.RUNNING:
            engine._leave()

    shared, trace = checkout(mine, f"shared_{is_replaced}"), tmp_path / "trace"
    monkeypatch.chdir(shared)
    with cluster(tmp_path, os.environ | {"TRACE": str(trace)}) as one_folder:
        one_folder.start_worker(shared, "shared", "--no-nanny")
        with connect(one_folder, shared, jobs=1) as engine, pytest.raises(KeyboardInterrupt):
            rebuild(engine, shared, leave_while_two_runs)
        wait_for_all(one_folder)
        if is_replaced:
            (shared / "two" / "x").write_text("of other settings\n")
        with connect(one_folder, shared, jobs=1) as engine:
            assert StageState.FAILED not in rebuild(engine, shared).values()
    assert sorted(trace.read_text().split()) == ["last", "one", "two", *["two"] * is_replaced]
    assert (shared / "last").read_text() == "1\n2\n2\n3\n"


def wait_for_all(team: Cluster) -> None:
    """Wait until all that was handed to a cluster has ended."""
    from distributed import Client

    with Client(team.address, set_as_default=False) as client:
        futures = [client.get_dataset(key) for key in client.list_datasets()]
        wait_until(lambda: all(future.done() for future in futures), LONG)


@pytest.mark.slow
def test_what_cannot_be_sent_fails_its_own_task(mine: Path, team: Cluster):
    with connect(team, mine) as engine:
        done = ends(engine, Task("missing", Call(abs, -1), needs=("not_there",)), Task("other", Call(abs, -2)))
    assert done["missing"].error.startswith("what it needs cannot be sent: ")
    assert done["other"].result == 2


@pytest.mark.slow
def test_what_could_not_be_received_is_kept_on_the_cluster(
    mine: Path, team: Cluster, calls: Path, monkeypatch: pytest.MonkeyPatch
):
    def fail(*_: object) -> None:
        raise ModelyardError("the DVC remote cannot be used")

    (calls.parent / "go").touch()
    task = Task("kept", Call(wait_for, calls))
    with connect(team, mine) as engine, monkeypatch.context() as patch:
        patch.setattr(cluster_engine.shared_data, "receive", fail)
        assert "cannot be received: the DVC remote cannot be used. It is kept" in ends(engine, task)["kept"].error
    with connect(team, mine) as engine:
        assert ends(engine, task)["kept"].result == 1, "it was done once"


@pytest.mark.slow
def test_workers_that_differ_are_refused_with_both_sides_named_and_the_others_do_the_work(mine: Path, team: Cluster):
    other = checkout(mine, "other")
    (other / "params.yaml").write_text("a: 1\n")
    git(other, "add", "-A")
    git(other, "commit", "-qm", "another")
    team.start_worker(other, "other", "--no-nanny")
    team.start_worker(checkout(mine, "bf16"), "bf16", "--no-nanny", ONEDNN_DEFAULT_FPMATH_MODE="BF16")
    with connect(team, mine) as engine:
        done = ends(engine, *(Task(str(number), Call(abs, -number)) for number in range(8)))
    assert {int(key): ended.result for key, ended in done.items()} == {number: number for number in range(8)}
    here, there = (git(folder, "rev-parse", "HEAD")[:12] for folder in (mine, other))
    assert len(warnings) == 2
    assert f"has commit {there}, here is commit {here}" in " ".join(warnings)
    assert "(ONEDNN_DEFAULT_FPMATH_MODE=BF16): choose others, or allow it with --mixed" in " ".join(warnings)
    warnings.clear()
    with connect(team, mine, mixed=True) as engine:
        assert engine.slots == 3, "of three workers"
    assert len(warnings) == 1
    team.stop_workers("other", "bf16")


@pytest.mark.slow
def test_a_task_that_needs_too_much_memory_fails_with_that_reason_and_others_go_on(mine: Path, team: Cluster):
    team.stop_workers("a", "b")
    team.start_worker(mine.parent / "a", "small", "--no-nanny", "--memory-limit", "500MB")
    with connect(team, mine) as engine:
        done = ends(engine, Task("large", Call(fill_memory, 1000)), Task("small", Call(fill_memory, 1)))
    assert done["small"].result == 2**20
    assert done["large"].error == "its process was killed, perhaps out of memory (tried 3 times)"
    team.stop_workers("small")


@pytest.mark.slow
def test_a_full_disk_fails_the_stage_with_that_reason_and_others_go_on(mine: Path, team: Cluster):
    (mine / "dvc.yaml").write_text(
        "stages:\n  full: {cmd: echo 1 > one; cat one > /dev/full, outs: [one]}\n  two: {cmd: mkdir two, outs: [two]}\n"
    )
    git(mine, "commit", "-qam", "full")
    for name in ("a", "b"):
        git(mine.parent / name, "pull", "-q")
    with connect(team, mine) as engine:
        assert rebuild(engine, mine) == {"full": StageState.FAILED, "two": StageState.BUILT}
    assert "No space left on device" in (mine / ".dvc/tmp/runner/logs/full.log").read_text()


@pytest.mark.slow
def test_without_its_scheduler_the_run_ends_with_one_line_and_can_be_repeated(mine: Path, team: Cluster, calls: Path):
    with connect(team, mine) as engine:
        engine.submit(Task("lost", Call(wait_once, calls)))
        called(calls)
        kill_tree(team.scheduler)
        with pytest.raises(ModelyardError, match=r"the scheduler at tcp://.* is gone, or the connection to it"):
            until_ended(engine)
        with pytest.raises(ModelyardError, match=r"the scheduler at tcp://.* is gone, or the connection to it"):
            engine.submit(Task("late", Call(abs, -1)))
    team.restart()
    with connect(team, mine) as engine:
        assert ends(engine, Task("lost", Call(wait_once, calls)))["lost"].result == 2


@pytest.mark.slow
def test_checkouts_of_their_own_need_a_remote(mine: Path, team: Cluster):
    (mine / ".dvc" / "config").write_text("")
    git(mine, "commit", "-qam", "no remote")
    for name in ("a", "b"):
        git(mine.parent / name, "pull", "-q")
    with pytest.raises(ModelyardError, match="the project has no DVC remote through which data reaches them: add one"):
        connect(team, mine)


def test_uncommitted_changes_are_refused_before_anything_is_connected(mine: Path):
    before = (mine / "requirements.lock").read_text()
    (mine / "requirements.lock").write_text("a==2\n")
    with pytest.raises(ModelyardError, match=r"uncommitted changes in requirements\.lock: the workers have only"):
        connect(nobody(mine), mine)
    (mine / "requirements.lock").write_text(before)


def nobody(folder: Path) -> Cluster:
    """A cluster that was never started."""
    cluster = Cluster(folder, {})
    cluster.address = "tcp://127.0.0.1:1"
    return cluster


def test_an_address_that_does_not_answer_is_named_with_what_to_check(mine: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(cluster_engine, "CONNECT_SECONDS", 1)
    with pytest.raises(ModelyardError, match=r"no scheduler answers at tcp://127\.0\.0\.1:1 after 1 s .*dask sch"):
        connect(nobody(mine), mine)


@pytest.mark.parametrize("address", ["tcp://127.0.0.1:8786", "localhost:8786", "tcp://[::1]:8786", "tls://far:8786"])
def test_addresses_of_this_machine_and_encrypted_ones_are_allowed(address: str):
    refuse_unencrypted(address, insecure=False)


@pytest.mark.parametrize(
    "address", ["tcp://10.0.0.1:8786", "far:8786", "far", "ws://far:8786", "tcp://localhost.far:1"]
)
def test_an_unencrypted_address_of_another_machine_must_be_asked_for(address: str):
    with pytest.raises(ModelyardError, match=r"is not encrypted.* Use tls://"):
        refuse_unencrypted(address, insecure=False)
    refuse_unencrypted(address, insecure=True)


def test_another_version_of_dask_is_refused_with_both_named(mine: Path, monkeypatch: pytest.MonkeyPatch):
    class Client:
        def __init__(self, *_: object, **__: object) -> None:
            self.is_closed = False
            clients.append(self)

        def get_versions(self) -> dict:
            here = dict.fromkeys(cluster_engine.DASK, "1")
            return {"client": {"packages": here}, "scheduler": {"packages": here | {"distributed": "2"}}}

        def close(self) -> None:
            self.is_closed = True

    clients: list[Client] = []
    monkeypatch.setattr("distributed.Client", Client)
    with pytest.raises(ModelyardError, match=r"the scheduler at tcp://127\.0\.0\.1:1 has distributed 2 instead of 1"):
        connect(nobody(mine), mine)
    assert [client.is_closed for client in clients] == [True]


def unconnected(folder: Path) -> ClusterEngine:
    engine = ClusterEngine.__new__(ClusterEngine)
    engine._root, engine._options, engine._warn = folder, EngineOptions(), warnings.append
    engine._address = "tcp://127.0.0.1:1"
    engine._sent, engine._stamps = {}, {}
    engine._here, engine._fitting, engine._refused, engine.shares_folder = describe(folder), set(), {}, True
    return engine


def test_what_a_task_needs_is_sent_again_only_after_it_has_changed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    def send(root: Path, paths: Collection[str]) -> dict[str, str]:
        sent.extend(paths)
        return {path: (root / path / "x").read_text() for path in paths}

    sent: list[str] = []
    monkeypatch.setattr(shared_data, "send", send)
    for name, content in (("model", "1"), ("data", "2")):
        (tmp_path / name).mkdir()
        (tmp_path / name / "x").write_text(content)
    engine = unconnected(tmp_path)
    for _ in range(2):
        engine._send(("model", "data"))
    assert sent == ["model", "data"]
    (tmp_path / "new").write_text("3")  # as `dvc checkout` does it
    (tmp_path / "new").replace(tmp_path / "model" / "x")
    engine._send(("model", "data"))
    assert sent == ["model", "data", "model"]
    assert engine._sent == {"model": "3", "data": "2"}


def done_future(**attributes: object) -> Callable[..., SimpleNamespace]:
    """What Dask's `submit` returns for a task that has ended at once."""

    def submit(*_: object, key: str, **__: object) -> SimpleNamespace:
        future = SimpleNamespace(key=key, release=lambda: None, **attributes)
        future.add_done_callback = lambda call: call(future)
        return future

    return submit


class FakeClient:
    """A connection to a scheduler with one worker, in the folder of the coordinator; it loses each task."""

    status = "running"

    def __init__(self) -> None:
        self.asked: list[object] = []

    def wait_for_workers(self, *_: object, **__: object) -> None:
        """There is one."""

    def run(self, function: Callable[[], object], **_: object) -> dict[str, object]:
        return {"tcp://worker": function()}

    def list_datasets(self) -> list[str]:
        return []

    def scheduler_info(self, **_: object) -> dict[str, dict]:
        return {"workers": {"tcp://worker": {"nthreads": 1}}} if self.status == "running" else {}

    def subscribe_topic(self, *_: object) -> None:
        """It has no messages."""

    def submit(self, *_: object, key: str, **__: object) -> SimpleNamespace:
        return done_future(status="cancelled")(key=key)

    def publish_dataset(self, *_: object, **__: object) -> None:
        """It is lost."""

    def unpublish_dataset(self, key: str) -> None:
        self.asked.append(key)

    def cancel(self, futures: object) -> None:
        self.asked.append(futures)

    def close(self) -> None:
        """Nothing is open."""


def connect_to(client: FakeClient, mine: Path, monkeypatch: pytest.MonkeyPatch) -> "closing[ClusterEngine]":
    monkeypatch.setattr(cluster_engine, "_connect", lambda _: client)
    return connect(nobody(mine), mine)


def test_tasks_of_a_lost_connection_are_left_to_the_cluster(mine: Path, monkeypatch: pytest.MonkeyPatch):
    client = FakeClient()
    with connect_to(client, mine, monkeypatch) as engine:
        engine.submit(Task("left", Call(abs, -1)))
        with pytest.raises(ModelyardError, match=r"is gone, or the connection to it"):
            until_ended(engine)
        assert not engine.cancel(), "the cluster goes on, though the client is connected again"
    assert client.asked == []


def closed(*_: object, **__: object) -> None:
    raise ClosedClientError("Client is closed. Can't send update-graph message.")


def unreachable(*_: object, **__: object) -> None:
    raise CommClosedError("ConnectionPool closing.")


@pytest.mark.parametrize(("name", "fails"), [("submit", closed), ("publish_dataset", unreachable)])
def test_a_task_that_cannot_be_handed_out_because_the_scheduler_is_gone_is_one_line(
    mine: Path, monkeypatch: pytest.MonkeyPatch, name: str, fails: Callable[..., None]
):
    client = FakeClient()
    with connect_to(client, mine, monkeypatch) as engine:
        monkeypatch.setattr(client, name, fails)
        with pytest.raises(ModelyardError, match=r"is gone, or the connection to it"):
            engine.submit(Task("late", Call(abs, -1)))
        assert not engine.cancel()


def test_a_scheduler_that_is_lost_while_only_tasks_of_this_machine_run_is_noticed_after_their_ends(
    mine: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(cluster_engine, "THREADS_SECONDS", 0.0)
    client = FakeClient()
    with connect_to(client, mine, monkeypatch) as engine:
        client.status = "closing"
        assert engine.watch(0.0) == []
        engine.submit(Task("here", Call(abs, -1), stays=True))
        wait_until(lambda: engine._local._running["here"].connection.poll(), LONG)
        client.status = "closed"
        assert [event.result for event in engine.watch(0.0)] == [1]
        with pytest.raises(ModelyardError, match=r"is gone, or the connection to it"):
            engine.watch(0.0)
    assert warnings == [], "its workers are not the reason"


def test_a_result_that_arrived_before_the_scheduler_was_lost_is_kept(mine: Path, monkeypatch: pytest.MonkeyPatch):
    client = FakeClient()
    with connect_to(client, mine, monkeypatch) as engine:
        monkeypatch.setattr(client, "submit", done_future(status="finished", result=lambda: Done(Ended("", 1))))
        monkeypatch.setattr(client, "unpublish_dataset", unreachable)
        engine.submit(Task("arrived", Call(abs, -1)))
        assert until_ended(engine) == [Ended("arrived", 1)]
        with pytest.raises(ModelyardError, match=r"is gone, or the connection to it"):
            engine.watch(0.0)


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (KilledWorker("a", None, 3), "the workers that ran it were lost, one after the other; .* \\(tried 4 times\\)"),
        (OSError("no space"), "no space \\(tried 3 times\\)"),
    ],
)
def test_a_task_that_failed_says_how_often_it_was_tried(
    mine: Path, monkeypatch: pytest.MonkeyPatch, error: Exception, said: str
):
    client = FakeClient()
    with connect_to(client, mine, monkeypatch) as engine:
        monkeypatch.setattr(client, "submit", done_future(status="error", exception=lambda: error))
        engine.submit(Task("failed", Call(abs, -1)))
        (ended,) = until_ended(engine)
    assert re.match(said, ended.error)


def test_a_clock_that_differs_is_a_warning(mine: Path):
    engine = unconnected(mine)
    engine._examine({"tcp://a": (engine._here, time.time() + 120), "tcp://b": (engine._here, time.time())})
    assert len(warnings) == 1
    assert re.search(r"the clock of .* differs by \+1(19|20) s; set it \(NTP\)", warnings[0])
    assert engine._fitting == {"tcp://a", "tcp://b"}


def test_a_scheduler_without_workers_is_an_error_with_the_command_that_starts_one(mine: Path):
    with pytest.raises(ModelyardError, match=r"has had no worker for 60 s.*\.venv/bin/dask worker tcp://127"):
        unconnected(mine)._examine({})


@pytest.mark.slow
def test_certificates_come_from_the_configuration_of_dask(mine: Path, tmp_path: Path):
    import dask
    from distributed.security import Security

    temporary = Security.temporary()
    files = {name: tmp_path / f"{name}.pem" for name in ("ca", "cert", "key")}
    for name, content in zip(
        files, (temporary.tls_ca_file, temporary.tls_client_cert, temporary.tls_client_key), strict=True
    ):
        files[name].write_text(content)
    keys = {"ca-file": files["ca"]} | {
        f"{role}.{kind}": files[kind] for role in ("scheduler", "worker", "client") for kind in ("cert", "key")
    }
    config = {f"distributed.comm.tls.{key}": str(file) for key, file in keys.items()}
    variables = {f"DASK_{key}".upper().replace(".", "__").replace("-", "_"): file for key, file in config.items()}
    with cluster(tmp_path / "cluster", os.environ | variables, protocol="tls") as encrypted, dask.config.set(config):
        encrypted.start_worker(mine, "shared", "--no-nanny")
        assert encrypted.address.startswith("tls://")
        with connect(encrypted, mine) as engine:
            assert ends(engine, Task("encrypted", Call(abs, -4)))["encrypted"].result == 4
            assert engine.shares_folder, "this worker runs in the folder of the coordinator"
