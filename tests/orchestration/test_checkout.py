"""Two checkouts: equal, or one line that says in what they differ."""

from dataclasses import replace
from pathlib import Path

import pytest
from support.repositories import git

from modelyard.core.errors import ModelyardError
from modelyard.orchestration import checkout
from modelyard.orchestration.checkout import Checkout, describe, describe_coordinator

HERE = Checkout("here:/a", "a" * 40, (), "1" * 64, "2" * 64, {"numpy": "2.0", "python": "3.11"}, ("avx", "avx2"), "")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    git(tmp_path, "init", "-q")
    results = ("results/a.json", "pretrained/results/b/metrics.json")
    for name in ("params.yaml", "requirements.lock", "dvc.lock", "pipeline/train.py", *results):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("1\n")
    git(tmp_path, "add", "-A")
    git(tmp_path, "commit", "-qm", "first")
    return tmp_path


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({}, ""),
        ({"place": "there:/b", "tokens": ("x",)}, ""),
        ({"commit": "b" * 40}, "has commit bbbbbbbbbbbb, here is commit aaaaaaaaaaaa: check it out there"),
        ({"commit": ""}, "has no commit, here is commit aaaaaaaaaaaa"),
        ({"lock": "3" * 64}, "has requirements.lock 333333333333, here is requirements.lock 111111111111"),
        ({"changed": ("src/a.py",)}, "has uncommitted changes in src/a.py: undo or commit them there"),
        ({"files": "3" * 64}, "has other settings, scripts or another installed package than here"),
        ({"versions": {"numpy": "2.1", "python": "3.11"}}, "(numpy 2.1 instead of 2.0)"),
        ({"processor": ("avx", "avx512f")}, "(avx2, avx512f): choose others, or allow it with --mixed"),
    ],
    ids=lambda value: next(iter(value), "equal") if isinstance(value, dict) else "",
)
def test_a_difference_is_named_with_both_sides(change, says):
    refusal = HERE.refusal_of(replace(HERE, **change), mixed=False)
    assert says in refusal
    assert bool(says) == bool(refusal)


def test_only_the_processor_may_be_mixed():
    other = replace(HERE, processor=())
    assert HERE.refusal_of(other, mixed=True) == ""
    assert HERE.refusal_of(replace(other, commit=""), mixed=True)


def test_what_stages_write_is_no_change_and_what_they_read_is_one(root: Path):
    before = describe(root)
    (root / "dvc.lock").write_text("2\n")
    for name in ("results/a.json", "pretrained/results/b/metrics.json"):
        (root / name).write_text("2\n")
    assert describe(root) == before
    (root / "params.yaml").write_text("2\n")
    assert describe(root).changed == ("params.yaml",)
    with pytest.raises(ModelyardError, match=r"uncommitted changes in params\.yaml.*run here, without --scheduler"):
        describe_coordinator(root)


def test_outside_git_the_files_are_compared(root: Path, tmp_path_factory: pytest.TempPathFactory):
    copies = [tmp_path_factory.mktemp("copy") for _ in range(2)]
    for copy in copies:
        (copy / "params.yaml").write_text("1\n")
    first, second = map(describe, copies)
    assert first.commit == ""
    assert first.refusal_of(second, mixed=False) == ""
    (copies[1] / "params.yaml").write_text("2\n")
    assert "other settings" in first.refusal_of(describe(copies[1]), mixed=False)


def test_variables_that_restrict_the_processor_are_a_part_of_it(root: Path, monkeypatch: pytest.MonkeyPatch):
    before = describe(root)
    monkeypatch.setenv("ONEDNN_DEFAULT_FPMATH_MODE", "BF16")
    assert "ONEDNN_DEFAULT_FPMATH_MODE=BF16" in before.refusal_of(describe(root), mixed=False)


def test_variables_that_tasks_bring_are_no_difference(root: Path, monkeypatch: pytest.MonkeyPatch):
    before = describe(root)
    monkeypatch.setenv("ONEDNN_MAX_CPU_ISA", "DEFAULT")
    assert before.refusal_of(describe(root), mixed=False) == ""


def test_a_folder_that_is_shared_is_known_by_what_the_coordinator_has_written(root: Path, tmp_path_factory):
    here = describe_coordinator(root)
    assert describe(root).is_shared_by(here)
    assert not describe(tmp_path_factory.mktemp("other")).is_shared_by(here)


def test_a_second_coordinator_in_the_folder_does_not_take_it_from_the_first(root: Path, monkeypatch):
    first = describe_coordinator(root)
    monkeypatch.setattr(checkout, "this_process", lambda: "another")
    second = describe_coordinator(root)
    assert describe(root).is_shared_by(first)
    assert describe(root).is_shared_by(second)
