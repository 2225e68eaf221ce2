"""DVC's lock of paths after processes were killed and their ids were given to others, and while one holds it."""

import json
import os
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from modelyard.orchestration.scheduler import Pipeline, StageState


@pytest.fixture
def root(make_project) -> Path:
    """A project with a stage."""
    root = make_project("stages: {a: {cmd: cat in > a, deps: [in], outs: [a]}}")
    (root / "in").touch()
    (root / ".dvc/tmp").mkdir(exist_ok=True)
    return root


@pytest.fixture
def other() -> Iterator[subprocess.Popen]:
    """Another process."""
    with subprocess.Popen(["sleep", "600"]) as process:
        yield process
        process.kill()


def lock(root: Path, pid: int, mode: str, seconds_ago: float = 0.0) -> None:
    """Lock the paths of the stage for a process of this id, some time ago."""
    holder = {"pid": pid, "cmd": "dvc repro"}
    paths = {str(root / "a"): holder} if mode == "write" else {str(root / "a"): [holder], str(root / "in"): [holder]}
    file = root / ".dvc/tmp/rwlock"
    file.write_text(json.dumps({mode: paths}))
    os.utime(file, (time.time() - seconds_ago,) * 2)


def build(root: Path) -> StageState:
    pipeline = Pipeline(root)
    pipeline.find_unchanged()
    pipeline.run(1, lambda stages: None)
    return pipeline.stages["a"].state


@pytest.mark.parametrize("mode", ["read", "write"])
def test_what_a_killed_process_locked_that_had_the_id_of_this_one_is_free(root: Path, mode: str) -> None:
    lock(root, os.getpid(), mode)
    assert build(root) is StageState.BUILT


@pytest.mark.parametrize("mode", ["read", "write"])
def test_what_was_locked_before_the_process_of_this_id_began_is_free(
    root: Path, other: subprocess.Popen, mode: str
) -> None:
    lock(root, other.pid, mode, seconds_ago=60)
    assert build(root) is StageState.BUILT


@pytest.mark.parametrize("mode", ["read", "write"])
def test_what_a_killed_process_locked_is_free_before_its_parent_waits_for_it(
    root: Path, other: subprocess.Popen, mode: str
) -> None:
    lock(root, other.pid, mode)
    other.kill()
    os.waitid(os.P_PID, other.pid, os.WEXITED | os.WNOWAIT)  # it has ended, and keeps its id
    assert build(root) is StageState.BUILT


@pytest.mark.parametrize("mode", ["read", "write"])
def test_what_a_running_process_has_locked_is_waited_for_with_its_name_and_what_to_do(
    root: Path, other: subprocess.Popen, mode: str
) -> None:
    lock(root, other.pid, mode)
    pipeline, reasons = Pipeline(root), set()

    def watch(_: object) -> None:
        reasons.add(pipeline.stages["a"].reason)
        if any(reasons):
            other.kill()
            other.wait()

    pipeline.run(1, watch)
    assert pipeline.stages["a"].state is StageState.BUILT
    assert f"(PID {other.pid}): dvc repro. If there are no processes with such PIDs, you can" in max(reasons)
