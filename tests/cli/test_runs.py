"""`modelyard runs` where it must refuse; what it adds is tested with `tracking.backfill`."""

from pathlib import Path

import pytest
from support.commands import modelyard

from modelyard.cli.runs import print_tracking_failures
from modelyard.orchestration.scheduler import Stage
from modelyard.tracking import FailsafeRun


@pytest.mark.usefixtures("project")
def test_with_tracking_off_there_is_nothing_to_backfill():
    result = modelyard("runs", "backfill")
    assert result.exit_code == 1
    assert "error: MODELYARD_TRACKING is off: there are no runs to backfill." in result.output


@pytest.fixture
def stages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture) -> list[Stage]:
    """Two stages outside git, of which the first could not be tracked."""
    monkeypatch.chdir(tmp_path)
    FailsafeRun(None).start()
    logs = {"train@a": f"epoch 1\n{capsys.readouterr().err}", "train@b": "epoch 1\n"}
    for name, text in logs.items():
        (tmp_path / name).write_text(text)
    return [Stage(name, frozenset(), tmp_path / name) for name in logs]


@pytest.mark.parametrize(
    "are_added, later", [(True, "Their results were added to MLflow afterwards."), (False, "Their results are kept.")]
)
def test_stages_that_could_not_be_tracked_are_named(
    are_added: bool, later: str, stages: list[Stage], capsys: pytest.CaptureFixture
) -> None:
    print_tracking_failures(stages, are_added)
    reason = "AttributeError: 'NoneType' object has no attribute 'start'"
    assert capsys.readouterr().err == f"warning: tracking failed in train@a: {reason}\n{later}\n"


def test_what_git_says_is_printed_where_runs_name_no_commit(
    stages: list[Stage], tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    (tmp_path / ".git").mkdir()
    (tmp_path / ".git" / "HEAD").write_text("broken")
    print_tracking_failures(stages[1:], are_added=True)
    assert capsys.readouterr().err == ""
    (tmp_path / ".git").joinpath("HEAD").write_text("ref: refs/heads/main\n")
    for folder in ("objects", "refs"):
        (tmp_path / ".git" / folder).mkdir()
    print_tracking_failures(stages[1:], are_added=True)
    assert (
        "warning: the runs name no commit: git said: fatal: your current branch 'main' does not have any commits"
        in (capsys.readouterr().err)
    )
