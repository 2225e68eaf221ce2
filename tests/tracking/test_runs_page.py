"""The saved view of the table of runs, and the description above it."""

import json
from pathlib import Path

import mlflow
import pytest
from support.mlflow_runs import store_of

from modelyard.tracking import runs_page
from modelyard.tracking.descriptions import NOTE


def tags_of(project: Path, name: str = "modelyard") -> dict[str, str]:
    return mlflow.MlflowClient(store_of(project)).get_experiment_by_name(name).tags


def test_the_view_has_the_result_the_published_value_the_duration_and_the_metrics(project: Path):
    page = runs_page.prepare(["accuracy", "r2"], True, "| a |")
    assert page == "/#/experiments/1/runs?workflowType=machine_learning&viewStateShareKey=modelyard"
    view = json.loads(tags_of(project)["mlflow.sharedViewState.modelyard"])
    assert view["name"] == "Results"
    state = json.loads(view["state"])
    name, created, *columns = state["columnOrder"]
    assert (name, created) == ("attributes.`Run Name`", "runDateAndNestInfo")
    assert columns == ["tags.`result`", "tags.`published`", "duration", "metrics.`test_accuracy`", "metrics.`test_r2`"]
    assert state["selectedColumns"] == [column for column in columns if column != "duration"]
    assert state["columnWidths"].keys() == {*state["columnOrder"]}


def test_without_published_values_or_metrics_there_are_no_columns_for_them(project: Path):
    runs_page.prepare([], False, "")
    state = json.loads(json.loads(tags_of(project)["mlflow.sharedViewState.modelyard"])["state"])
    assert state["columnOrder"][2:] == ["tags.`result`", "duration"]


def test_an_unchanged_view_is_not_written_again_and_other_metrics_are(project: Path):
    runs_page.prepare(["accuracy"], False, "")
    first = tags_of(project)
    runs_page.prepare(["accuracy"], False, "")
    assert tags_of(project) == first
    runs_page.prepare(["accuracy", "r2"], False, "")
    assert "test_r2" in tags_of(project)["mlflow.sharedViewState.modelyard"]


@pytest.mark.parametrize("damaged", ["", "{", "[]", '{"name": "x"}'])
def test_a_damaged_view_is_written_again(project: Path, damaged: str):
    runs_page.prepare(["accuracy"], False, "")
    mlflow.MlflowClient(store_of(project)).set_experiment_tag("1", "mlflow.sharedViewState.modelyard", damaged)
    runs_page.prepare(["accuracy"], False, "")
    assert "test_accuracy" in tags_of(project)["mlflow.sharedViewState.modelyard"]


def test_the_description_has_the_latest_results(project: Path):
    for results in ("| old |", "| new |"):
        runs_page.prepare([], False, results)
    assert tags_of(project)[NOTE].endswith("of the project **modelyard**. The latest results:\n\n| new |")


def test_a_description_that_a_person_wrote_is_kept(project: Path):
    runs_page.prepare([], False, "| old |")
    mlflow.MlflowClient(store_of(project)).set_experiment_tag("1", NOTE, "Ask Ann.")
    runs_page.prepare([], False, "| new |")
    assert tags_of(project)[NOTE] == "Ask Ann."


def test_the_experiment_has_the_name_of_the_project(project: Path):
    (project / "pyproject.toml").write_text('[project]\nname = "houses"\n')
    runs_page.prepare([], False, "")
    assert "of the project **houses**" in tags_of(project, "houses")[NOTE]
