"""Two rebuilds of one checkout at the same time, and one that is interrupted twice."""

import re
import signal
import subprocess
from pathlib import Path

import pytest
from support.killed_rebuilds import processes_with
from support.servers import BOUND
from support.tracked_projects import TrackedProject
from support.waiting import wait_until

from modelyard.orchestration.run_lock import RUNNING

pytestmark = pytest.mark.slow

MARK = "CONCURRENT_RUNS"


@pytest.fixture
def project(clone: Path) -> TrackedProject:
    tracked = TrackedProject(clone)
    tracked.environment[MARK] = str(clone)
    return tracked


def begin(project: TrackedProject, *experiments: str) -> subprocess.Popen:
    return subprocess.Popen(
        ["modelyard", "run", *experiments], cwd=project.folder, env=project.environment,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip


def wait_for_training(project: TrackedProject) -> None:
    running = project.folder / RUNNING
    wait_until(lambda: running.exists() and "train@" in running.read_text(), BOUND)


def test_a_second_run_waits_says_for_whom_and_builds_the_rest(project: TrackedProject) -> None:
    first = begin(project, "xor_mlp")
    wait_for_training(project)
    second = begin(project, "xor_mlp", "xor_perceptron")
    outputs = [each.communicate(timeout=BOUND)[0] for each in (first, second)]
    assert (first.returncode, second.returncode) == (0, 0), outputs
    assert f"Waiting for process {first.pid}, running in this folder since" in outputs[1]
    assert "Waiting" not in outputs[0]
    assert "✓ train@xor_mlp" not in outputs[1]
    assert "✓ train@xor_perceptron" in outputs[1]
    assert "Traceback" not in "".join(outputs)
    assert re.search(r"Stages: \d+ unchanged\.", project.run("modelyard", "run", "xor_mlp", "xor_perceptron"))


def test_ctrl_c_twice_leaves_no_process_and_the_next_run_completes(project: TrackedProject) -> None:
    command = begin(project, "digits_cnn")
    wait_for_training(project)
    command.send_signal(signal.SIGINT)
    command.send_signal(signal.SIGINT)
    output, _ = command.communicate(timeout=BOUND)
    assert command.returncode == 130, output
    assert "Traceback" not in output
    wait_until(lambda: not list(processes_with(MARK, str(project.folder))), 5.0)
    assert "Stages: " in project.run("modelyard", "run", "digits_cnn")
