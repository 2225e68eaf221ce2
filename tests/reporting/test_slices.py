"""Slices and the decision threshold of an experiment, in the report."""

from pathlib import Path

import pytest
from support.projects import CLASSIFICATION, make_results
from support.reports import Report, write_report

from modelyard.core.files import read_json, write_json
from modelyard.reporting.experiments import ExperimentSection

SLICES = {
    "metric": "accuracy",
    "columns": {
        "sex": {
            "female": {"rows": 300, "value": 0.95, "low": 0.92, "high": 0.97},
            "<male>": {"rows": 12, "value": 0.6, "low": 0.4, "high": 0.8},
            "of an earlier version": {"rows": 9, "value": 0.6, "low": 0.4, "high": 0.8},
            "(rare)": {"rows": 4, "value": 0.5, "low": 0.4, "high": 0.8},
        }
    },
}
THRESHOLD = {
    "value": 0.375,
    "goal": {"false_positive": 1.0, "false_negative": 5.0},
    "validation_samples": 143,
    "validation": 0.25,
    "validation_at_half": 0.5,
    "test": 0.3,
    "test_at_half": 0.45,
}
TWO_CLASSES = {"roc_auc": 0.97, "average_precision": 0.96, "brier_score": 0.08, "balanced_accuracy": 0.91}


@pytest.fixture(scope="module")
def judged(original: Path, tmp_path_factory: pytest.TempPathFactory) -> Report:
    import shutil

    project = Path(shutil.copytree(original, tmp_path_factory.mktemp("judged") / "yard"))
    details = {"classes": {}, "positive_class": "1", "threshold": THRESHOLD, "slices": SLICES}
    make_results(project, "xor_mlp", CLASSIFICATION | TWO_CLASSES, details)
    return write_report(project, project / "reports" / "index.html")


def section_of(report: Report, name: str) -> ExperimentSection:
    (section,) = (section for section in report.contents.experiments if section.row.experiment == name)
    return section


def test_slices_follow_all_test_samples_and_small_ones_are_marked(judged: Report) -> None:
    rows = section_of(judged, "xor_mlp").measured.slices
    assert [(row.column, row.name, row.rows, row.text, row.is_small) for row in rows] == [
        ("", "", 360, "0.9 (0.89 to 0.91)", False),
        ("sex", "female", 300, "0.95 (0.92 to 0.97)", False),
        ("sex", "<male>", 12, "0.6 (0.4 to 0.8)", True),
        ("sex", "(rare)", 4, "0.5 (0.4 to 0.8)", True),
    ]
    assert rows[2].bar.value < rows[0].bar.value < rows[1].bar.value
    assert "of an earlier version" not in judged.page.text
    assert "all test samples 360 0.9 (0.89 to 0.91)" in judged.page.text
    assert "sex <male> 12 0.6 (0.4 to 0.8) few samples" in judged.page.text


def test_the_threshold_is_explained_with_its_goal(judged: Report) -> None:
    assert (
        "Decision threshold: class 1 is predicted from a probability of 0.375 on, chosen for the best mean cost (false "
        "positive 1, false negative 5) of 143 validation samples: 0.25 there, 0.5 with 0.5; 0.3 on the test samples, "
        "0.45 with 0.5." in judged.page.text
    )


def test_metrics_of_two_classes_are_shown_and_compared(judged: Report) -> None:
    section = section_of(judged, "xor_mlp")
    assert section.measured.metrics.keys() == (CLASSIFICATION | TWO_CLASSES).keys()
    assert [metric.metric for metric in section.row.metrics][3:] == ["roc_auc", "average_precision", "brier_score"]
    assert "the positive class is 1" in judged.page.text


def test_an_experiment_without_slices_has_none(report: Report) -> None:
    section = section_of(report, "digits_cnn")
    assert (section.measured.slices, section.measured.threshold, section.measured.positive_class) == ([], "", "")
    assert "Slices" not in report.page.text and "Not shown" not in report.page.text
    assert "Decision threshold" not in report.page.text


def test_slices_that_are_not_readable_cost_the_section_alone(project: Path) -> None:
    file = project / "results" / "digits_cnn" / "details.json"
    write_json(file, read_json(file) | {"slices": {"metric": "accuracy", "columns": {"sex": {"male": {"rows": 3}}}}})
    report = write_report(project, project / "reports" / "index.html")
    assert "slices" in " ".join(report.contents.missing) or "sex" in " ".join(report.contents.missing)
    assert section_of(report, "digits_cnn").measured.slices == []
