"""params.yaml as one typed value: every section, every entry, and what they say of each other."""

from pathlib import Path
from typing import Annotated, Any

from pydantic import Discriminator, Field, Tag

from modelyard import models
from modelyard.core.config import Settings, nearest
from modelyard.core.errors import ModelyardError
from modelyard.data.download import FetchSettings, FileSet, Source, all_mirrors
from modelyard.data.inputs import InputSettings
from modelyard.data.readers import DatasetSettings
from modelyard.data.readers.base import FileName
from modelyard.data.samples import Task
from modelyard.params.study import StudySettings

Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$", description="lower-case words, joined by _")]


class NetworkExperiment(Settings):
    """One named run of a Keras network."""

    input: str
    model: models.ModelSettings
    training: models.NetworkTraining


class EstimatorExperiment(Settings):
    """One named run of a scikit-learn estimator."""

    input: str
    model: models.ModelSettings
    training: models.EstimatorTraining


class TransferExperiment(Settings):
    """One named run that starts from a network trained before."""

    input: str
    model: models.TransferSettings
    training: models.NetworkTraining


class Backbone(Settings):
    """A network that others trained: the files of its weights."""

    description: str = Field(description="one sentence for people: what it is and what it was trained on")
    folder: str = Field(description="its folder inside a mirror")
    files: dict[FileName, Source]


def _kind(experiment: Any) -> str:
    model = experiment.get("model") if isinstance(experiment, dict) else None
    family = model.get("family") if isinstance(model, dict) else None
    return "estimator" if models.is_estimator(family) else "network"


Experiment = Annotated[
    Annotated[NetworkExperiment, Tag("network")] | Annotated[EstimatorExperiment, Tag("estimator")],
    Discriminator(_kind),
]


class PublishedValues(Settings):
    """What a notebook printed for an experiment; shown beside our figures, never read by a stage that makes them."""

    notebook: str = Field(description="its number in docs/notebooks.md")
    metrics: dict[str, float] = Field(default={}, description="metric: published value")
    note: str = Field(default="", description="what the experiment shows, in a few words")


EXPERIMENT_SECTIONS = ("experiments", "transfers", "pretrained")


class Project(Settings):
    """The whole of params.yaml."""

    fetch: FetchSettings = FetchSettings()
    runtime: models.Runtime = models.Runtime()
    datasets: dict[Name, DatasetSettings]
    inputs: dict[Name, InputSettings]
    experiments: dict[Name, Experiment]
    transfers: dict[Name, TransferExperiment] = Field(
        default={}, description="experiments that start from the network of another"
    )
    backbones: dict[Name, Backbone] = Field(default={}, description="networks that others trained")
    pretrained: dict[Name, TransferExperiment] = Field(
        default={}, description="experiments that start from one of `backbones`"
    )
    units: dict[Name, str] = Field(default={}, description="what a data set's target is measured in, for people")
    studies: dict[Name, StudySettings] = Field(default={}, description="searches for better values of experiments")

    @property
    def all_experiments(self) -> dict[str, NetworkExperiment | EstimatorExperiment | TransferExperiment]:
        """Every experiment of every section, by name."""
        return {**self.experiments, **self.transfers, **self.pretrained}

    def section_of(self, experiment: str) -> str:
        """The section that an experiment stands in.

        Raises:
            ModelyardError: there is no such experiment.
        """
        for section in EXPERIMENT_SECTIONS:
            if experiment in getattr(self, section):
                return section
        raise ModelyardError(f"no such experiment: {experiment}; {nearest(experiment, self.all_experiments)}")

    def dataset_of(self, experiment: str) -> str:
        """The data set that an experiment learns from."""
        return self.inputs[self.all_experiments[experiment].input].dataset

    def task_of(self, experiment: str) -> Task:
        """What an experiment's model is to do."""
        return models.task_of(
            self.all_experiments[experiment].model.family, self.datasets[self.dataset_of(experiment)].task
        )

    def unit_of(self, experiment: str) -> str:
        """What the target of an experiment is measured in; nothing where it has no unit."""
        return self.units.get(self.dataset_of(experiment), "")

    def files_of(self, name: str, root: Path) -> FileSet:
        """The raw files of a data set or backbone and where they may be had."""
        entry = self.datasets[name] if name in self.datasets else self.backbones[name]
        return FileSet(entry.files, entry.folder, all_mirrors(self.fetch, root), root)
