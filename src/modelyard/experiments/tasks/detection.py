"""Detection: boxes with a class in each image."""

import numpy as np
import pandas as pd

from modelyard import metrics
from modelyard.data.inputs import TrainingInput
from modelyard.data.samples import Samples
from modelyard.experiments import plots
from modelyard.experiments.tasks.judgement import Judgement, Pictures
from modelyard.metrics import detection
from modelyard.models import Model
from modelyard.models.engine import box_coding


def judge(model: Model, test: Samples, outputs: np.ndarray) -> Judgement:
    """The boxes that were found, and of each class what became of them and of the true ones."""
    found = box_coding.decode(outputs, model.description.shape)
    truth = np.asarray(test.y)
    matches = detection.match(truth, found)
    each = {
        name: {
            "average_precision": detection.average_precision(matches, number),
            **detection.counts(matches, number)._asdict(),
        }
        for number, name in enumerate(model.description.classes)
    }
    sides = dict(zip(("left", "top", "right", "bottom"), found.box.T, strict=True))
    table = pd.DataFrame({"image": found.image, "class": found.label, "score": found.score, **sides})
    return Judgement(model, test, outputs, table, metrics.bound_detection_metrics(truth, found), {"classes": each})


def draw(judgement: Judgement, training: TrainingInput) -> Pictures:
    """Some images with true and found boxes, and how precision falls as recall rises."""
    classes, truth = judgement.model.description.classes, np.asarray(judgement.test.y)
    found = box_coding.decode(judgement.outputs, judgement.model.description.shape)
    matches = detection.match(truth, found)
    occurring = np.unique(matches.truth.label)
    curves = {classes[number]: tuple(detection.precision_recall(matches, number)) for number in occurring}
    certain = found.take(np.flatnonzero(found.score >= detection.CERTAIN))
    shown = range(min(plots.GRID**2, len(truth)))
    boxes = [_drawn(certain.take(np.flatnonzero(certain.image == number))) for number in shown]
    return {
        "detections.png": plots.detections(judgement.test.x[: len(shown)], truth[: len(shown)], boxes, classes),
        "precision_recall.png": plots.precision_recall(curves),
    }


def _drawn(boxes: detection.Boxes) -> np.ndarray:
    """Boxes as rows of class, left, top, right, bottom, score."""
    return np.column_stack([boxes.label, boxes.box, boxes.score])
