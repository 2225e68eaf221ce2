"""The sections of params.yaml as typed settings."""

import re
from operator import not_
from pathlib import Path, PurePosixPath
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Discriminator, Field, Tag

from modelyard import models
from modelyard.core.config import Settings, suggest
from modelyard.core.errors import ModelyardError
from modelyard.data.download import FileSet
from modelyard.data.inputs import InputSettings
from modelyard.data.mirrors import FetchSettings, all_mirrors, find_cache
from modelyard.data.readers import AnyDataset
from modelyard.data.samples import Task
from modelyard.data.sources import FileName, FolderName, Source
from modelyard.params.fold_evaluation import FoldEvaluation
from modelyard.params.study import StudySettings

Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$", description="lower-case words joined by _")]


Evaluate = Annotated[
    FoldEvaluation | None,
    Field(
        default=None,
        exclude_if=not_,
        description="evaluate it by k-fold over the training and validation samples as well, with new fits; the "
        "results are `folds` in details.json. It retrains nothing",
    ),
]


OnRequest = Annotated[
    bool,
    Field(
        default=False,
        exclude_if=not_,
        description="it takes long: `modelyard run` builds it only where it is named; `dvc repro` always",
    ),
]


class NetworkExperiment(Settings):
    """An experiment that trains a Keras network."""

    input: str
    model: models.ModelSettings
    training: models.NetworkTraining
    evaluate: Evaluate
    on_request: OnRequest


class EstimatorExperiment(Settings):
    """An experiment that fits a scikit-learn estimator."""

    input: str
    model: models.ModelSettings
    training: models.EstimatorTraining
    evaluate: Evaluate
    on_request: OnRequest


class TransferExperiment(Settings):
    """An experiment that starts from a trained network."""

    input: str
    model: models.TransferSettings
    training: models.NetworkTraining


SPECIAL = set('"$`\\\n')  # to the shell, within the quotes that dvc.yaml puts around a path


def _within_project(path: str) -> str:
    if PurePosixPath(path).is_absolute() or ".." in PurePosixPath(path).parts:
        raise ValueError(f"{path} is not in the project: give a path below the folder of params.yaml")
    if path.startswith("-") or (odd := set(path) & SPECIAL):
        what = "begins with -" if path.startswith("-") else f"has {' '.join(map(repr, sorted(odd)))}"
        raise ValueError(f"{path!r} {what}, which a command line would misread: give the file another name")
    return path


PathInProject = Annotated[str, Field(min_length=1), AfterValidator(_within_project)]

TABLE_FILE = re.compile(r"\.(csv|parquet)$")


def _table_file(path: str) -> str:
    if not TABLE_FILE.search(path):
        raise ValueError("predictions are written as CSV or Parquet: give a name that ends in .csv or .parquet")
    return path


class BatchSettings(Settings):
    """One entry of `batches`: predictions of a model for files, made again when either changes."""

    experiment: str = Field(description="an entry of `experiments` or `transfers`")
    data: PathInProject = Field(
        description="a table, or a folder of tables, images or texts; data/raw/NAME for the files of a data set"
    )
    output: Annotated[PathInProject, AfterValidator(_table_file)] = Field(
        description="the file to write: CSV or Parquet", json_schema_extra={"pattern": TABLE_FILE.pattern}
    )
    broken: Literal["refuse", "leave_out"] = Field(
        default="refuse",
        exclude_if=lambda broken: broken == "refuse",
        description="what a file or row that cannot be read does: refuse: it fails the stage; leave_out: the others "
        "are predicted, and the log has a line for it",
    )


class Backbone(Settings):
    """A pretrained network: where the files of its weights come from."""

    description: str = Field(description="one sentence: what it is and what it was trained on")
    folder: FolderName = Field(description="its folder in a mirror")
    debian: str = Field(default="", description="a Debian package that installs the files for all users")
    files: dict[FileName, Source]


def _kind(experiment: Any) -> str:
    """Which of the two classes of `Experiment` a mapping is checked against, by its `model.family`."""
    model = experiment.get("model") if isinstance(experiment, dict) else None
    family = model.get("family") if isinstance(model, dict) else None
    return "estimator" if isinstance(family, str) and models.is_estimator(family) else "network"


Experiment = Annotated[
    Annotated[NetworkExperiment, Tag("network")] | Annotated[EstimatorExperiment, Tag("estimator")],
    Discriminator(_kind),
]
AnyExperiment = NetworkExperiment | EstimatorExperiment | TransferExperiment

EXPERIMENT_SECTIONS = ("experiments", "transfers", "pretrained")


class PublishedValues(Settings):
    """One entry of published.yaml: what a notebook reported for an experiment. No stage reads it."""

    notebook: str = Field(description="the notebook's number in docs/notebooks.md")
    metrics: dict[str, float] = Field(default={}, description="published value by metric")
    note: str = Field(default="", description="what the experiment shows, in a few words")


Published = dict[Name, PublishedValues]
"""The whole of published.yaml."""


class Project(Settings):
    """The whole of params.yaml."""

    fetch: FetchSettings = FetchSettings()
    runtime: models.Runtime = models.Runtime()
    datasets: dict[Name, AnyDataset]
    inputs: dict[Name, InputSettings]
    experiments: dict[Name, Experiment]
    transfers: dict[Name, TransferExperiment] = Field(
        default={}, description="experiments that start from the network of another experiment"
    )
    backbones: dict[Name, Backbone] = Field(default={}, description="pretrained networks")
    pretrained: dict[Name, TransferExperiment] = Field(
        default={}, description="experiments that start from one of `backbones`"
    )
    units: dict[Name, str] = Field(default={}, description="unit of the target by data set, for display")
    studies: dict[Name, StudySettings] = Field(default={}, description="searches for better settings of experiments")
    batches: dict[Name, BatchSettings] = Field(default={}, description="predictions for files, as stages")

    @property
    def all_experiments(self) -> dict[str, AnyExperiment]:
        """Every experiment of every section, by name."""
        return {**self.experiments, **self.transfers, **self.pretrained}

    def section_of(self, experiment: str) -> str:
        """The section that holds an experiment.

        Raises:
            ModelyardError: there is no such experiment.
        """
        for section in EXPERIMENT_SECTIONS:
            if experiment in getattr(self, section):
                return section
        raise ModelyardError(f"no such experiment: {experiment}; {suggest(experiment, self.all_experiments)}")

    def dataset_of(self, experiment: str) -> str:
        """The data set of an experiment."""
        return self.inputs[self.all_experiments[experiment].input].dataset

    def task_of(self, experiment: str) -> Task:
        """The task of an experiment."""
        return models.task_of(
            self.all_experiments[experiment].model.family, self.datasets[self.dataset_of(experiment)].task
        )

    def unit_of(self, experiment: str) -> str:
        """The unit of an experiment's target, empty where it has none."""
        return self.units.get(self.dataset_of(experiment), "")

    def files_of(self, name: str, root: Path) -> FileSet:
        """The raw files of a data set or backbone, and the addresses that may have them."""
        entry = self.datasets[name] if name in self.datasets else self.backbones[name]
        cache = find_cache()
        return FileSet(entry.files, entry.folder, all_mirrors(self.fetch, root, cache), root, cache, entry.debian)
