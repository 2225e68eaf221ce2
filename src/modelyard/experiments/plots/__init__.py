"""Plots of one experiment in one style: safe for colour-blind readers, axes labelled, the same bytes each time."""

from modelyard.experiments.plots.calibration import calibration
from modelyard.experiments.plots.curves import learning_curve, precision_recall
from modelyard.experiments.plots.detections import detections
from modelyard.experiments.plots.image_grids import image_grid, prediction_grid, reconstructions, titled_images
from modelyard.experiments.plots.kernels import feature_maps, filters
from modelyard.experiments.plots.layers import layer_diagram
from modelyard.experiments.plots.occlusion import Occlusion, occlude, occlusions
from modelyard.experiments.plots.readings import Reading, readings
from modelyard.experiments.plots.style import COLOURS, DPI, GRID, RIGHT, WRONG, prediction_title, save
from modelyard.experiments.plots.targets import confusion, predicted_against_true

__all__ = [
    "COLOURS",
    "DPI",
    "GRID",
    "RIGHT",
    "WRONG",
    "Occlusion",
    "Reading",
    "calibration",
    "confusion",
    "detections",
    "feature_maps",
    "filters",
    "image_grid",
    "layer_diagram",
    "learning_curve",
    "occlude",
    "occlusions",
    "precision_recall",
    "predicted_against_true",
    "prediction_grid",
    "prediction_title",
    "readings",
    "reconstructions",
    "save",
    "titled_images",
]
