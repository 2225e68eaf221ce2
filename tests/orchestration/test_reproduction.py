"""Each kind of stage, built by the scheduler and by `dvc repro`: the same files, records and errors."""

import shutil
import subprocess
import sys
from contextlib import chdir
from pathlib import Path

import pytest
from dvc.repo import Repo

from modelyard.orchestration.scheduler import Pipeline, StageState

KINDS = {
    "a list of commands": "stages: {a: {cmd: ['echo one > a', 'echo two >> a'], deps: [in], outs: [a]}}",
    "lines of commands": 'stages: {a: {cmd: "echo $PWD | wc -l > a\\nVALUE=2\\necho [$VALUE] >> a", outs: [a]}}',
    "a folder of its own": "stages: {a: {wdir: sub, cmd: 'cat ../in > a', deps: [../in], outs: [a]}}",
    "environment": "stages: {a: {cmd: 'echo $(basename $DVC_ROOT) $DVC_STAGE > a', outs: [a]}}",
    "always changed": "stages: {a: {cmd: 'echo one > a', always_changed: true, deps: [in], outs: [a]}}",
    "no dependency and no output": "stages: {a: {cmd: 'echo said >> ../said'}}",
    "an output that is kept": "stages: {a: {cmd: 'echo more >> a', deps: [in], outs: [a: {persist: true}]}}",
    "outputs without cache": (
        "stages: {a: {cmd: 'echo 1 > a; echo 2 > m.json', deps: [in], outs: [a: {cache: false}], "
        "metrics: [m.json: {cache: false}]}}"
    ),
    "folders": "stages: {a: {cmd: 'mkdir -p a/b && cp in a/b/c', deps: [in], outs: [a]}}",
    "frozen": "stages: {a: {cmd: 'echo never > a', frozen: true, deps: [in], outs: [a]}}",
    "quotes": """stages: {a: {cmd: 'echo "it''s" $((1 + 1)) `echo x` > a; exit 0', deps: [in], outs: ["a"]}}""",
    "standard input": "stages: {a: {cmd: 'cat > a; echo end >> a', deps: [in], outs: [a]}}",
}


@pytest.fixture
def two_projects(make_project) -> tuple[Path, Path]:
    """Two folders of the same name and content, for the scheduler and for DVC."""
    root = make_project("stages: {}")
    (root / "in").write_text("first\n")
    (root / "sub").mkdir()
    other = root.parent / "other" / root.name
    shutil.copytree(root, other)
    return root, other


def run(root: Path) -> dict[str, StageState]:
    pipeline = Pipeline(root)
    pipeline.run(2, lambda stages: None)
    return {name: stage.state for name, stage in pipeline.stages.items()}


def repro(root: Path) -> None:
    with chdir(root), Repo(str(root)) as repo:
        repo.reproduce()


def files(root: Path) -> dict[str, bytes]:
    """All files of a project but DVC's temporary ones: outputs, dvc.lock, .gitignore, the cache and the run cache."""
    paths = [path for path in sorted(root.rglob("*")) if path.is_file() and "tmp" not in path.relative_to(root).parts]
    return {str(path.relative_to(root)): path.read_bytes() for path in paths}


@pytest.mark.parametrize("kind", KINDS)
def test_a_stage_leaves_the_files_that_dvc_leaves(two_projects, kind: str):
    for content in ("first\n", "second\n", "first\n"):  # the third build may restore the first one
        for root in two_projects:
            (root / "dvc.yaml").write_text(KINDS[kind])
            (root / "in").write_text(content)
            if kind == "frozen":
                (root / "a").write_text(content)
        ours, theirs = two_projects
        assert run(ours)["a"] in (StageState.BUILT, StageState.UNCHANGED)
        repro(theirs)
        assert files(ours) == files(theirs)
    assert "dvc.lock" in files(ours)


def test_outputs_of_a_git_project_are_ignored_by_git(two_projects):
    for root in two_projects:
        subprocess.run(["git", "init", "-q"], cwd=root, check=True)
        subprocess.run([sys.executable, "-m", "dvc", "init", "-q", "-f"], cwd=root, check=True)
        (root / "dvc.yaml").write_text(KINDS["folders"])
    ours, theirs = two_projects
    run(ours)
    repro(theirs)
    assert (ours / ".gitignore").read_text() == (theirs / ".gitignore").read_text() == "/a\n"


def test_a_tracked_file_is_recorded_again_when_it_changed(two_projects):
    for root in two_projects:
        subprocess.run([sys.executable, "-m", "dvc", "add", "-q", "in"], cwd=root, check=True)
        (root / "dvc.yaml").write_text(KINDS["folders"])
        (root / "in").write_text("edited\n")
    ours, theirs = two_projects
    assert run(ours) == {"in.dvc": StageState.BUILT, "a": StageState.BUILT}
    repro(theirs)
    assert files(ours) == files(theirs)


