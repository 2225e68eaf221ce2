"""All that a study's workers must know: what is searched, where, and how a trial is judged."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from modelyard.metrics.definitions import find_metric, history_metric
from modelyard.models import Runtime
from modelyard.params.project import Project
from modelyard.params.study import Choices, StudySettings, inputs_of


@dataclass(frozen=True)
class Plan:
    """A study with its experiment and settings, as they stood when the search began; a worker gets a copy."""

    name: str
    study: StudySettings
    experiment: Any
    inputs: dict[str, Any]
    metric: str
    runtime: Runtime
    folder: Path

    @property
    def direction(self) -> str:
        """Which scores are better, in Optuna's words."""
        return "maximize" if find_metric(self.metric).higher_is_better else "minimize"

    @property
    def space(self) -> dict[str, Any]:
        """The identity of the search, as JSON has it: scores of two that differ in it cannot be compared."""
        return {
            "experiment": self.experiment.model_dump(mode="json"),
            "inputs": self.inputs,
            "vary": {key: variation.model_dump(mode="json") for key, variation in self.study.vary.items()},
            "folds": self.study.folds,
            "training_rows": self.study.training_rows,
            "metric": self.metric,
        }

    @property
    def most_epochs(self) -> int:
        """The most steps that a trial can report: its folds, or its epochs."""
        epochs = self.study.vary.get("training.epochs")
        if self.study.folds or not hasattr(self.experiment.training, "epochs"):
            return self.study.folds or 1
        if epochs is None:
            return self.experiment.training.epochs
        return int(max(epochs.choices) if isinstance(epochs, Choices) else epochs.high)

    def training_of(self, name: str) -> Path:
        """The folder of an input's training and validation rows."""
        return self.folder / "data" / "inputs" / name / "training"


def make(project: Project, name: str, threads: int, folder: Path) -> Plan:
    """The plan of a study of params.yaml, each of its trainings with so many threads."""
    study = project.studies[name]
    experiment = project.experiments[study.experiment]
    names = inputs_of(study, experiment.input)
    watched = history_metric(project.task_of(study.experiment)) or "loss"
    return Plan(
        name=name,
        study=study,
        experiment=experiment,
        inputs={each: project.inputs[each].model_dump(mode="json") for each in names},
        metric=f"val_{watched}",
        runtime=project.runtime.model_copy(update={"threads": threads}),
        folder=folder.resolve(),
    )
