"""The calibration of a classification, from its predictions on test samples."""

from pathlib import Path

import pytest
from support.projects import CLASSIFICATION, make_results

from modelyard.core.files import write_text
from modelyard.params.results import ExperimentResults
from modelyard.reporting.calibration import read_calibration

CLASS = {"rows": 4, "precision": 0.5, "recall": 0.5, "f1": 0.5}
PREDICTIONS = """truth,prediction,probability,loss
1,1,0.95,0.05
0,1,0.95,3.00
0,0,0.85,0.16
0,0,0.85,0.16
"""


@pytest.fixture
def results(tmp_path: Path) -> ExperimentResults:
    make_results(tmp_path, "xor_mlp", CLASSIFICATION, {"classes": {"no": CLASS, "yes": CLASS}})
    write_text(tmp_path / "results/xor_mlp/predictions.csv", PREDICTIONS)
    return ExperimentResults(tmp_path / "results/xor_mlp")


def test_of_two_classes_it_is_that_of_the_positive_one(results: ExperimentResults) -> None:
    found = read_calibration(results, "yes")
    assert found and "the probability of class yes" in found.text
    assert found.error == pytest.approx((2 * abs(0.5 - 0.95) + 2 * abs(0 - 0.15)) / 4)


def test_of_more_classes_it_is_that_of_the_predicted_one(results: ExperimentResults) -> None:
    found = read_calibration(results, "")
    assert found and "the probability of the predicted class" in found.text
    assert found.error == pytest.approx((2 * abs(0.5 - 0.95) + 2 * abs(1 - 0.85)) / 4)


@pytest.mark.parametrize(
    "content",
    ["", "truth,prediction\n1,1\n", "truth,prediction,probability\n", "truth,prediction,probability\n1,1,often\n"],
    ids=["empty", "no probability", "no row", "text"],
)
def test_unreadable_predictions_have_none(results: ExperimentResults, content: str) -> None:
    write_text(results.predictions, content)
    assert read_calibration(results, "") is None


def test_without_predictions_there_is_none(results: ExperimentResults) -> None:
    results.predictions.unlink()
    assert read_calibration(results, "") is None
