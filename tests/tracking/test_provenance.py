"""The text of `modelyard runs explain`: what produced a run, and the commands that build it again."""

import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from modelyard.tracking.provenance import explain
from modelyard.tracking.queries import RunRecord

COMMIT = "0123456789abcdef0123456789abcdef01234567"
LOCK = """
stages:
  train@x:
    cmd: train
    deps: [{path: data/inputs/x/training, md5: 11.dir}]
    outs: [{path: results/x/model, md5: 22.dir}]
"""
RUN = RunRecord("abc", "x", "FINISHED", 1000.0, 1012.0, {"git_commit": COMMIT, "git_dirty": "false"}, {}, {})


def with_tags(tags: dict[str, str]) -> RunRecord:
    return replace(RUN, tags={**RUN.tags, **tags})


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty repository with a dvc.lock, as the current folder."""
    subprocess.run(["git", "init", "-q", tmp_path], check=True)
    (tmp_path / "dvc.lock").write_text(LOCK)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def line(text: str, part: str) -> str:
    (found,) = [line for line in text.splitlines() if part in line]
    return found


def test_each_md5_is_compared_with_dvc_lock(root: Path) -> None:
    went_in = {"src/a.py": "0", "data/inputs/x/training": "11.dir"}
    lineage = {"went in": went_in, "came out": {"results/x/model": "33.dir", "results/y": "4"}}
    text = explain(RUN, lineage, root)
    assert line(text, "data/inputs/x/training").split() == ["input", "data/inputs/x/training", "11.dir", "as", "here"]
    assert line(text, "results/x/model").endswith("33.dir  other here")
    assert line(text, "results/y").endswith("4  not built here")
    assert "src/a.py" not in text, "the commit says so"


def test_a_run_without_md5s_advises_a_backfill(root: Path) -> None:
    assert "not logged yet, or out of reach; where its files are: modelyard runs backfill" in explain(RUN, {}, root)


def test_a_commit_missing_from_the_repository_advises_a_fetch(root: Path) -> None:
    assert f"{COMMIT}, without changes; not in this repository: git fetch" in explain(RUN, {}, root)


def test_a_run_without_changes_is_built_again_from_its_commit(root: Path) -> None:
    _, commands = explain(RUN, {}, root).split("To build it again:\n")
    assert [line.strip() for line in commands.splitlines()][:4] == [
        "git worktree add ../x-0123456789 0123456789",
        "cd ../x-0123456789",
        "make install",
        ".venv/bin/modelyard run x",
    ]


def test_a_run_with_changes_is_built_again_from_its_patch(root: Path) -> None:
    text = explain(with_tags({"git_dirty": "true", "git_changed": "params.yaml", "git_new": "src/new.py"}), {}, root)
    assert f"{COMMIT}, with changes in params.yaml, src/new.py" in text
    download = "mlflow artifacts download --run-id abc --artifact-path changes.patch --dst-path ../x-0123456789"
    assert line(text, download).startswith(f"  MLFLOW_TRACKING_URI=sqlite:///{root}/mlflow.db ")
    assert "git apply --whitespace=nowarn changes.patch && rm changes.patch" in text
    assert "add these files, which were not in git: src/new.py" in text


def test_changed_data_is_named_and_has_no_patch(root: Path) -> None:
    only_data = with_tags({"git_dirty": "true", "git_changed": "houses.csv", "git_left_out": "houses.csv"})
    text = explain(only_data, {}, root)
    assert "changes.patch" not in text
    assert "replace these files of data, whose changes no run holds, with those of then: houses.csv" in text
    both = with_tags({"git_changed": "houses.csv, params.yaml", "git_left_out": "houses.csv"})
    assert "git apply --whitespace=nowarn changes.patch" in explain(both, {}, root)
    assert "with those of then: houses.csv" in explain(both, {}, root)


@pytest.mark.parametrize(
    "name, group, command",
    [
        ("trial 3", "study digits_cnn 2026-01-02T03:04:05+00:00", "modelyard tune"),
        ("x seed 2", "confirmation of digits_cnn x 12ab", "modelyard tune --confirm"),
        ("x seed 2", "replication x 12ab", "modelyard replicate, or modelyard promote --seeds"),
        ("check x", "check 12ab", "modelyard check"),
        ("other", "of a later version", "another command than modelyard run"),
    ],
)
def test_a_run_that_no_stage_made_names_the_command_that_did(name: str, group: str, command: str, root: Path) -> None:
    text = explain(replace(with_tags({"group": group}), name=name), {}, root)
    assert text.endswith(f"No stage of the pipeline made it: it is of {command}. Run that again, at the same commit.")
    assert "MD5s" not in text, "a backfill logs none of it"


def test_a_name_with_spaces_is_quoted(root: Path) -> None:
    text = explain(replace(RUN, name="x renamed"), {}, root)
    assert "git worktree add '../x renamed-0123456789' 0123456789" in text
    assert "modelyard run 'x renamed'" in text


def test_an_address_of_the_environment_is_not_set_again(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "postgresql+psycopg://ann:hush@db/runs")
    text = explain(with_tags({"git_changed": "params.yaml"}), {}, root)
    assert line(text, "artifacts download").startswith("  mlflow artifacts download --run-id abc ")
    assert "MLFLOW_TRACKING_URI" not in text


def test_a_failed_run_shows_its_error(root: Path) -> None:
    text = explain(replace(with_tags({"error": "ValueError: no such luck"}), status="FAILED"), {}, root)
    assert "run abc, failed" in text
    assert "ValueError: no such luck" in text


def test_an_evaluation_at_another_commit_is_shown(root: Path) -> None:
    assert "evaluated at commit" not in explain(with_tags({"evaluation_commit": COMMIT}), {}, root)
    assert "evaluated at commit 99 with changes" in explain(
        with_tags({"evaluation_commit": "99 with changes"}), {}, root
    )


def test_a_backfilled_run_shows_its_source_and_no_duration(root: Path) -> None:
    assert ", 12 s" in explain(RUN, {}, root)
    text = explain(with_tags({"filled_in_from": "the files of an earlier or another's training"}), {}, root)
    assert "from      the files of an earlier or another's training" in text
    assert ", 12 s" not in text


def test_a_run_without_a_commit_cannot_be_built_again(root: Path) -> None:
    text = explain(replace(RUN, tags={}), {}, root)
    assert "commit    unknown: git found none" in text
    assert text.endswith("It cannot be built again: the run names no commit.")


def test_what_git_said_is_shown(root: Path) -> None:
    said = "git said: fatal: detected dubious ownership"
    assert f"commit    unknown: {said}" in explain(replace(RUN, tags={"git_error": said}), {}, root)
    assert f"{COMMIT}, uncommitted changes unknown: {said}; not in" in explain(with_tags({"git_error": said}), {}, root)


def test_a_project_within_a_repository_is_built_again_in_its_folder(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (root / "models").mkdir()
    monkeypatch.chdir(root / "models")
    text = explain(RUN, {}, root)
    assert "  git worktree add ../x-0123456789 0123456789\n  cd ../x-0123456789/models\n" in text
