"""Reading once must never hide a change: what DVC finds is the same with and without it."""

import shutil
from pathlib import Path

import pytest
from dvc.repo import Repo, lock_repo
from hypothesis import given, settings
from hypothesis import strategies as st

from modelyard.orchestration.read_once import read_once

PIPELINE = """
stages:
  prepare:
    foreach: ${parts}
    do:
      cmd: mkdir -p data/${key}; cat code.txt more/code.txt > data/${key}/x; echo ${item} > data/${key}/y
      deps: [code.txt, more]
      params:
        - parts.${key}
      outs:
        - data/${key}
  join:
    cmd: cat data/a/x data/b/y > joined
    deps: [code.txt, data/a, data/b]
    params:
      - other.yaml:
          - threads
    outs: [joined]
"""
FILES = {
    "dvc.yaml": PIPELINE,
    "params.yaml": "parts: {a: 1, b: 2}\n",
    "other.yaml": "threads: 1\n",
    "code.txt": "code\n",
    "more/code.txt": "more\n",
}
EDITS = {
    "params.yaml": ["parts: {a: 1, b: 3}\n", "parts: {b: 2, a: 1}\n", "parts: {a: 1, b: 2, c: 3}\n"],
    "other.yaml": ["threads: 2\n", "jobs: 1\n"],
    "code.txt": ["edited\n", None],
    "more/code.txt": ["edited\n", "code\n"],
    "more/new.txt": ["new\n"],
    "data/a/x": ["edited\n", None],
    "data/b/y": ["edited\n"],
    "joined": ["edited\n", None],
}
CHANGES = st.fixed_dictionaries({}, optional={name: st.sampled_from(contents) for name, contents in EDITS.items()})


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project of three stages that is up to date."""
    root = tmp_path_factory.mktemp("built")
    for name, content in FILES.items():
        (root / name).parent.mkdir(exist_ok=True)
        (root / name).write_text(content)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(root)
        Repo.init(no_scm=True).close()
        with Repo() as repo:
            repo.reproduce()
    return root


def status() -> dict:
    """What DVC finds of each stage, with a repository that has read nothing before."""
    with Repo() as repo, lock_repo(repo):
        return {stage.addressing: stage.status(check_updates=True) for stage in repo.index.stages}


@settings(max_examples=20)
@given(changes=CHANGES)
def test_the_same_changes_are_found(changes: dict[str, str | None], built: Path, tmp_path_factory) -> None:
    root = tmp_path_factory.mktemp("edited") / "project"
    shutil.copytree(built, root, symlinks=True)
    for name, content in changes.items():
        (root / name).unlink(missing_ok=True)
        if content is not None:
            (root / name).write_text(content)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(root)
        expected = status()
        with read_once():
            assert status() == expected


def test_each_file_is_parsed_once(built: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from dvc.dependency import param

    monkeypatch.chdir(built)
    parsed, parse = [], param.load_path
    monkeypatch.setattr(param, "load_path", lambda path, *more, **options: parsed.append(path) or parse(path, *more))
    with read_once():
        status()
    assert sorted(Path(path).name for path in parsed) == ["other.yaml", "params.yaml"]


def test_each_dependency_is_hashed_once(built: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from dvc.output import Output

    monkeypatch.chdir(built)
    hashed, hash_meta = [], Output._get_hash_meta
    monkeypatch.setattr(Output, "_get_hash_meta", lambda self: hashed.append(self) or hash_meta(self))
    with read_once():
        status()
    dependencies = [output.fs_path for output in hashed if output.IS_DEPENDENCY]
    assert len(dependencies) == len(set(dependencies)) == 4  # code.txt, more, data/a, data/b
