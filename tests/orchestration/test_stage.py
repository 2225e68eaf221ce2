"""A stage's duration and the end of its log."""

import time
from pathlib import Path

from modelyard.orchestration.stage import Stage, StageState


def stage(tmp_path: Path, **values: object) -> Stage:
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


def test_what_a_cache_restored_or_a_command_failed_to_make_was_not_computed(tmp_path: Path):
    computed = [
        stage(tmp_path, state=state, has_run=has_run).is_computed
        for state in (StageState.BUILT, StageState.FAILED, StageState.UNCHANGED)
        for has_run in (True, False)
    ]
    assert computed == [True, False, False, False, False, False]
