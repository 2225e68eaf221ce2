"""Pictures of one experiment, in one style: colour-blind safe, axes named, the same bytes twice."""

from modelyard.experiments.plots.curves import learning_curve, precision_recall
from modelyard.experiments.plots.detections import detections
from modelyard.experiments.plots.images import image_grid, prediction_grid, reconstructions
from modelyard.experiments.plots.kernels import feature_maps, filters
from modelyard.experiments.plots.layers import layer_diagram
from modelyard.experiments.plots.predictions import confusion, predicted_against_true
from modelyard.experiments.plots.readings import Reading, readings
from modelyard.experiments.plots.style import COLOURS, DPI, GRID, RIGHT, WRONG, save

__all__ = [
    "COLOURS",
    "DPI",
    "GRID",
    "RIGHT",
    "WRONG",
    "Reading",
    "confusion",
    "detections",
    "feature_maps",
    "filters",
    "image_grid",
    "layer_diagram",
    "learning_curve",
    "precision_recall",
    "predicted_against_true",
    "prediction_grid",
    "readings",
    "reconstructions",
    "save",
]
