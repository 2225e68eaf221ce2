"""The rows of metrics over seeds."""

from support.projects import REPLICATION

from modelyard.core.files import write_text
from modelyard.reporting.project_files import ProjectFiles
from modelyard.reporting.replication import replication_rows


def test_headline_metrics_and_published_values_are_shown(tmp_path) -> None:
    write_text(tmp_path / "reports" / "replication.csv", REPLICATION)
    several, one = replication_rows(ProjectFiles(tmp_path))
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


def test_without_a_file_there_are_no_rows(tmp_path) -> None:
    assert replication_rows(ProjectFiles(tmp_path)) == []
