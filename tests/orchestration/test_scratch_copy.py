"""A copy without results: what it has, what it leaves out, and that nothing is left of it."""

import errno
import shutil
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from modelyard.orchestration import scratch_copy as copies
from modelyard.orchestration.scratch_copy import scratch_copy

STAGES = {
    "fetch@a": {"outs": [{"path": "data/raw/a"}]},
    "train@a": {
        "deps": [{"path": "src/package/train.py"}, {"path": "data/raw/a"}, {"path": "data/other"}, {"path": "own.csv"}],
        "outs": [{"path": "results/a/model"}],
    },
}
SUB_STAGES = {
    "count": {"deps": [{"path": "count.py"}, {"path": "../shared/a.py"}], "outs": [{"path": "count.txt"}]},
    "sum@a": {"deps": [{"path": "settings/a.json"}], "outs": [{"path": "results/a/sum"}]},
}
TARGETS = ("train@a", "sub/dvc.yaml:count", "sub/dvc.yaml:sum@a")
SUB_PIPELINE = "stages: {sum: {foreach: [a], do: {wdir: .., cmd: sum}}}"
FILES = (
    "dvc.yaml", "params.yaml", ".dvcignore", "src/package/train.py", "src/package/helper.py", "own.csv",
    "sub/dvc.yaml", "sub/count.py", "shared/a.py", "settings/a.json", "data/raw/a/raw.csv",
)  # fmt: skip
LEFT_OUT = (
    "data/other/prepared.csv", "data/raw/b/raw.csv", "results/a/model/model.keras", "reports/report.md", "notes.txt",
    "sub/count.txt", "sub/notes.txt",
    "src/package/__pycache__/train.pyc", ".dvc/cache/files/md5/aa", ".git/config",
)  # fmt: skip


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project, and a folder for temporary files beside it."""
    for name in (*FILES, *LEFT_OUT):
        file = tmp_path / "project" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(name)
    (tmp_path / "project" / "dvc.yaml").write_text("stages: {}")
    (tmp_path / "project" / "sub" / "dvc.yaml").write_text(SUB_PIPELINE)
    for folder, stages in (("project", STAGES), ("project/sub", SUB_STAGES)):
        write_lock(tmp_path / folder, stages)
    (tmp_path / "temporary").mkdir()
    monkeypatch.setattr(copies.tempfile, "tempdir", str(tmp_path / "temporary"))
    return tmp_path / "project"


def write_lock(folder: Path, stages: object) -> None:
    YAML().dump({"schema": "2.0", "stages": stages}, folder / "dvc.lock")


def files_of(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


def test_it_has_the_sources_and_kept_outputs_and_no_results(root: Path) -> None:
    before = {name: (root / name).read_text() for name in FILES}
    with scratch_copy(root, TARGETS, ["fetch@a", "fetch@never_run"]) as folder:
        assert files_of(folder) == {*FILES, "dvc.lock", "sub/dvc.lock", ".dvc/config"}
        for name in FILES:
            assert not (folder / name).is_symlink()
            (folder / name).write_text("edited in the copy")
    assert {name: (root / name).read_text() for name in FILES} == before


def test_what_only_other_stages_need_is_left_out(root: Path) -> None:
    """Of the target and what it is made from, through folders that stages make or that hold what they make."""
    for name in ("a", "b", "c", "incoming"):
        (root / name).mkdir()
        (root / name / "file").touch()
    stages = {
        "raw": {"deps": [{"path": "a/file"}], "outs": [{"path": "data/raw"}]},
        "inputs": {
            "deps": [{"path": "b/file"}, {"path": "data/raw/x.csv"}],
            "outs": [{"path": "made/inputs/training"}],
        },
        "train": {"deps": [{"path": "c/file"}, {"path": "made/inputs"}], "outs": [{"path": "results/model"}]},
        "batch": {"deps": [{"path": "incoming/file"}, {"path": "results/model"}], "outs": [{"path": "predicted.csv"}]},
    }
    write_lock(root, stages)
    with scratch_copy(root, ["train"]) as folder:
        assert {path.name for path in folder.iterdir() if path.is_dir()} == {".dvc", "a", "b", "c", "sub"}
    with scratch_copy(root, ["inputs"]) as folder:
        assert {path.name for path in folder.iterdir() if path.is_dir()} == {".dvc", "a", "b", "sub"}


@pytest.mark.parametrize("path", ["../beside.csv", "../temporary", ".", "src/../.."])
def test_nothing_outside_the_project_is_copied(path: str, root: Path) -> None:
    (root.parent / "beside.csv").touch()
    write_lock(root, {"train@a": {"deps": [{"path": path}, {"path": "own.csv"}], "outs": [{"path": path}]}})
    with scratch_copy(root, ["train@a"], ["train@a"]) as folder:
        assert (folder / "own.csv").exists()
        assert not (folder / "src").exists()
        assert list(folder.parent.iterdir()) == [folder]


def test_what_is_put_beside_the_copy_is_not_left(root: Path) -> None:
    with scratch_copy(root, TARGETS) as folder:
        (folder / "../beside.csv").touch()
    assert not list((root.parent / "temporary").iterdir())


def test_links_that_lead_nowhere_are_passed_over(root: Path) -> None:
    (root / "src" / "package" / ".#train.py").symlink_to("someone@somewhere.1234")  # of Emacs, while a file is edited
    with scratch_copy(root, TARGETS) as folder:
        assert (folder / "src" / "package" / "train.py").exists()


def test_outputs_that_are_not_kept_are_left_out(root: Path) -> None:
    with scratch_copy(root, TARGETS) as folder:
        assert not (folder / "data").exists()


@pytest.mark.parametrize("error", [KeyboardInterrupt(), ValueError()])
def test_nothing_is_left_after_an_error(error: BaseException, root: Path) -> None:
    with pytest.raises(type(error)), scratch_copy(root, TARGETS):
        raise error
    assert not list((root.parent / "temporary").iterdir())


def test_nothing_is_left_after_a_full_disk(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(shutil, "copytree", full)
    with pytest.raises(OSError, match="No space left"), scratch_copy(root, TARGETS):
        pass
    assert not list((root.parent / "temporary").iterdir())
