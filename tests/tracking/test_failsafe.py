"""A failure of tracking: one warning, and the work that is tracked goes on."""

import pytest

from modelyard.tracking import FailsafeRun, NullRun


class Run:
    """A run that fails at its second call."""

    def __init__(self) -> None:
        self.calls: list[object] = []

    def log_epoch(self, metrics: object) -> None:
        self.calls.append(metrics)
        if len(self.calls) == 2:
            raise ConnectionError("http://ann:hush@example.org went away")

    def fail(self, error: Exception) -> None:
        self.calls.append(type(error))
        raise ConnectionError("still away")


def test_the_first_failure_is_a_warning_without_password_and_ends_the_run(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://ann:hush@example.org")
    run = Run()
    failsafe = FailsafeRun(run)
    for epoch in range(5):
        failsafe.log_epoch(epoch)
    failsafe.finish()
    assert run.calls == [0, 1, ConnectionError]
    warning = capsys.readouterr().err
    assert warning.count("warning: this run is not tracked: ConnectionError: http://...@example.org went away") == 1
    assert "`modelyard runs backfill` adds the run later" in warning


def test_a_null_run_accepts_every_call() -> None:
    run = NullRun()
    run.start("a run id")
    run.log_epoch({"loss": 0.5})
    run.finish()
