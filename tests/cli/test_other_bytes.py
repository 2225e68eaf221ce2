"""Results that have other bytes than dvc.lock had: only where the dependencies are equal, with the reason."""

from collections.abc import Callable
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from modelyard.cli import other_bytes
from modelyard.core import machine
from modelyard.models import Runtime
from modelyard.orchestration.stage import Stage, StageState
from modelyard.tracking import lineage

HERE = {"processor": "Here", "cpu_features": ["avx", "avx2"], "packages": {"numpy": "2"}}
THERE = {"processor": "Here", "cpu_features": ["avx", "avx512f"], "packages": {"numpy": "1"}}
NAMES = ("fetch@a", "train@a", "evaluate@a", "train@b")


@pytest.fixture(autouse=True)
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder: a project that was built on this machine."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(machine, "describe", lambda: HERE)
    lock()
    return tmp_path


def lock(dependency: str = "0", **changed: str) -> None:
    """Write dvc.lock, with other digits for the outputs of the stages of some experiments."""
    stages = {
        name: {
            "cmd": "run",
            "deps": [{"path": "data", "md5": 32 * dependency}],
            "outs": [{"path": f"results/{name}", "md5": 32 * changed.get(name[-1], "0")}],
        }
        for name in NAMES
    }
    YAML().dump({"schema": "2.0", "stages": stages}, Path("dvc.lock"))


@pytest.fixture
def rebuild() -> Callable[..., str]:
    """Runs all stages, which changes dvc.lock; returns what is said."""

    def run(has_run: bool = True, state: StageState = StageState.BUILT, **changes: str) -> str:
        stages = {name: Stage(name, frozenset(), Path(f"{name}.log")) for name in NAMES}
        before = other_bytes.recorded(stages)
        lock(**changes)
        for stage in stages.values():
            stage.state, stage.has_run = state, has_run
        return other_bytes.explain(before, stages, Runtime())

    return run


def test_equal_bytes_need_no_words(rebuild: Callable[..., str]) -> None:
    lineage.record(dict.fromkeys(NAMES), Runtime(), Path())
    assert rebuild() == ""


def test_the_machine_is_the_reason_where_it_is_another(rebuild: Callable[..., str]) -> None:
    lineage.record(dict.fromkeys(NAMES, THERE), Runtime(threads=2), Path())
    lines = rebuild(a="1").splitlines()
    assert lines == [
        "",
        "Results that differ from dvc.lock, with the same code, settings and data: a.",
        "  cpu_features: avx512f only in the recorded build; avx2 only here",
        "  packages.numpy: 1 in the recorded build, 2 here",
        "  threads: 2 in the recorded build, 4 here",
        *other_bytes.EXPECTED.splitlines(),
    ]


def test_other_bytes_on_the_same_machine_are_a_fault(rebuild: Callable[..., str]) -> None:
    lineage.record(dict.fromkeys(NAMES), Runtime(), Path())
    text = rebuild(a="1", b="1")
    assert "settings and data: a, b.\n" in text
    assert text.endswith(other_bytes.SAME_MACHINE)


def test_a_machine_that_is_not_recorded_is_not_taken_for_the_same(rebuild: Callable[..., str]) -> None:
    text = rebuild(a="1")
    assert "reports/lineage.json does not say where they were built" in text
    assert other_bytes.SAME_MACHINE not in text


@pytest.mark.parametrize(
    "rebuilt",
    [{"dependency": "1"}, {"has_run": False}, {"state": StageState.FAILED}],
    ids=["other dependencies", "restored from the cache", "failed"],
)
def test_nothing_is_said_of_results_that_another_cause_explains(rebuilt: dict, rebuild: Callable[..., str]) -> None:
    assert rebuild(a="1", **rebuilt) == ""


def test_of_many_experiments_the_first_are_named() -> None:
    assert other_bytes._experiments([f"train@{name}" for name in "abcde"]) == "a, b, c and 2 more"
