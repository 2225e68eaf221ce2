"""One module per task: how its predictions are scored, plotted and shown, and how its targets are summarized.

A new task is one module here (see `interface.TaskModule`) with its line in `TASKS`, its name in `data.samples.Task`,
its metrics in `metrics.definitions.METRICS`, and its outputs and losses in `models.engine.tasks`.
"""

from modelyard.data.samples import Task
from modelyard.experiments.tasks import classification, detection, reconstruction, regression
from modelyard.experiments.tasks.interface import Plots, PredictedSamples, ScoredPredictions, TaskModule

__all__ = ["TASKS", "Plots", "PredictedSamples", "ScoredPredictions", "TaskModule"]

TASKS: dict[Task, TaskModule] = {
    "classification": classification,
    "regression": regression,
    "reconstruction": reconstruction,
    "detection": detection,
}
