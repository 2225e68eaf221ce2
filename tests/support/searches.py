"""A search on made-up samples that needs no TensorFlow: the trees and the depth of gradient boosting vary."""

from pathlib import Path
from typing import Any

import numpy as np

from modelyard.data.inputs import TrainingInput, save_training
from modelyard.data.samples import Samples
from modelyard.models import EstimatorTraining, Runtime
from modelyard.models.families import boosting
from modelyard.params.project import EstimatorExperiment
from modelyard.params.study import Choices, Range, StudySettings
from modelyard.tuning.plan import Plan
from support.inputs import describe

EXPERIMENT = EstimatorExperiment(
    input="made_up", model=boosting.Settings(family="boosting", n_estimators=20), training=EstimatorTraining(seed=7)
)
VARY: dict[str, Any] = {"model.n_estimators": Range(low=10, high=60), "model.max_depth": Choices(choices=(1, 2, 3))}


def save_samples(folder: Path, count: int = 120) -> TrainingInput:
    """Save samples on a curve, a fifth of them for validation, where the trials of `plan` read them."""
    random = np.random.default_rng(0)
    x = random.normal(size=(count, 3))
    samples = Samples(x, x[:, 0] ** 2 + x[:, 1] + random.normal(scale=0.1, size=count))
    data = TrainingInput(describe(samples, validation_samples=count // 5), samples)
    save_training(data, folder / "data" / "inputs" / "made_up" / "training")
    return data


def plan(folder: Path, experiment: Any = EXPERIMENT, **changes: Any) -> Plan:
    """The plan of a search on these samples; `changes` are those of its study."""
    values = {"experiment": "made_up_boosting", "search_space": VARY, "n_trials": 4, "pruner": "none", "seed": 7}
    return Plan(
        name="made_up",
        study=StudySettings(**(values | changes)),
        experiment=experiment,
        inputs={"made_up": {"dataset": "made_up"}},
        metric="val_mae",
        runtime=Runtime(),
        root=folder,
    )
