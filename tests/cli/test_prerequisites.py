"""Stages that a command needs: a user's own data file that has changed, and the log of a stage that failed."""

import hashlib
from pathlib import Path

import pytest
from rich.console import Console
from support.paths import ROOT
from support.pipelines import editing

from modelyard import params
from modelyard.cli import prerequisites
from modelyard.cli.prerequisites import failures, libraries_of, refuse_edited_files, require_stages
from modelyard.core.errors import ModelyardError
from modelyard.orchestration.scheduler import Stage, StageState

TABLE = "a,b,answer\n1,2,0\n3,4,1\n"


@pytest.fixture
def own_file(project: Path) -> Path:
    """A user's own table, which is the data set `own` of params.yaml."""
    file = project / "own.csv"
    file.write_text(TABLE)
    with editing(project / "params.yaml") as content:
        content["datasets"]["own"] = content["datasets"]["xor"] | {
            "target": "answer",
            "expect": {},
            "files": {"own.csv": {"path": "own.csv", "sha256": hashlib.sha256(TABLE.encode()).hexdigest()}},
        }
    return file


@pytest.mark.parametrize(
    ("stages", "tracking", "expected"),
    [
        ((), "on", set()),
        (("train@boston_linear", "evaluate@boston_boosting"), "on", {"sklearn.ensemble", "mlflow.sklearn", "git"}),
        (("train@boston_linear", "export@boston_linear"), "off", {"sklearn.ensemble"}),
        (("train@boston_linear", "train@xor_mlp"), "off", {"sklearn.ensemble", "keras"}),
        (
            ("train_transfer@mnist_transfer",),
            "on",
            {"keras", "mlflow.keras", "mlflow.sklearn", "sklearn.ensemble", "git"},
        ),
        (("batch@new_houses",), "off", {"keras", "sklearn.ensemble"}),
    ],
)
def test_only_networks_need_keras_and_only_tracked_runs_mlflow(stages, tracking, expected, monkeypatch):
    monkeypatch.setenv("MODELYARD_TRACKING", tracking)
    found = libraries_of(params.load(ROOT / "params.yaml"), stages)
    assert {
        name for name in found if name.startswith(("keras", "mlflow.keras", "mlflow.sklearn", "sklearn", "git"))
    } == expected
    assert any(name.startswith("mlflow.store") for name in found) == (tracking == "on" and bool(stages))


def test_an_own_file_that_was_edited_is_refused_with_its_new_checksum(own_file: Path):
    refuse_edited_files(params.load(), ["fetch@own"])
    own_file.write_text("a,b,answer\n1,2,1\n")
    with pytest.raises(ModelyardError) as raised:
        refuse_edited_files(params.load(), ["fetch@own"])
    assert "nothing was run.\n  datasets.own.files.own.csv: " in str(raised.value)
    assert hashlib.sha256(own_file.read_bytes()).hexdigest() in str(raised.value)


def test_an_edited_file_that_no_stage_needs_is_not_refused(own_file: Path):
    own_file.write_text("edited")
    refuse_edited_files(params.load(), ["fetch@xor", "train@xor_mlp"])


def test_failures_are_the_failed_stages_with_the_end_of_their_logs(tmp_path: Path):
    (tmp_path / "log").write_text("\n".join(f"line {number}" for number in range(20)))
    stages = {
        name: Stage(name, frozenset(), tmp_path / "log", state)
        for name, state in {"fetch@a": StageState.FAILED, "fetch@b": StageState.BUILT}.items()
    }
    assert failures(stages) == {"fetch@a": "\n".join(f"line {number}" for number in range(8, 20))}


def test_the_machine_of_a_stage_is_recorded_once_when_it_has_ended(tmp_path: Path, monkeypatch):
    """A run that is killed later has no end."""
    recorded, watched = [], []
    monkeypatch.setattr(prerequisites.lineage, "record", lambda stages, *_: recorded.append([*stages]))
    stages = {name: Stage(name, frozenset(), tmp_path / "log", has_run=True) for name in ("train@a", "train@b")}
    watch = prerequisites.recording_lineage(params.load(ROOT / "params.yaml"), watched.append)
    for name in stages:
        stages[name].state = StageState.BUILT
        watch(stages)
    watch(stages)
    assert recorded == [["train@a"], ["train@b"], []]
    assert watched == [stages] * 3


def test_a_stage_is_recorded_later_where_dvc_lock_cannot_be_read_at_once(tmp_path: Path, monkeypatch):
    recorded: list[list[str]] = []

    def record(stages: dict, *_: object) -> None:
        recorded.append([*stages])
        if len(recorded) == 1:
            raise ModelyardError("dvc.lock: unresolved merge conflict")

    monkeypatch.setattr(prerequisites.lineage, "record", record)
    stage = Stage("train@a", frozenset(), tmp_path / "log", StageState.BUILT, has_run=True)
    watch = prerequisites.recording_lineage(params.load(ROOT / "params.yaml"), lambda _: None)
    for _ in range(2):
        watch({stage.name: stage})
    assert recorded == [["train@a"], ["train@a"]]


def test_a_required_stage_that_failed_is_an_error_with_the_end_of_its_log(tmp_path: Path, monkeypatch):
    (tmp_path / "log").write_text("no such file\n")
    states = {"fetch@a": StageState.BUILT, "normalise@a": StageState.FAILED, "train@a": StageState.SKIPPED}
    stages = {name: Stage(name, frozenset(), tmp_path / "log", state) for name, state in states.items()}
    monkeypatch.setattr(prerequisites, "run_stages", lambda *_: stages)
    with pytest.raises(
        ModelyardError, match=r"^normalise@a failed; nothing else was run\. The end of .*:\nno such file$"
    ):
        require_stages(["train@a"], Console())
