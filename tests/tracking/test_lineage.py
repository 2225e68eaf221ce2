"""reports/lineage.json: who computed what dvc.lock has, and what becomes of a record that does not fit."""

from pathlib import Path

import pytest
from ruamel.yaml import YAML

from modelyard.core import machine
from modelyard.core.files import read_json
from modelyard.models import Runtime
from modelyard.orchestration import dvc_lock
from modelyard.tracking import lineage

HERE = {"processor": "Here", "cpu_features": ["avx"], "packages": {"numpy": "1"}}
STAGES = ["fetch@a", "train@a", "evaluate@a", "pretrained/dvc.yaml:train@b"]


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a dvc.lock, on a machine called Here."""
    monkeypatch.setattr(machine, "describe", lambda: HERE)
    lock(tmp_path, STAGES[:3])
    (tmp_path / "pretrained").mkdir()
    lock(tmp_path / "pretrained", ["train@b"])
    return tmp_path


def lock(folder: Path, stages: list[str], md5: str = "0" * 32) -> None:
    outs = {name: {"cmd": "run", "outs": [{"path": f"results/{name}", "md5": md5}]} for name in stages}
    YAML().dump({"schema": "2.0", "stages": outs}, folder / "dvc.lock")


def recorded(stage: str, root: Path) -> dict | None:
    return lineage.recorded(stage, dvc_lock.read(root, [stage])[stage], root)


def test_the_machine_and_threads_of_what_was_trained_and_evaluated_are_recorded(root: Path) -> None:
    lineage.record(dict.fromkeys(STAGES), Runtime(threads=3), root)
    for stage in STAGES[1:]:
        assert recorded(stage, root) == HERE | {"threads": 3, "device": "cpu"}
    assert recorded("fetch@a", root) is None
    assert len(read_json(root / lineage.FILE)["environments"]) == 1


def test_the_record_of_other_outputs_does_not_count(root: Path) -> None:
    lineage.record(dict.fromkeys(STAGES), Runtime(), root)
    lock(root, STAGES[:3], md5="1" * 32)
    assert recorded("train@a", root) is None


def test_a_build_on_another_machine_replaces_the_record_of_its_stages_alone(root: Path, monkeypatch) -> None:
    lineage.record(dict.fromkeys(STAGES), Runtime(), root)
    monkeypatch.setattr(machine, "describe", lambda: HERE | {"processor": "There"})
    lineage.record({"train@a": None}, Runtime(), root)
    assert [recorded(stage, root)["processor"] for stage in STAGES[1:]] == ["There", "Here", "Here"]
    lineage.record(dict.fromkeys(STAGES), Runtime(), root)
    assert len(read_json(root / lineage.FILE)["environments"]) == 1, "that of no stage is removed"


def test_the_machine_of_a_stage_that_has_run_elsewhere_is_recorded(root: Path) -> None:
    there = HERE | {"processor": "There"}
    lineage.record(dict.fromkeys(STAGES) | {"train@a": there}, Runtime(threads=3), root)
    assert [recorded(stage, root)["processor"] for stage in STAGES[1:]] == ["There", "Here", "Here"]
    assert recorded("train@a", root) == there | {"threads": 3, "device": "cpu"}


def test_a_stage_that_is_gone_is_removed_and_the_same_build_gives_the_same_bytes(root: Path) -> None:
    lineage.record(dict.fromkeys(STAGES), Runtime(), root)
    before = (root / lineage.FILE).read_bytes()
    lineage.record(dict.fromkeys(reversed(STAGES)), Runtime(), root)
    assert (root / lineage.FILE).read_bytes() == before
    lock(root, ["train@a"])
    lineage.record({"train@a": None}, Runtime(), root)
    assert list(read_json(root / lineage.FILE)["stages"]) == ["pretrained/dvc.yaml:train@b", "train@a"]


def test_a_build_whose_entry_in_dvc_lock_somebody_has_undone_is_not_recorded(root: Path) -> None:
    lineage.record({"train@new": None, "train@a": None}, Runtime(), root)
    assert list(read_json(root / lineage.FILE)["stages"]) == ["train@a"]


@pytest.mark.parametrize("content", ["", "<<<<<<< HEAD\n", "[]", '{"stages": {"train@a": {"environment": "x"}}}'])
def test_a_damaged_record_is_a_warning_and_written_anew(content: str, root: Path, capsys) -> None:
    (root / "reports").mkdir()
    (root / lineage.FILE).write_text(content)
    assert recorded("train@a", root) is None
    assert "warning: reports/lineage.json is not readable" in capsys.readouterr().err
    lineage.record(dict.fromkeys(STAGES), Runtime(), root)
    assert recorded("train@a", root)


def test_a_record_that_cannot_be_written_is_a_warning(root: Path, capsys) -> None:
    (root / "reports").write_text("a file where the folder should be")
    lineage.record(dict.fromkeys(STAGES), Runtime(), root)
    assert "warning: reports/lineage.json was not written" in capsys.readouterr().err


def test_without_a_build_nothing_is_written(root: Path) -> None:
    lineage.record(["fetch@a"], Runtime(), root)
    assert not (root / lineage.FILE).exists()
