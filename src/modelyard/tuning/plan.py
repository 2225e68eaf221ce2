"""What a study's workers need to know: what is searched, where, and how a trial is scored."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from modelyard import params
from modelyard.data.inputs import MEASURED_ONLY
from modelyard.metrics.definitions import find_metric, history_metric
from modelyard.models import Runtime
from modelyard.params.fold_evaluation import EVALUATE
from modelyard.params.project import Project
from modelyard.params.study import EPOCHS, StudySettings, inputs_of, numbers_of_epochs
from modelyard.params.variants import DISPLAY
from modelyard.tuning.trial_code import code_checksums

STEERING = ("early_stopping", "reshuffle_before_split", "schedule")
"""Settings of a training with which one of few epochs may not be the beginning of a longer one."""

CHANGES_NO_SAMPLE: dict[str, Any] = {
    **dict.fromkeys((*DISPLAY, "license", "debian", "expect"), True),
    "files": {"__all__": {"url", "package", "path", "alternatives"}},  # the checksum stays
}
"""The keys of a data set that are excluded where searches are compared."""


@dataclass(frozen=True)
class Plan:
    """A study with its experiment and settings, as they were when the search started; every worker gets a copy.

    Attributes:
        name: the study's name in params.yaml.
        study: its entry there.
        experiment: the settings of the experiment that it varies.
        inputs: the settings, as JSON, of every input that a trial may use.
        datasets: those of their data sets.
        code: the checksums of the code that scores a trial.
        metric: the column of the training history that is a trial's score.
        runtime: how each training uses the machine.
        root: the project's folder.
    """

    name: str
    study: StudySettings
    experiment: Any
    inputs: dict[str, Any]
    metric: str
    runtime: Runtime
    root: Path
    datasets: dict[str, Any] = field(default_factory=dict)
    code: dict[str, str] = field(default_factory=dict)

    @property
    def direction(self) -> Literal["maximize", "minimize"]:
        """The direction of optimization, as Optuna spells it."""
        return "maximize" if find_metric(self.metric).higher_is_better else "minimize"

    @property
    def directions(self) -> list[Literal["maximize", "minimize"]]:
        """The direction of each value of a trial: of its score, and of what is minimized beside it."""
        return [self.direction, "minimize"] if self.study.sizes else [self.direction]

    @property
    def space(self) -> dict[str, Any]:
        """The search space, as JSON; scores of studies whose spaces differ cannot be compared."""
        return {
            "experiment": self.experiment.model_dump(mode="json", exclude=EVALUATE),
            "inputs": self.inputs,
            "datasets": self.datasets,
            "code": self.code,
            "search_space": {
                key: variation.model_dump(mode="json") for key, variation in self.study.search_space.items()
            },
            "folds": self.study.folds,
            "training_samples": self.study.training_samples,
            "metric": self.metric,
            **({"metrics": list(self.study.metrics)} if self.study.metrics else {}),
            **({"seed": self.study.seed} if self.study.folds else {}),  # it draws the folds
        }

    @property
    def max_steps(self) -> int:
        """The largest number of steps that a trial can report: its folds, or its epochs."""
        epochs = self.study.search_space.get(EPOCHS)
        if self.study.folds or not hasattr(self.experiment.training, "epochs"):
            return self.study.folds or 1
        return numbers_of_epochs(epochs)[-1] if epochs else int(self.experiment.training.epochs)

    @property
    def epochs_to_compare(self) -> tuple[int, ...]:
        """The numbers of epochs whose scores are read off each learning curve; none where they are sampled or fixed.

        With a constant learning rate, a training of few epochs is the beginning of a longer one.
        """
        epochs = self.study.search_space.get(EPOCHS)
        varied = [key.split(".")[1] for key in self.study.search_space if key.startswith("training.")]
        if epochs is None or any(name in varied or getattr(self.experiment.training, name) for name in STEERING):
            return ()
        return numbers_of_epochs(epochs)

    @property
    def pruner(self) -> str:
        """The study's pruner; by default the one with which such searches are fastest (benchmarks/search)."""
        if self.study.sizes:  # Optuna prunes by one metric only
            return "none"
        if self.study.pruner:
            return self.study.pruner
        return "median" if self.study.folds or self.epochs_to_compare else "none"

    def training_folder(self, input_name: str) -> Path:
        """The folder that holds an input's training and validation samples."""
        return self.root / "data" / "inputs" / input_name / "training"


def make_plan(project: Project, name: str, root: Path) -> Plan:
    """Build the plan of a study of params.yaml.

    Raises:
        ModelyardError: its search space lacks a value of the experiment, which is its first trial.
    """
    study = project.studies[name]
    params.check_search_spaces(project, [name], root / "params.yaml")
    experiment = project.experiments[study.experiment]
    names = inputs_of(study, experiment.input)
    metric = history_metric(project.task_of(study.experiment)) or "loss"
    return Plan(
        name=name,
        study=study,
        experiment=experiment,
        metric=f"val_{metric}",
        runtime=project.runtime,
        root=root.resolve(),
        code=code_checksums(experiment.model.family),
        **sample_settings(project, names),
    )


def sample_settings(project: Project, inputs: Iterable[str]) -> dict[str, dict[str, Any]]:
    """Return what decides the samples of a search, as JSON: its `inputs` and their `datasets`, without those gone."""
    present = {name: project.inputs[name] for name in inputs if name in project.inputs}
    datasets = sorted({settings.dataset for settings in present.values()} & project.datasets.keys())
    return {
        "inputs": {name: settings.model_dump(mode="json", exclude=MEASURED_ONLY) for name, settings in present.items()},
        "datasets": {
            name: project.datasets[name].model_dump(mode="json", exclude=CHANGES_NO_SAMPLE) for name in datasets
        },
    }
