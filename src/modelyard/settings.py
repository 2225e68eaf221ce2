"""params.yaml as one typed value: every section, every entry, and what they say of each other."""

from collections.abc import Iterator
from itertools import combinations
from pathlib import Path
from typing import Annotated, Any

from pydantic import Discriminator, Field, Tag

from modelyard import models
from modelyard.claim_settings import Claim
from modelyard.config import File, Mistake, Settings, nearest, parse
from modelyard.datasets import DatasetSettings
from modelyard.datasets.entry import FileName
from modelyard.downloads import FetchSettings, FileSet, Source, all_mirrors
from modelyard.errors import ModelyardError
from modelyard.inputs import InputSettings
from modelyard.metrics import SHOWN, WATCHED
from modelyard.models.output import check_loss
from modelyard.rows import Task
from modelyard.studies import Study, mistakes_in
from modelyard.subjects import mistakes_of_claims

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


class Published(Settings):
    """What a notebook printed for an experiment; shown beside our figures, never read by a stage that makes them."""

    notebook: str = Field(description="its number in docs/notebooks.md")
    figures: dict[str, float] = Field(default={}, description="metric: published value")
    note: str = Field(default="", description="what the experiment shows, in a few words")


EXPERIMENT_SECTIONS = ("experiments", "transfers", "pretrained")


