"""What each task asks of a model: how its answers are judged, and how they are drawn.

A task is one module here with a `judge` and a `draw`, and its line in `_TASKS`; its metrics' names stand in `metrics`.
"""

from types import ModuleType

import numpy as np

from modelyard.data.inputs import TrainingInput
from modelyard.data.samples import Samples, Task
from modelyard.experiments.tasks import classification, detection, reconstruction, regression
from modelyard.experiments.tasks.judgement import Judgement, Pictures
from modelyard.models import Model

__all__ = ["Judgement", "Pictures", "draw", "judge"]

_TASKS: dict[Task, ModuleType] = {
    "classification": classification,
    "regression": regression,
    "reconstruction": reconstruction,
    "detection": detection,
}


def judge(model: Model, test: Samples, outputs: np.ndarray) -> Judgement:
    """What a model's outputs for its test rows are worth."""
    return _TASKS[model.description.task].judge(model, test, outputs)


def draw(judgement: Judgement, training: TrainingInput) -> Pictures:
    """The pictures that go with a judgement, by file name."""
    return _TASKS[judgement.model.description.task].draw(judgement, training)
