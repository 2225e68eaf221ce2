"""Progress: the items are those given, and a line appears only if the work takes a while."""

import pytest

from modelyard.core import progress
from modelyard.core.progress import counted


def test_quick_work_prints_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    assert list(counted("abc", 3, "reading")) == ["a", "b", "c"]
    assert capsys.readouterr().err == ""


def test_long_work_prints_how_much_is_done(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "AFTER_SECONDS", 0.0)
    monkeypatch.setattr(progress, "EVERY_SECONDS", 0.0)
    assert list(counted(range(2000), 2000, "reading")) == list(range(2000))
    lines = capsys.readouterr().err.split("\r")
    assert lines[1001] == "reading: 1,000 of 2,000"
    assert lines[-1] == "reading: 2,000 of 2,000\n"
