"""Detection: boxes, each with a class and a score, in each image."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from modelyard import metrics
from modelyard.data.inputs import InputDescription, TrainingInput
from modelyard.data.samples import Samples
from modelyard.experiments.tasks.interface import ImportanceMetric, Plots, PredictedSamples, ScoredPredictions
from modelyard.metrics import detection
from modelyard.metrics.definitions import BoundMetric
from modelyard.models import Model
from modelyard.models.engine import box_coding

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

SIDES = ("left", "top", "right", "bottom")
IMPORTANCE_METRIC: ImportanceMetric | None = None


def score(model: Model, test: Samples, outputs: np.ndarray) -> ScoredPredictions:
    """The predicted boxes, with average precision and counts of hits and misses of each class."""
    import pandas as pd

    found = box_coding.decode(outputs, model.description.shape)
    truth = np.asarray(test.y)
    matches = detection.match(truth, found)
    per_class = {
        name: {
            "average_precision": detection.average_precision(matches, number),
            **detection.counts(matches, number)._asdict(),
        }
        for number, name in enumerate(model.description.classes)
    }
    sides = dict(zip(SIDES, found.box.T, strict=True))
    table = pd.DataFrame({"image": found.image, "class": found.label, "score": found.score, **sides})
    bound = metrics.bound_detection_metrics(truth, found)
    return ScoredPredictions(model, test, outputs, table, bound, {"classes": per_class})


def metrics_from_table(columns: Mapping[str, np.ndarray]) -> dict[str, BoundMetric]:  # noqa: ARG001 (TaskModule)
    """None: the rows of predictions.csv are boxes, and the true boxes are not among them."""
    return {}


def plot(scored: ScoredPredictions, training: TrainingInput) -> Plots:  # noqa: ARG001 (TaskModule)
    """Some images with true and predicted boxes, and the precision-recall curve of each class."""
    from modelyard.experiments import plots

    description, truth = scored.model.description, np.asarray(scored.test.y)
    found = box_coding.decode(scored.outputs, description.shape)
    matches = detection.match(truth, found)
    occurring = np.unique(matches.truth.label)
    curves = {description.classes[number]: detection.precision_recall(matches, number) for number in occurring}
    shown = min(plots.GRID**2, len(truth))
    boxes = _by_image(_certain(found), shown)
    return {
        "detections.png": plots.detections(scored.test.x[:shown], truth[:shown], boxes, description.classes),
        "precision_recall.png": plots.precision_recall(curves),
    }


def summarize_targets(samples: Samples, description: InputDescription) -> dict[str, Any]:
    """The numbers of boxes of an image and of each class."""
    classes = samples.y[..., 0]
    per_image = np.sum(classes >= 0, axis=1).tolist()
    counts = [int(np.sum(classes == number)) for number in range(len(description.classes))]
    return {
        "boxes_per_row": {"fewest": min(per_image), "most": max(per_image)},
        "boxes_per_class": dict(zip(description.classes, counts, strict=True)),
    }


def prediction_table(predicted: PredictedSamples) -> "pd.DataFrame":
    """The certain boxes, in pixels of the images before they were resized."""
    import pandas as pd

    description, sizes = predicted.description, predicted.image_sizes
    found = _certain(box_coding.decode(predicted.outputs, description.shape))
    sizes = np.array([description.shape[:2]] * len(predicted.x)) if sizes is None else sizes
    enlarged = (sizes / description.shape[:2])[found.image][:, [1, 0, 1, 0]]
    classes = {"class": np.array(description.classes)[found.label], "score": found.score}
    return pd.DataFrame(classes | dict(zip(SIDES, (found.box * enlarged).T, strict=True)), index=found.image)


def plot_predictions(predicted: PredictedSamples) -> "Figure":
    """Images with the certain boxes, and the true ones where they are known."""
    from modelyard.experiments import plots

    count = len(predicted.x)
    found = _certain(box_coding.decode(predicted.outputs, predicted.description.shape))
    truth = np.zeros((count, 0, 5)) if predicted.truth is None else predicted.truth
    return plots.detections(predicted.x, truth, _by_image(found, count), predicted.description.classes)


def _certain(boxes: detection.Boxes) -> detection.Boxes:
    return boxes.take(np.flatnonzero(boxes.score >= detection.CERTAIN))


def _by_image(boxes: detection.Boxes, count: int) -> list[np.ndarray]:
    """Of each of the first images its boxes as rows of class, left, top, right, bottom, score."""
    rows = np.column_stack([boxes.label, boxes.box, boxes.score])
    return [rows[boxes.image == number] for number in range(count)]
