"""Pictures of one experiment, in one style: colour-blind safe, axes named, the same bytes twice."""

from modelyard.figures.curves import learning_curve, precision_recall
from modelyard.figures.detections import detections
from modelyard.figures.images import image_grid, prediction_grid, reconstructions
from modelyard.figures.kernels import feature_maps, filters
from modelyard.figures.layers import layer_diagram
from modelyard.figures.predictions import confusion, predicted_against_true
from modelyard.figures.readings import Reading, readings
from modelyard.figures.style import COLOURS, DPI, GRID, RIGHT, WRONG, save

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
