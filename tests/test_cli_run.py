"""What `modelyard run` tells at its end, of made-up results and stages."""

from io import StringIO
from pathlib import Path

import pytest
from made_up_project import make_project
from rich.console import Console

from modelyard import settings
from modelyard.cli.run import _tell
from modelyard.runner import Stage, State

STAGES = {"boston_mlp": "evaluate@boston_mlp", "digits_cnn": "evaluate@digits_cnn", "mnist_cnn": "evaluate@mnist_cnn"}


@pytest.fixture
def told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """What is told where boston_mlp and digits_cnn have results; each stage as given, or unchanged."""
    monkeypatch.chdir(make_project(tmp_path / "project"))

    def tell(width: int = 200, left_out: dict[str, str] | None = None, **states: State) -> str:
        names = {each.replace("__", "@"): state for each, state in states.items()}
        stages = {name: Stage(name, frozenset(), Path("logs") / f"{name}.log", state) for name, state in names.items()}
        chosen = {name: stage for name, stage in STAGES.items() if stage in stages}
        console = Console(file=StringIO(), width=width)
        _tell(console, settings.load(), chosen, stages, left_out or {})
        return console.file.getvalue()

    return tell


def line_of(said: str, experiment: str) -> str:
    return next(line for line in said.splitlines() if experiment in line)


@pytest.mark.parametrize("state", [State.FAILED, State.LEFT_OUT])
def test_results_that_were_not_brought_up_to_date_are_marked_as_old(told, state: State):
    said = told(evaluate__boston_mlp=state, evaluate__digits_cnn=State.BUILT, evaluate__mnist_cnn=state)
    assert "0.85 (0.84 to 0.86)" in line_of(said, "boston_mlp")
    assert "from an earlier rebuild" in line_of(said, "boston_mlp")
    assert "earlier" not in line_of(said, "digits_cnn")
    assert "not built yet" in line_of(said, "mnist_cnn")
