"""What `modelyard run` tells at its end, of made-up results and stages."""

from io import StringIO
from pathlib import Path
from types import SimpleNamespace

import pytest
from rich.console import Console
from support.projects import make_project

from modelyard import params
from modelyard.cli.display import Display, looking
from modelyard.cli.run import _tell
from modelyard.data.download import FileSet
from modelyard.data.sources import Source
from modelyard.orchestration.scheduler import Stage, StageState
from modelyard.tracking.environment import REBUILD

STAGES = {"boston_mlp": "evaluate@boston_mlp", "digits_cnn": "evaluate@digits_cnn", "mnist_cnn": "evaluate@mnist_cnn"}


@pytest.fixture
def told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """What is told where boston_mlp and digits_cnn have results; each stage as given, or unchanged."""
    monkeypatch.chdir(make_project(tmp_path / "project"))

    def tell(width: int = 200, skipped: dict[str, str] | None = None, **states: StageState) -> str:
        names = {each.replace("__", "@"): state for each, state in states.items()}
        stages = {name: Stage(name, frozenset(), Path("logs") / f"{name}.log", state) for name, state in names.items()}
        chosen = {name: stage for name, stage in STAGES.items() if stage in stages}
        console = Console(file=StringIO(), width=width)
        _tell(console, params.load(), chosen, stages, skipped or {})
        return console.file.getvalue()

    return tell


def line_of(said: str, experiment: str) -> str:
    return next(line for line in said.splitlines() if experiment in line)


@pytest.mark.parametrize("state", [StageState.FAILED, StageState.SKIPPED])
def test_results_that_were_not_brought_up_to_date_are_marked_as_old(told, state: StageState):
    said = told(evaluate__boston_mlp=state, evaluate__digits_cnn=StageState.BUILT, evaluate__mnist_cnn=state)
    assert "0.85 (0.84 to 0.86)" in line_of(said, "boston_mlp")
    assert "from an earlier rebuild" in line_of(said, "boston_mlp")
    assert "earlier" not in line_of(said, "digits_cnn")
    assert "not built yet" in line_of(said, "mnist_cnn")


def test_no_name_of_an_experiment_is_cut_on_a_narrow_terminal(told):
    assert line_of(told(60, evaluate__boston_mlp=StageState.BUILT), "boston_mlp")


def test_an_address_to_be_copied_is_in_one_piece_on_a_narrow_terminal_too(told):
    reason = f"Not available: a.gz.\nTried:\n  https://example.org/{'far/' * 20}a.gz\n  /disk/[0]/a.gz"
    said = told(
        40, {"fetch@boston": reason}, evaluate__boston_mlp=StageState.SKIPPED, evaluate__digits_cnn=StageState.FAILED
    )
    assert f"fetch@boston was skipped. {reason}\n" in said
    assert "The end of logs/evaluate@digits_cnn.log:\n" in said


def test_a_skipped_stage_has_a_line_that_says_what_is_missing():
    source = Source(url="http://127.0.0.1:9/a.gz", sha256="0" * 64)
    reason = FileSet({"a.gz": source}, "made-up", ()).unavailable_message({"a.gz": [source.url]})
    console, stage = (
        Console(file=StringIO()),
        Stage("fetch@made_up", frozenset(), Path("log"), StageState.SKIPPED, reason),
    )
    with Display(console, SimpleNamespace(stages={stage.name: stage})) as display:
        display.show({stage.name: stage})
    assert console.file.getvalue().split() == ["-", "fetch@made_up", "0.0", "s", "Not", "available:", "a.gz."]


def test_only_a_run_that_compared_sends_to_the_comparison(told):
    named, whole = "`modelyard run` without names compares all", "`make report` writes all on one page"
    assert whole in told(evaluate__boston_mlp=StageState.UNCHANGED, compare=StageState.BUILT)
    for states in ({}, {"compare": StageState.FAILED}):
        said = told(evaluate__boston_mlp=StageState.UNCHANGED, **states)
        assert named in said
        assert whole not in said


def test_only_a_run_that_built_something_names_its_runs(told, monkeypatch):
    monkeypatch.setenv("MODELYARD_TRACKING", "on")
    monkeypatch.setenv(REBUILD, "2026-01-02T03:04:05Z")
    assert "tags.rebuild = '2026-01-02T03:04:05Z'" in told(evaluate__boston_mlp=StageState.BUILT)
    assert "tags.rebuild" not in told(evaluate__boston_mlp=StageState.UNCHANGED, compare=StageState.BUILT)


def test_a_person_at_a_terminal_sees_that_something_goes_on():
    console = Console(file=StringIO(), force_terminal=True, width=80)
    with looking(console):
        pass
    assert "Looking for what has changed" in console.file.getvalue()


def test_a_file_holds_nothing_of_that():
    console = Console(file=StringIO())
    with looking(console):
        pass
    assert console.file.getvalue() == ""
