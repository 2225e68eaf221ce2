"""A run explained: what made it, whether that is here, and the commands that make it again."""

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


def with_tags(**tags: str) -> RunRecord:
    """The run with more tags; `__` stands for a colon and `___` for a slash."""
    named = {name.replace("___", "/").replace("__", ":"): value for name, value in tags.items()}
    return replace(RUN, tags={**RUN.tags, **named})


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty repository with a dvc.lock."""
    subprocess.run(["git", "init", "-q", tmp_path], check=True)
    (tmp_path / "dvc.lock").write_text(LOCK)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def line(told: str, mention: str) -> str:
    (found,) = [line for line in told.splitlines() if mention in line]
    return found


def test_each_md5_is_compared_with_what_is_here(here: Path) -> None:
    run = with_tags(in__data___inputs___x___training="11.dir", out__results___x___model="33.dir", out__results___y="4")
    told = explain(run, here)
    assert line(told, "data/inputs/x/training").split() == [
        "went",
        "in",
        "data/inputs/x/training",
        "11.dir",
        "as",
        "here",
    ]
    assert line(told, "results/x/model").endswith("33.dir  other here")
    assert line(told, "results/y").endswith("4  not built here")


def test_without_md5s_it_says_how_to_have_them(here: Path) -> None:
    assert "none noted yet; where its files are: modelyard runs backfill" in explain(RUN, here)


def test_a_commit_that_is_not_here_is_told_with_what_to_do(here: Path) -> None:
    assert f"{COMMIT}, without changes; it is not in this repository: git fetch" in explain(RUN, here)


def test_a_clean_run_is_built_again_from_its_commit_alone(here: Path) -> None:
    _, way = explain(RUN, here).split("To build it again:\n")
    assert [line.strip() for line in way.splitlines()][:4] == [
        "git worktree add ../x-0123456789 0123456789",
        "cd ../x-0123456789",
        "make install",
        ".venv/bin/modelyard run x",
    ]


def test_changes_are_named_and_brought_back(here: Path) -> None:
    told = explain(with_tags(git_dirty="true", git_changed="params.yaml", git_new="src/new.py"), here)
    assert f"{COMMIT}, with changes in params.yaml, src/new.py" in told
    download = "mlflow artifacts download --run-id abc --artifact-path changes.patch --dst-path ../x-0123456789"
    assert line(told, download).startswith(f"  MLFLOW_TRACKING_URI=sqlite:///{here}/mlflow.db ")
    assert "git apply --whitespace=nowarn changes.patch && rm changes.patch" in told
    assert "bring these files, which git did not know: src/new.py" in told


def test_a_failed_run_tells_its_error(here: Path) -> None:
    told = explain(replace(with_tags(error="ValueError: no such luck"), status="FAILED"), here)
    assert "run abc, failed" in told
    assert "ValueError: no such luck" in told


def test_an_evaluation_at_another_commit_is_told(here: Path) -> None:
    assert "evaluated at commit" not in explain(with_tags(evaluation_commit=COMMIT), here)
    assert "evaluated at commit 99 with changes" in explain(with_tags(evaluation_commit="99 with changes"), here)


def test_a_run_without_commit_says_that_nothing_leads_back(here: Path) -> None:
    told = explain(replace(RUN, tags={}), here)
    assert "commit    unknown: there was no git repository" in told
    assert told.endswith("Nothing says how to build it again: it names no commit.")
