"""The engine that a command's options name."""

from pathlib import Path

import pytest
from rich.console import Console
from support.commands import modelyard

from modelyard.cli.engines import open_engine
from modelyard.core.processes import core_count
from modelyard.orchestration.engine import EngineOptions
from modelyard.orchestration.local_engine import LocalEngine


@pytest.mark.parametrize(
    ("options", "local_jobs", "slots"), [({}, None, core_count()), ({}, 7, 7), ({"jobs": 3}, 7, 3)]
)
def test_without_a_scheduler_this_machine_does_the_work(options, local_jobs, slots):
    with open_engine(EngineOptions(**options), Console(), local_jobs) as engine:
        assert isinstance(engine, LocalEngine)
        assert engine.slots == slots


@pytest.mark.parametrize("command", [["replicate"], ["tune", "digits_cnn"], ["run"]], ids=" ".join)
@pytest.mark.parametrize("variable", [True, False])
def test_every_command_takes_a_scheduler_as_an_option_or_a_variable(
    command: list[str], variable: bool, project: Path, monkeypatch: pytest.MonkeyPatch
):
    used: list[EngineOptions] = []
    for module, function in (("replicate", "replicate"), ("tune", "search"), ("run", "rebuild")):
        monkeypatch.setattr(f"modelyard.cli.{module}.{function}", lambda *arguments: used.extend(found(arguments)) or 0)
    if variable:
        monkeypatch.setenv("MODELYARD_SCHEDULER", "tls://far:1")
    result = modelyard(*command, "-j", "2", "--mixed", *([] if variable else ["--scheduler", "tls://far:1"]))
    assert result.exit_code == 0, result.output
    assert used == [EngineOptions(2, "tls://far:1", insecure=False, mixed=True)]


def found(arguments: tuple) -> list[EngineOptions]:
    """The options of the engine among arguments, or as `engine` of one of them."""
    given = [getattr(each, "engine", each) for each in arguments]
    return [each for each in given if isinstance(each, EngineOptions)]
