"""DVC's own commands in another process while the scheduler runs a stage: refused, or harmless."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.waiting import wait_until

from modelyard.orchestration.scheduler import Pipeline, StageState

RUN = """
from pathlib import Path
from modelyard.orchestration.scheduler import Pipeline
pipeline = Pipeline(Path.cwd())
pipeline.find_unchanged()
pipeline.run(2, lambda stages: None)
print(*(f"{name} {stage.state}" for name, stage in pipeline.stages.items()), sep=", ")
"""
# `slow` makes one file of its folder, and the other one when it may.
STAGES = """
stages:
  first: {cmd: echo first > first, outs: [first]}
  slow:
    cmd: mkdir slow; cat first in > slow/a; until [ -e go ]; do sleep 0.05; done; mkdir -p slow; echo b > slow/b
    deps: [first, in]
    outs: [slow]
  last: {cmd: cat slow/* > last, deps: [slow], outs: [last]}
  other: {cmd: "until [ -e other_go ]; do sleep 0.05; done; echo other > other", outs: [other]}
"""
BOUND = 300.0  # seconds; generous, for a loaded machine


class Running:
    """A project in which the scheduler runs `slow`."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._process = subprocess.Popen([sys.executable, "-c", RUN], cwd=root, stdout=subprocess.PIPE, text=True)
        wait_until(lambda: (root / "slow/b").exists() < (root / "slow/a").exists(), BOUND)

    @property
    def pid(self) -> int:
        return self._process.pid

    def dvc(self, *arguments: str) -> subprocess.CompletedProcess:
        return subprocess.run(
            [sys.executable, "-m", "dvc", *arguments], cwd=self.root, capture_output=True, text=True, timeout=BOUND
        )

    def end(self) -> str:
        """Let all stages end; their states."""
        (self.root / "other_go").touch()
        (self.root / "go").touch()
        return self._process.communicate(timeout=BOUND)[0].splitlines()[-1]

    def kill(self) -> None:
        self._process.kill()
        self._process.communicate()


@pytest.fixture
def running(make_project) -> Iterator[Running]:
    """The second build, after an input was edited: the records and the cache have the results of the first one."""
    root = make_project(STAGES)
    (root / "in").write_text("before\n")
    for name in ("go", "other_go"):
        (root / name).touch()
    Pipeline(root).run(2, lambda stages: None)
    (root / "in").write_text("edited\n")
    (root / "go").unlink()
    project = Running(root)
    yield project
    project.kill()


def assert_complete(project: Running) -> None:
    assert project.end() == "first unchanged, slow built, last built, other unchanged"
    assert (project.root / "last").read_text() == "first\nedited\nb\n"
    pipeline = Pipeline(project.root)
    pipeline.find_unchanged()
    assert {stage.state for stage in pipeline.stages.values()} == {StageState.UNCHANGED}


def test_what_reads_or_cleans_up_works(running):
    status, cleaned = running.dvc("status"), running.dvc("gc", "-w", "-f")
    assert (status.returncode, cleaned.returncode) == (0, 0), status.stderr + cleaned.stderr
    assert "modified:           slow" in status.stdout
    assert_complete(running)


def test_what_would_build_record_or_delete_half_a_result_is_refused_with_the_reason(running):
    for command in ("repro", "repro --single-item last", "commit --force slow", "remove --outs slow"):
        refused = running.dvc(*command.split())
        assert refused.returncode != 0, command
        assert f"is busy, it is being blocked by:\n  (PID {running.pid})" in refused.stderr
    assert_complete(running)


@pytest.mark.parametrize("targets", [(), ("slow",)])
def test_a_stage_whose_files_dvc_checkout_replaced_is_built_again(running, targets):
    assert running.dvc("checkout", "--force", *targets).returncode == 0
    assert (running.root / "slow" / "a").read_text() == "first\nbefore\n"
    assert_complete(running)


def test_a_stage_whose_files_dvc_checkout_deleted_is_built_again(make_project):
    """The first build: there are no records to restore from."""
    root = make_project(STAGES)
    (root / "in").write_text("edited\n")
    project = Running(root)
    try:
        project.dvc("checkout", "--force")
        assert not (root / "slow").exists()
        assert project.end() == "first built, slow built, last built, other built"
        assert (root / "last").read_text() == "first\nedited\nb\n"
    finally:
        project.kill()


def test_a_stage_that_dvc_repro_builds_at_the_moment_is_waited_for(running):
    (running.root / "other").unlink()
    (running.root / "other_go").unlink()
    stage = subprocess.Popen([sys.executable, "-m", "dvc", "repro", "-q", "--force", "other"], cwd=running.root)
    wait_until(lambda: "other" in (running.root / ".dvc/tmp/rwlock").read_text(), BOUND)
    pipeline, reasons = Pipeline(running.root, ["other"]), []

    def watch(stages: object) -> None:
        reasons.append(pipeline.stages["other"].reason)
        if any(reasons):
            (running.root / "other_go").touch()

    pipeline.run(1, watch)
    assert stage.wait(BOUND) == 0
    assert pipeline.stages["other"].state is StageState.UNCHANGED
    assert f"is busy, it is being blocked by: (PID {stage.pid})" in max(reasons)
    assert_complete(running)


def test_half_a_file_of_locks_is_replaced(make_project):
    """DVC leaves it when it is killed while it writes; it then refuses everything."""
    root = make_project("stages: {a: {cmd: echo a > a, outs: [a]}}")
    (root / ".dvc/tmp").mkdir(exist_ok=True)
    (root / ".dvc/tmp/rwlock").write_text('{"write": {"/a/pa')
    pipeline = Pipeline(root)
    pipeline.find_unchanged()
    pipeline.run(1, lambda stages: None)
    assert pipeline.stages["a"].state is StageState.BUILT
