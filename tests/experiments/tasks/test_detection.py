"""Detection: predicted boxes become a table, counts of each class, metrics and plots."""

from types import SimpleNamespace

import numpy as np
import pytest

from modelyard import metrics
from modelyard.data.inputs import TrainingInput
from modelyard.experiments.tasks import ScoredPredictions, detection
from modelyard.models.engine import box_coding

CELLS = (4, 4)


def score(data: TrainingInput, outputs: np.ndarray) -> ScoredPredictions:
    """Score cells for the validation samples; of the model only the description is read."""
    return detection.score(SimpleNamespace(description=data.description), data.validation, outputs)


@pytest.fixture
def truth(box_input: TrainingInput) -> np.ndarray:
    """The cells that a perfect detector would output."""
    return box_coding.encode(box_input.validation.y, box_input.description.shape, 2, CELLS)


def test_a_perfect_detector_finds_all_and_nothing_else(box_input: TrainingInput, truth: np.ndarray) -> None:
    scored = score(box_input, truth)
    perfect = {"mean_average_precision": 1.0, "precision": 1.0, "recall": 1.0}
    assert metrics.values(scored.bound_metrics) == pytest.approx(perfect)
    boxes = box_input.validation.y[..., 0]
    assert len(scored.predictions) == np.sum(boxes >= 0) == 24
    for number, name in enumerate(("dark", "bright")):
        values = scored.details["classes"][name]
        assert values["average_precision"] == pytest.approx(1)
        assert values["true_positives"] == np.sum(boxes == number) > 0
        assert values["false_positives"] == values["false_negatives"] == 0


def test_the_table_holds_each_predicted_box_in_pixels(box_input: TrainingInput, truth: np.ndarray) -> None:
    table = score(box_input, truth).predictions
    assert list(table.columns) == ["image", "class", "score", "left", "top", "right", "bottom"]
    of_first = table[table.image == 0].drop(columns=["image", "score"]).to_numpy()
    np.testing.assert_allclose(of_first, box_input.validation.y[0, :1], atol=1e-3)


def test_a_missed_box_and_a_wrong_class_cost_their_class(box_input: TrainingInput, truth: np.ndarray) -> None:
    spoilt = truth.copy()
    image, row, column = np.argwhere(truth[..., 0])[0]
    spoilt[image, row, column, 5:] = spoilt[image, row, column, 5:][::-1]
    was, is_now = (["dark", "bright"][number] for number in truth[image, row, column, 5:].argsort()[::-1])
    perfect, classes = (score(box_input, cells).details["classes"] for cells in (truth, spoilt))
    assert classes[was]["false_negatives"] == 1
    assert classes[is_now]["false_positives"] == 1
    assert classes[was]["true_positives"] == perfect[was]["true_positives"] - 1


def test_plots_show_true_and_predicted_boxes_and_the_curve_of_each_class(
    box_input: TrainingInput, truth: np.ndarray
) -> None:
    plots = detection.plot(score(box_input, truth), box_input)
    assert plots.keys() == {"detections.png", "precision_recall.png"}
    drawn = sum(len(axes.patches) for axes in plots["detections.png"].axes)
    assert drawn == 2 * 24  # each true box and the one found on it


def test_a_detector_that_finds_nothing_has_metrics_and_plots_too(box_input: TrainingInput, truth: np.ndarray) -> None:
    scored = score(box_input, np.zeros_like(truth))
    nothing = {"mean_average_precision": 0.0, "precision": 0.0, "recall": 0.0}
    assert metrics.values(scored.bound_metrics) == nothing
    assert scored.predictions.empty
    assert scored.details["classes"]["dark"]["false_negatives"] > 0
    plots = detection.plot(scored, box_input)
    assert sum(len(axes.patches) for axes in plots["detections.png"].axes) == 24
