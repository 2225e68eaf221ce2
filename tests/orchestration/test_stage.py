"""A stage's duration and the end of its log."""

import time
from pathlib import Path

from modelyard.orchestration.stage import Stage


def stage(tmp_path: Path, **values: float) -> Stage:
    return Stage("train@x", frozenset(), tmp_path / "log", **values)


def test_a_stage_without_a_log_has_no_lines(tmp_path: Path):
    assert stage(tmp_path).last_lines(3) == []


def test_blank_lines_and_earlier_states_of_a_progress_bar_are_not_shown(tmp_path: Path):
    (tmp_path / "log").write_bytes(b"first\n\n 1 %\r50 %\r99 %\r\nlast \xff\n\n")
    assert stage(tmp_path).last_lines(9) == ["first", "99 %", "last \ufffd"]
    assert stage(tmp_path).last_lines(1) == ["last \ufffd"]


def test_the_seconds_of_a_stage_run_from_its_beginning_to_its_end(tmp_path: Path):
    assert stage(tmp_path).seconds == 0
    assert stage(tmp_path, began=100.0, ended=103.5).seconds == 3.5
    assert 60 <= stage(tmp_path, began=time.monotonic() - 60).seconds < 120
