"""Stages that a command needs: a user's own data file that has changed, and the log of a stage that failed."""

import hashlib
from pathlib import Path

import pytest
from support.pipelines import editing

from modelyard import params
from modelyard.cli.prerequisites import failures, refuse_edited_files
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
    (tmp_path / "log").write_text("\n".join(f"line {number}" for number in range(9)))
    stages = {
        name: Stage(name, frozenset(), tmp_path / "log", state)
        for name, state in {"fetch@a": StageState.FAILED, "fetch@b": StageState.BUILT}.items()
    }
    assert failures(stages) == {"fetch@a": "line 4\nline 5\nline 6\nline 7\nline 8"}
