"""The rows of metrics over seeds."""

from pathlib import Path

import pytest
from support.paths import PARAMS, ROOT
from support.projects import BY_SEED, REPLICATION

from modelyard import params
from modelyard.core.files import write_text
from modelyard.params.project import Project, PublishedValues
from modelyard.reporting.project_files import ProjectFiles
from modelyard.reporting.replication import ReplicationRow, replication_rows


@pytest.fixture(scope="module")
def project() -> Project:
    return params.load(PARAMS)


def rows_of(folder: Path, project: Project, text: str = REPLICATION, published: float = 0.7958) -> list[ReplicationRow]:
    """The rows of a summary, with this published correlation."""
    write_text(folder / "reports" / "replication.csv", text)
    values = {"boston_mlp": PublishedValues(notebook="004", metrics={"correlation": published})}
    return replication_rows(ProjectFiles(folder), project, values)


def test_headline_metrics_and_published_values_are_shown(tmp_path: Path, project: Project) -> None:
    several, one = rows_of(tmp_path, project)
    assert (several.metric, several.mean, several.std) == ("correlation", "0.79 (0.7733 to 0.8067)", "0.02")
    assert (several.min_to_max, several.published, several.is_inside, several.z) == (
        "0.765 to 0.823",
        0.7958,
        True,
        "+0.3",
    )
    assert several.bar is not None
    assert several.bar.published is not None
    assert (one.seeds, one.mean, one.std, one.min_to_max, one.z, one.bar) == (1, "0.8", "", "", "", None)


def test_a_published_value_that_was_corrected_since_has_its_own_place(tmp_path: Path, project: Project) -> None:
    several, _ = rows_of(tmp_path, project, published=0.83)
    assert (several.published, several.is_inside, several.z) == (0.83, False, "+2.0")


def test_an_experiment_that_is_gone_has_no_row(tmp_path: Path, project: Project) -> None:
    gone = REPLICATION.replace("boston_mlp,False", "gone,False")
    assert [row.experiment for row in rows_of(tmp_path, project, gone)] == ["boston_mlp"]


def test_runs_by_other_settings_are_marked(tmp_path: Path, project: Project) -> None:
    header, first, *_ = REPLICATION.splitlines()
    for settings, is_other in ((BY_SEED, False), ("0123456789012345", True), ("", True)):
        (row,) = rows_of(tmp_path, project, f"{header}\n{first.replace(BY_SEED, settings)}\n")
        assert row.has_other_settings is is_other


def test_without_a_file_there_are_no_rows(tmp_path: Path, project: Project) -> None:
    assert replication_rows(ProjectFiles(tmp_path), project, {}) == []


def test_every_published_value_of_this_project_lies_inside_the_spread_over_seeds_as_docs_say(project: Project) -> None:
    rows = replication_rows(ProjectFiles(ROOT), project, params.load_published(project, ROOT / "published.yaml"))
    places = [row.is_inside for row in rows if row.published is not None]
    assert len(places) >= 10
    assert all(places)