@pytest.mark.parametrize(
    ("command", "said"),
    [
        ("echo done", ["done", "OutputDoesNotExistError: output 'a' does not exist"]),
        ("exit 7", ["The command ended with exit code 7."]),
        ("echo why; exit 7", ["why"]),
        ("kill -9 $$", ["its process was killed, perhaps out of memory"]),
        ("echo epoch 1; kill -9 $$", ["epoch 1", "its process was killed, perhaps out of memory"]),
        ("echo epoch 1; exit 137", ["epoch 1", "its process was killed, perhaps out of memory"]),
    ],
)
def test_a_stage_that_fails_says_why_and_leaves_no_record(make_project, command: str, said: list[str]):
    root = make_project(f"stages: {{a: {{cmd: '{command}', outs: [a]}}}}")
    pipeline = Pipeline(root)
    pipeline.run(1, lambda stages: None)
    assert pipeline.stages["a"].state is StageState.FAILED
    assert pipeline.stages["a"].last_lines(9) == said
    assert not (root / "dvc.lock").exists()


def test_the_first_command_that_fails_is_the_last_one(make_project):
    root = make_project("stages: {a: {cmd: [touch first, exit 3, touch last], outs: [a]}}")
    assert run(root) == {"a": StageState.FAILED}
    assert (root / "first").exists()
    assert not (root / "last").exists()


def test_a_missing_dependency_fails_its_stage_alone(make_project):
    root = make_project("stages: {a: {cmd: touch a, deps: [gone], outs: [a]}, b: {cmd: echo b > b, outs: [b]}}")
    assert run(root) == {"a": StageState.FAILED, "b": StageState.BUILT}


def test_warnings_of_dvc_are_in_the_log_and_its_hints_nowhere(two_projects, capfd):
    root, _ = two_projects
    subprocess.run(["git", "init", "-q"], cwd=root, check=True)
    subprocess.run([sys.executable, "-m", "dvc", "init", "-q", "-f"], cwd=root, check=True)
    (root / "dvc.yaml").write_text("stages: {a: {cmd: 'touch a', deps: [in], outs: [a]}}")
    capfd.readouterr()
    pipeline = Pipeline(root)
    pipeline.run(1, lambda stages: None)
    assert pipeline.stages["a"].last_lines(9) == ["'a' is empty."]
    assert capfd.readouterr() == ("", "")


# What it reads is edited after it was read, by the command itself: once, or each time.
EDITED = {
    "a file": ("deps: [in]", "cat in > a", "echo edited > in", "in"),
    "a file in a folder": ("deps: [folder]", "cat folder/in > a", "echo edited > folder/in", "folder"),
    "a parameter": ("params: [width]", "cat params.yaml > a", "echo 'width: 2' > params.yaml", "params.yaml"),
}


@pytest.mark.parametrize("kind", EDITED)
def test_a_stage_whose_dependency_is_edited_while_it_runs_is_built_again(make_project, kind: str):
    depends, read, edit, path = EDITED[kind]
    commands = f"[{read}, 'echo >> runs', \"[ -e edited ] || {edit}\", touch edited]"
    root = make_project(f"stages: {{a: {{cmd: {commands}, {depends}, outs: [a]}}}}", "width: 1\n")
    (root / "folder").mkdir()
    for name in ("in", "folder/in"):
        (root / name).write_text("before\n")
    pipeline, reasons = Pipeline(root), set()
    pipeline.run(1, lambda stages: reasons.add(stages["a"].reason))
    assert pipeline.stages["a"].state is StageState.BUILT
    assert reasons == {"", f"begins again: {path} changed while its command ran"}
    assert (root / "runs").read_text() == "\n\n"
    assert "before" not in (root / "a").read_text()
    assert run(root) == {"a": StageState.UNCHANGED}
    for name in ("in", "folder/in"):  # the result of neither content was kept for the other one
        (root / name).write_text("before\n")
    (root / "params.yaml").write_text("width: 1\n")
    assert run(root) == {"a": StageState.BUILT}
    assert (root / "runs").read_text() == "\n\n\n"


def test_a_command_that_changes_what_it_depends_on_fails_and_leaves_no_record(make_project):
    root = make_project("stages: {a: {cmd: 'cat in > a; echo more >> in', deps: [in], outs: [a]}}")
    (root / "in").write_text("first\n")
    pipeline = Pipeline(root)
    pipeline.run(1, lambda stages: None)
    assert pipeline.stages["a"].state is StageState.FAILED
    (*_, said) = pipeline.stages["a"].last_lines(9)
    assert said.startswith("in changed while its command ran, twice, so nothing was recorded. A command must not")
    assert not (root / "dvc.lock").exists()


def test_a_stage_that_was_removed_while_its_dependency_was_edited_fails(make_project):
    stages = (
        "stages: {a: {cmd: [cat in > a, echo edited > in, 'echo \"stages: {}\" > dvc.yaml'], deps: [in], outs: [a]}}"
    )
    root = make_project(stages)
    (root / "in").write_text("first\n")
    assert run(root) == {"a": StageState.FAILED}


@pytest.mark.parametrize("values", ["{{size: {}}}", "[{{nfiles: {}}}]"])
def test_the_result_of_another_size_is_not_restored(make_project, values: str):
    """DVC's run cache would: it leaves out parameters of this name, as it does the sizes of files."""
    root = make_project("stages: {a: {cmd: cat params.yaml > a, params: [box], outs: [a]}}")
    for size in (1, 2, 1):
        (root / "params.yaml").write_text(f"box: {values.format(size)}\n")
        assert run(root) == {"a": StageState.BUILT}
        assert (root / "a").read_text() == (root / "params.yaml").read_text()
    (root / "a").unlink()
    assert run(root) == {"a": StageState.BUILT}
    assert (root / "a").read_text() == (root / "params.yaml").read_text()
