"""Lines that show stages while they run."""

from io import StringIO
from pathlib import Path
from types import SimpleNamespace

import pytest
from rich.console import Console

from modelyard.cli.display import (
    MARKS,
    StageDisplay,
    checking_status,
    missing_own_files,
    print_plan,
    print_unavailable,
)
from modelyard.data.download import FileSet
from modelyard.data.sources import Source
from modelyard.orchestration.scheduler import Stage, StageState


@pytest.fixture
def console() -> Console:
    return Console(file=StringIO(), width=200)


def stage(name: str, state: StageState, **values: object) -> Stage:
    return Stage(name, frozenset(), Path("log"), state, **values)


def lines(console: Console) -> list[list[str]]:
    """The printed words, line by line."""
    return [line.split() for line in console.file.getvalue().splitlines()]


def test_a_skipped_stage_has_a_line_with_what_is_missing(console: Console):
    source = Source(url="http://127.0.0.1:9/a.gz", sha256="0" * 64)
    reason = FileSet({"a.gz": source}, "made-up", ()).unavailable_message({"a.gz": list(source.url)})
    stages = {"fetch@made_up": stage("fetch@made_up", StageState.SKIPPED, reason=reason)}
    with StageDisplay(console, SimpleNamespace(stages=stages)) as display:
        display.show(stages)
    assert lines(console) == [["-", "fetch@made_up", "0.0", "s", *reason.splitlines()[0].split()]]


def test_in_a_log_file_the_start_and_the_end_of_a_stage_are_printed_once(console: Console):
    stages = {"train@a": stage("train@a", StageState.RUNNING), "train@b": stage("train@b", StageState.UNCHANGED)}
    with StageDisplay(console, SimpleNamespace(stages=stages)) as display:
        for state in (StageState.RUNNING, StageState.RUNNING, StageState.BUILT, StageState.BUILT):
            stages["train@a"].state = state
            display.show(stages)
    assert [line[:2] for line in lines(console)] == [["…", "train@a"], ["✓", "train@a"]]


def test_a_stage_that_waits_for_another_process_has_a_line_with_the_reason(console: Console):
    blocked = stage("train@a", StageState.WAITING, reason="'a' is busy, it is being blocked by: (PID 1): dvc repro")
    stages = {"train@a": blocked, "train@b": stage("train@b", StageState.WAITING)}
    with StageDisplay(console, SimpleNamespace(stages=stages)) as display:
        display.show(stages)
    assert lines(console) == [["…", "train@a", "0.0", "s", *blocked.reason.split()]]


def test_every_state_can_be_shown():
    """A stage may change its state, in another thread, while its line is made."""
    assert MARKS.keys() == set(StageState)


def test_the_plan_has_each_stage_with_its_reasons_and_the_total(console: Console):
    stages = {
        "train@a": stage("train@a", StageState.WAITING, changes=("epochs: 1 -> 2",), last_seconds=3.0),
        "train@b": stage("train@b", StageState.UNCHANGED),
        "train@d": stage(
            "train@d", StageState.WAITING, changes=("model is missing", "epochs: 1 -> 2", "after train@a")
        ),
        "fetch@c": stage("fetch@c", StageState.SKIPPED),
    }
    print_plan(console, stages, {"fetch@c": "c.csv is missing\n  /disk/c.csv"}, verbose=False)
    text = console.file.getvalue()
    assert "train@a  3 s last time  epochs: 1 -> 2\n" in text
    assert "train@d  never built here  model is missing and 2 more\n" in text
    assert "fetch@c cannot run. c.csv is missing\n" in text
    assert "/disk/c.csv" not in text
    assert "What to do: " in text
    assert "2 of 4 stages would run, 3 s of work by the times of earlier runs. All reasons: " in text
    print_plan(console, stages, {}, verbose=True)
    assert "train@d  never built here\n    model is missing\n    epochs: 1 -> 2\n    after train@a\n" in (
        console.file.getvalue()
    )


def test_a_missing_file_of_ones_own_is_told_with_its_path_and_without_the_network(console: Console, tmp_path: Path):
    own, public = Source(path="nix.csv", sha256="0" * 64), Source(url="https://localhost/b.csv", sha256="0" * 64)
    files = FileSet({"nix.csv": own, "b.csv": public}, "houses", (), tmp_path)
    message = missing_own_files("houses", files, ["nix.csv"])
    assert message == "nix.csv is not here: put it there, or correct the `path` of houses in params.yaml"
    assert missing_own_files("houses", files, ["nix.csv", "b.csv"]) == ""
    print_unavailable(console, {"fetch@houses": message}, verbose=False)
    assert console.file.getvalue() == f"fetch@houses cannot run. {message}\n"


def test_a_terminal_shows_that_dvc_is_checking():
    console = Console(file=StringIO(), force_terminal=True, width=80)
    with checking_status(console):
        pass
    assert "Checking what has changed" in console.file.getvalue()


def test_a_log_file_does_not_show_that_dvc_is_checking(console: Console):
    with checking_status(console):
        pass
    assert console.file.getvalue() == ""
