"""Parent runs with children: written once, completed after a failure, extended by new children and metrics."""

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from support.mlflow_runs import metric_history, runs_by_name, runs_in
from support.paths import ROOT

from modelyard.tracking import nested_runs
from modelyard.tracking.nested_runs import CompletedRun, LoggedMetric, nested_run_writer

START, END = datetime(2020, 1, 1, tzinfo=UTC), datetime(2020, 1, 1, 0, 1, tzinfo=UTC)
PARENT = CompletedRun("all", "FINISHED", START, END, {"n": 2}, [LoggedMetric("mean", 0.5, 2, END)], {"kind": "test"})
CHILDREN = [
    CompletedRun("one", "FINISHED", START, END, metrics=[LoggedMetric("loss", step / 4, step, END) for step in (1, 2)]),
    CompletedRun("two", "FAILED", START, END, tags={"error": "ValueError: no such luck"}),
]


def write(parent: CompletedRun = PARENT, children: list[CompletedRun] = CHILDREN, report: Path | None = None) -> None:
    nested_run_writer().write("a group", parent, children, report)


def test_children_are_below_their_parent_with_status_times_and_metrics(project: Path) -> None:
    write()
    runs = runs_by_name(project)
    parent = runs.pop("all")
    assert {run.data.tags["mlflow.parentRunId"] for run in runs.values()} == {parent.info.run_id}
    assert {name: run.info.status for name, run in runs.items()} == {"one": "FINISHED", "two": "FAILED"}
    assert parent.info.end_time - parent.info.start_time == 60_000
    assert (parent.data.params, parent.data.metrics, parent.data.tags["kind"]) == ({"n": "2"}, {"mean": 0.5}, "test")
    assert metric_history(project, runs["one"], "loss") == [(1, 0.25), (2, 0.5)]
    assert runs["two"].data.tags["error"] == "ValueError: no such luck"


def test_children_say_what_they_are_runs_of(project: Path) -> None:
    (project / "params.yaml").write_bytes((ROOT / "params.yaml").read_bytes())
    write(children=[*CHILDREN, CompletedRun("x", "KILLED", START, END, tags={"experiment": "boston_mlp"})])
    notes = {name: run.data.tags.get("mlflow.note.content", "") for name, run in runs_by_name(project).items()}
    assert notes["two"] == "A run of all."
    assert notes["x"].startswith("Model family `mlp` on the data set `boston`: ")
    assert notes["x"].endswith("\n\nA run of all.")


def test_more_metrics_than_mlflow_accepts_at_once_are_all_written(project: Path) -> None:
    write(replace(PARENT, metrics=[LoggedMetric("loss", 0.5, step, END) for step in range(2500)]), [])
    assert len(metric_history(project, runs_by_name(project)["all"], "loss")) == 2500


def test_writing_again_adds_what_is_new_and_no_duplicates(project: Path) -> None:
    write(children=CHILDREN[:1])
    before = runs_by_name(project)
    write(replace(PARENT, metrics=[*PARENT.metrics, LoggedMetric("mean", 0.6, 3, END)]))
    after = runs_by_name(project)
    assert after.keys() - before.keys() == {"two"}
    assert all(after[name].info.run_id == run.info.run_id for name, run in before.items())
    assert metric_history(project, after["all"], "mean") == [(2, 0.5), (3, 0.6)]


def test_groups_are_separate(project: Path) -> None:
    for group in ("a group", "another"):
        nested_run_writer().write(group, PARENT, [])
    assert [run.info.run_name for run in runs_in(project)] == ["all", "all"]


def test_a_child_that_was_not_completed_is_completed_the_next_time(
    project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    def unreachable(*_: object) -> None:
        raise ConnectionError("the store is gone")

    with monkeypatch.context() as broken:
        broken.setattr(nested_runs, "_complete", unreachable)
        write()
    assert {run.info.status for run in runs_in(project)} == {"RUNNING"}
    assert capsys.readouterr().err.count("warning: this run is not tracked") == 1
    write()
    statuses = {name: run.info.status for name, run in runs_by_name(project).items()}
    assert statuses == {"all": "FINISHED", "one": "FINISHED", "two": "FAILED"}


def test_with_tracking_off_nothing_is_written(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MODELYARD_TRACKING", "off")
    write()
    assert runs_in(project) == []