class Project(File):
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
    published: dict[Name, Published] = Field(default={})
    units: dict[Name, str] = Field(default={}, description="what a data set's target is measured in, for people")
    studies: dict[Name, Study] = Field(default={}, description="searches for better values of experiments")
    claims: dict[Name, Claim] = Field(default={}, description="what is said of experiments, and how it is settled")

    @property
    def runs(self) -> dict[str, NetworkExperiment | EstimatorExperiment | TransferExperiment]:
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
        raise ModelyardError(f"no such experiment: {experiment}; {nearest(experiment, self.runs)}")

    def dataset_of(self, experiment: str) -> str:
        """The data set that an experiment learns from."""
        return self.inputs[self.runs[experiment].input].dataset

    def task_of(self, experiment: str) -> Task:
        """What an experiment's model is to do."""
        return models.task_of(self.runs[experiment].model.family, self.datasets[self.dataset_of(experiment)].task)

    def unit_of(self, experiment: str) -> str:
        """What the target of an experiment is measured in; nothing where it has no unit."""
        return self.units.get(self.dataset_of(experiment), "")

    def files_of(self, name: str, root: Path) -> FileSet:
        """The raw files of a data set or backbone and where they may be had."""
        entry = self.datasets[name] if name in self.datasets else self.backbones[name]
        return FileSet(entry.files, entry.folder, all_mirrors(self.fetch, root), root)

    def mistakes(self) -> list[Mistake]:
        """Entries that name what is not there, or that do not fit together; of claims only where all else is right."""
        return list(self._mistakes_of_entries()) or list(mistakes_of_claims(self))

    def _mistakes_of_entries(self) -> Iterator[Mistake]:
        for name, entry in self.inputs.items():
            if entry.dataset not in self.datasets:
                yield Mistake(("inputs", name, "dataset"), f"no such data set; {nearest(entry.dataset, self.datasets)}")
        for section in EXPERIMENT_SECTIONS:
            for name, experiment in getattr(self, section).items():
                yield from self._mistakes_of(section, name, experiment)
        yield from self._names_given_twice()
        for name, experiment in self.transfers.items():
            yield from self._mistakes_of_backbone(name, experiment)
        for name, experiment in self.pretrained.items():
            if experiment.model.backbone not in self.backbones:
                advice = nearest(experiment.model.backbone, self.backbones)
                yield Mistake(("pretrained", name, "model", "backbone"), f"no such backbone; {advice}")
        for name, published in self.published.items():
            yield from self._mistakes_of_published(name, published)
        for name in self.units.keys() - self.datasets.keys():
            yield Mistake(("units", name), f"no such data set; {nearest(name, self.datasets)}")
        for name, study in self.studies.items():
            for mistake in mistakes_in(study, self.experiments, self.inputs):
                yield mistake._replace(keys=("studies", name, *mistake.keys))

    def _names_given_twice(self) -> Iterator[Mistake]:
        groups = [EXPERIMENT_SECTIONS, ("datasets", "backbones")]  # each a folder of results, of raw files
        for first, second in (pair for sections in groups for pair in combinations(sections, 2)):
            for name in getattr(self, first).keys() & getattr(self, second).keys():
                yield Mistake((second, name), f"this name stands in `{first}` as well; give it another")

    def _mistakes_of_published(self, name: str, published: Published) -> Iterator[Mistake]:
        if name not in self.runs:
            yield Mistake(("published", name), f"no such experiment; {nearest(name, self.runs)}")
        elif self.runs[name].input in self.inputs and self.dataset_of(name) in self.datasets:
            measured = SHOWN[self.task_of(name)]
            for metric in published.figures.keys() - set(measured):
                yield Mistake(("published", name, "figures", metric), f"no such metric; {nearest(metric, measured)}")

    def _mistakes_of(self, section: str, name: str, experiment: Any) -> Iterator[Mistake]:
        if experiment.input not in self.inputs:
            yield Mistake((section, name, "input"), f"no such input; {nearest(experiment.input, self.inputs)}")
        elif self.inputs[experiment.input].dataset in self.datasets:
            yield from self._mistakes_of_task(section, name, experiment)

    def _mistakes_of_task(self, section: str, name: str, experiment: Any) -> Iterator[Mistake]:
        entry, family = self.datasets[self.inputs[experiment.input].dataset], experiment.model.family
        task = models.task_of(family, entry.task)
        if task not in models.tasks_of(family):
            can = " or ".join(models.tasks_of(family))
            yield Mistake((section, name, "model", "family"), f"{family} is for {can}, this data set asks for {task}")
        elif not isinstance(experiment, EstimatorExperiment):
            yield from _mistakes_of_training((section, name, "training"), task, len(entry.classes), experiment.training)
        if isinstance(experiment, TransferExperiment) and experiment.training.checkpoint:
            yield Mistake((section, name, "training", "checkpoint"), "it would lack the backbone; leave it out")

    def _mistakes_of_backbone(self, name: str, experiment: TransferExperiment) -> Iterator[Mistake]:
        where, backbone = ("transfers", name, "model", "backbone"), experiment.model.backbone
        networks = [each for each, entry in self.experiments.items() if isinstance(entry, NetworkExperiment)]
        if backbone not in networks:
            yield Mistake(where, f"no such experiment with a network; {nearest(backbone, networks)}")
            return
        inputs = (self.experiments[backbone].input, experiment.input)
        if all(each in self.inputs and self.inputs[each].dataset in self.datasets for each in inputs):
            theirs, ours = (self.datasets[self.inputs[each].dataset].expect.shape for each in inputs)
            if theirs and ours and theirs != ours:
                yield Mistake(where, f"its network takes rows of shape {theirs}, this input has {ours}")


def _mistakes_of_training(
    where: tuple[str, ...], task: Task, classes: int, training: models.NetworkTraining
) -> Iterator[Mistake]:
    try:
        check_loss(task, classes, training.loss)
    except ModelyardError as error:
        yield Mistake((*where, "loss"), str(error))
    measured = ["val_loss", *(f"val_{each}" for each in [WATCHED.get(task)] if each)]
    stopping = training.early_stopping
    watched = {("checkpoint",): training.checkpoint, ("early_stopping", "monitor"): stopping and stopping.monitor}
    for key, monitor in watched.items():
        if monitor not in (None, *measured):
            yield Mistake((*where, *key), f"not measured in a {task}; allowed: {', '.join(measured)}")


def load(path: Path = Path("params.yaml")) -> Project:
    """Read and check params.yaml.

    Raises:
        ModelyardError: all mistakes at once, each with its key and line.
    """
    return parse(Project, path)
