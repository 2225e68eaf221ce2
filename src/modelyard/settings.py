"""params.yaml as one typed value: every section, every entry, and what they say of each other."""

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

from pydantic import Discriminator, Field, Tag

from modelyard import models
from modelyard.config import File, Mistake, Settings, nearest, parse
from modelyard.datasets import DatasetSettings
from modelyard.downloads import FetchSettings, FileSet, all_mirrors
from modelyard.errors import ModelyardError
from modelyard.inputs import InputSettings
from modelyard.metrics import METRICS
from modelyard.models.output import output_of

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


def _kind(experiment: Any) -> str:
    model = experiment.get("model") if isinstance(experiment, dict) else None
    family = model.get("family") if isinstance(model, dict) else None
    return "estimator" if models.is_estimator(family) else "network"


Experiment = Annotated[
    Annotated[NetworkExperiment, Tag("network")] | Annotated[EstimatorExperiment, Tag("estimator")],
    Discriminator(_kind),
]


class Published(Settings):
    """What a notebook printed for an experiment; shown beside our figures, never read by a stage that makes them."""

    notebook: str = Field(description="its number in docs/notebooks.md")
    figures: dict[str, float] = Field(default={}, description="metric: published value")
    note: str = Field(default="", description="what the experiment shows, in a few words")


class Project(File):
    """The whole of params.yaml."""

    fetch: FetchSettings = FetchSettings()
    runtime: models.Runtime = models.Runtime()
    datasets: dict[Name, DatasetSettings]
    inputs: dict[Name, InputSettings]
    experiments: dict[Name, Experiment]
    published: dict[Name, Published] = Field(default={})

    def dataset_of(self, experiment: str) -> str:
        """The data set that an experiment learns from."""
        return self.inputs[self.experiments[experiment].input].dataset

    def files_of(self, dataset: str, root: Path) -> FileSet:
        """The raw files of a data set and where they may be had."""
        entry = self.datasets[dataset]
        return FileSet(entry.files, entry.folder, all_mirrors(self.fetch, root), root)

    def mistakes(self) -> Iterator[Mistake]:
        """Entries that name what is not there, or that do not fit together."""
        for name, entry in self.inputs.items():
            if entry.dataset not in self.datasets:
                yield Mistake(("inputs", name, "dataset"), f"no such data set; {nearest(entry.dataset, self.datasets)}")
        for name, experiment in self.experiments.items():
            yield from self._mistakes_of(name, experiment)
        for name, published in self.published.items():
            yield from self._mistakes_of_published(name, published)

    def _mistakes_of_published(self, name: str, published: Published) -> Iterator[Mistake]:
        if name not in self.experiments:
            yield Mistake(("published", name), f"no such experiment; {nearest(name, self.experiments)}")
        elif self.experiments[name].input in self.inputs and self.dataset_of(name) in self.datasets:
            measured = METRICS[self.datasets[self.dataset_of(name)].task]
            for metric in published.figures.keys() - measured.keys():
                yield Mistake(("published", name, "figures", metric), f"no such metric; {nearest(metric, measured)}")

    def _mistakes_of(self, name: str, experiment: NetworkExperiment | EstimatorExperiment) -> Iterator[Mistake]:
        where = ("experiments", name, "input")
        if experiment.input not in self.inputs:
            yield Mistake(where, f"no such input; {nearest(experiment.input, self.inputs)}")
            return
        dataset = self.inputs[experiment.input].dataset
        if dataset in self.datasets and isinstance(experiment, NetworkExperiment):
            entry = self.datasets[dataset]
            try:
                output_of(entry.task, len(entry.classes), experiment.training.loss)
            except ModelyardError as error:
                yield Mistake(("experiments", name, "training", "loss"), str(error))


def load(path: Path = Path("params.yaml")) -> Project:
    """Read and check params.yaml.

    Raises:
        ModelyardError: all mistakes at once, each with its key and line.
    """
    return parse(Project, path)
