"""The tags of a run: commit, uncommitted changes, stage, rebuild, notebook."""

from pathlib import Path

import mlflow
import numpy
import pytest
from support.mlflow_runs import runs_in
from support.repositories import git

from modelyard import tracking
from modelyard.tracking import environment


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A git repository, as the current folder: code, published values, and files that stages write."""
    (tmp_path / ".gitignore").write_text("mlflow.db\n.modelyard\nmlartifacts\n")
    (tmp_path / "published.yaml").write_text('an_experiment: {notebook: "002"}\n')
    for name in ("code.py", "dvc.lock", "results/metrics.json"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("as committed\n")
    git(tmp_path, "init", "-q")
    git(tmp_path, "add", "-A")
    git(tmp_path, "commit", "-qm", "first")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_a_run_names_its_commit_stage_rebuild_and_notebook(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DVC_STAGE", "train@an_experiment")
    monkeypatch.setenv("DVC_EXP_NAME", "wordy-song")
    monkeypatch.setenv("MODELYARD_REBUILD", "last night's")
    tags = environment.environment_tags("an_experiment")
    assert (tags["git_commit"], tags["git_dirty"]) == (git(repository, "rev-parse", "HEAD"), "false")
    assert (tags["dvc_stage"], tags["dvc_experiment"]) == ("train@an_experiment", "wordy-song")
    assert (tags["notebook"], tags["rebuild"]) == ("002", "last night's")
    assert environment.describe_commit() == tags["git_commit"]


def test_files_that_stages_write_are_no_changes(repository: Path) -> None:
    for name in ("results/metrics.json", "dvc.lock", "pretrained/results/vgg/metrics.json", "pretrained/dvc.lock"):
        (repository / name).parent.mkdir(parents=True, exist_ok=True)
        (repository / name).write_text("rebuilt")
    tags = environment.environment_tags()
    assert (tags["git_dirty"], tags.get("git_new")) == ("false", None)
    assert environment.uncommitted_patch() == b""


def test_changed_and_new_files_are_named(repository: Path) -> None:
    (repository / "code.py").write_text("changed\n")
    (repository / "new.py").write_text("new\n")
    tags = environment.environment_tags()
    expected = {"git_dirty": "true", "git_changed": "code.py", "git_new": "new.py"}
    assert expected.items() <= tags.items()
    assert environment.describe_commit() == f"{tags['git_commit']} with changes"


def settings_of(path: str, batch: str = "new/list") -> str:
    """Settings that name a file of a data set, and one to predict, by names that say nothing of what they hold."""
    return f"datasets: {{flats: {{files: {{flats.csv: {{path: {path}}}}}}}}}\nbatches: {{new: {{data: {batch}}}}}\n"


@pytest.fixture
def with_rows(repository: Path) -> Path:
    """The repository with rows in git: of a data set, of a batch and of a file that nothing names."""
    (repository / "params.yaml").write_text(settings_of("own/flats"))
    for name in ("own/flats", "new/list", "other/Notes.CSV"):
        (repository / name).parent.mkdir()
        (repository / name).write_text("Secret\n")
    git(repository, "add", "-A")
    git(repository, "commit", "-qm", "rows")
    (repository / "code.py").write_text("changed\n")
    return repository


@pytest.mark.parametrize("name", ["own/flats", "new/list", "other/Notes.CSV"])
def test_rows_are_not_in_the_patch_and_the_files_are_named(with_rows: Path, name: str) -> None:
    (with_rows / name).write_text("another Secret\n")
    patch = environment.uncommitted_patch()
    assert b"+changed" in patch
    assert b"Secret" not in patch
    tags = environment.environment_tags()
    assert (tags["git_changed"], tags["git_left_out"]) == (f"code.py, {name}", name)


@pytest.mark.parametrize(("settings", "where"), [("moved", "moved"), ("../flats", "../flats"), ("[", "moved")])
def test_rows_that_a_change_moves_are_not_in_the_patch(with_rows: Path, settings: str, where: str) -> None:
    """Within the project, outside of it, and while the settings cannot be read."""
    git(with_rows, "rm", "-q", "--cached", "own/flats")
    (with_rows / "own" / "flats").rename(with_rows / where)
    (with_rows / "params.yaml").write_text(settings_of(settings))
    if settings == "moved":
        git(with_rows, "add", "moved")
    patch = environment.uncommitted_patch()
    assert b"+changed" in patch
    assert b"Secret" not in patch
    assert "own/flats" in environment.environment_tags()["git_left_out"]


@pytest.mark.parametrize("settings", ["datasets: [a]", "batches: a", "datasets: {a: {files: {b: c}}}", "{"])
def test_settings_that_are_wrong_leave_the_patch_as_it_is(repository: Path, settings: str) -> None:
    (repository / "params.yaml").write_text(settings)
    (repository / "code.py").write_text("changed\n")
    assert b"+changed" in environment.uncommitted_patch()
    assert "git_left_out" not in environment.environment_tags()


@pytest.mark.parametrize("path", ["../flats.csv", "/data/flats.csv"])
def test_data_sets_outside_of_the_project_leave_the_patch_as_it_is(repository: Path, path: str) -> None:
    (repository / "params.yaml").write_text(f"datasets: {{flats: {{files: {{flats.csv: {{path: {path}}}}}}}}}\n")
    (repository / "code.py").write_text("changed\n")
    assert b"+changed" in environment.uncommitted_patch()


def test_a_tag_names_as_many_files_as_a_database_takes(repository: Path) -> None:
    names = [f"pictures/a_picture_of_something_{number:03}.png" for number in range(300)]
    (repository / "pictures").mkdir()
    for name in names:
        (repository / name).touch()
    named = environment.environment_tags()["git_new"]
    *first, last = named.split(", ")
    assert first == names[: len(first)]
    assert last == f"and {300 - len(first)} more"
    assert 4900 < len(named) < 8000


def test_the_patch_of_a_run_restores_what_differed_from_its_commit(
    tracked_project: Path, repository: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    assert tracked_project == repository
    changed = "größer\r\n\n\n".encode("latin-1")
    (repository / "code.py").write_bytes(changed)
    with tracking.training_run("an_experiment"):
        pass
    (run,) = runs_in(repository)
    elsewhere = tmp_path_factory.mktemp("elsewhere") / "clone"
    git(repository, "worktree", "add", "-q", str(elsewhere), run.data.tags["git_commit"])
    patch = mlflow.artifacts.download_artifacts(run_id=run.info.run_id, artifact_path="changes.patch")
    git(elsewhere, "apply", "--whitespace=nowarn", patch)
    assert (elsewhere / "code.py").read_bytes() == changed


def test_a_run_warns_of_what_looks_like_a_key_in_its_patch(tracked_project: Path, repository: Path, capsys) -> None:
    assert tracked_project == repository
    key = "AKIA" + "ABCDEFGHIJKLMNOP"
    (repository / "code.py").write_text(f"{key}\n")
    with tracking.training_run("an_experiment"):
        pass
    printed = capsys.readouterr().err
    assert "warning: changes.patch, which is stored with the run, has what looks like a key (line " in printed
    assert "an access key of AWS" in printed
    assert key not in printed


def test_outside_git_and_without_published_values_the_tags_are_left_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    tags = environment.environment_tags("an_experiment")
    assert tags.keys() == {"process", "git_error"}
    assert "not a git repository" in tags["git_error"]
    assert environment.describe_commit() == ""


def test_changes_that_git_cannot_tell_are_not_reported_as_none(repository: Path) -> None:
    (repository / ".gitattributes").write_text("* filter=absent\n")
    git(repository, "config", "filter.absent.clean", "no-such-program")
    git(repository, "config", "filter.absent.required", "true")
    (repository / "code.py").write_text("changed\n")
    tags = environment.environment_tags()
    assert "git said: " in tags["git_error"]
    assert "git_dirty" not in tags
    assert environment.describe_commit() == tags["git_commit"]
    assert environment.uncommitted_patch() == b""


def test_the_resource_usage_is_that_of_this_process() -> None:
    usage = environment.resource_usage()
    assert usage["system/process_peak_megabytes"] > 10
    assert usage["system/process_cpu_seconds"] > 0


def test_a_training_is_tagged_with_its_machine_and_a_backfilled_one_with_what_is_recorded(
    tracked_project: Path,
) -> None:
    (tracked_project / "params.yaml").write_text("runtime: {threads: 3}\n")
    with tracking.training_run("here") as run:
        run.log_device("cpu")
    with tracking.backfill_run("elsewhere", None) as run:
        run.log_device("cpu", {"processor": "Another", "packages": {"numpy": "1"}, "variables": {}})
    tags = {run.info.run_name: run.data.tags for run in runs_in(tracked_project)}
    assert tags["here"]["threads"] == "3"
    assert f"numpy {numpy.__version__}" in tags["here"]["packages"]
    assert (tags["elsewhere"]["processor"], tags["elsewhere"]["packages"]) == ("Another", "numpy 1")
    assert not {"threads", "variables"} & tags["elsewhere"].keys()
    assert tags["elsewhere"]["device"] == "cpu"
