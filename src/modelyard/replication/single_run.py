"""One run of a replication: prepares the data, trains and scores a model, and returns its metrics."""

import logging
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from modelyard import models
from modelyard.core.errors import ModelyardError
from modelyard.core.files import checksum
from modelyard.core.machine import installed_version
from modelyard.data import inputs, readers
from modelyard.data.cross_validation import split_folds
from modelyard.data.samples import Samples
from modelyard.data.splits import check_targets
from modelyard.experiments import evaluate
from modelyard.experiments.tasks import TASKS
from modelyard.metrics import METRICS, headline_metric
from modelyard.models.engine.training_settings import trained_epoch, without_checkpoint
from modelyard.params.variants import GAP, ResolvedExperiment, digest

if TYPE_CHECKING:
    import pandas as pd

# The code that can change a metric, within the package: an edit of it invalidates the runs that are kept.
CODE = (
    "data/columns.py",
    "data/cross_validation.py",
    "data/decision_threshold.py",
    "data/inputs.py",
    "data/preprocessing.py",
    "data/readers",
    "data/scaling.py",
    "data/splits.py",
    "data/target_scaling.py",
    "experiments/evaluate.py",
    "experiments/tasks",
    "metrics/definitions.py",
    "metrics/detection.py",
    "metrics/ranking.py",
    "models/__init__.py",
    "models/engine",
    "models/families",
    "replication/single_run.py",
)

LIBRARIES = ("keras", "numpy", "scikit-learn", "tensorflow")  # what trains and computes


@dataclass(frozen=True)
class Job:
    """A run to do: the experiment with its seeds set, and the file that keeps its metrics.

    With `keeps_predictions`, the file `predictions` keeps the columns of its predictions on test samples as well.
    `name` is what it is called while it runs, with its seed; "" is the name of the experiment.
    """

    experiment: str
    resolved: ResolvedExperiment
    runtime: models.Runtime
    file: Path
    keeps_predictions: bool = False
    name: str = ""

    @property
    def predictions(self) -> Path:
        """The file of the predictions."""
        return predictions_of(self.file)

    @property
    def datasets(self) -> set[str]:
        """The data sets whose raw files it reads."""
        return {resolved.input.dataset for resolved in self.resolved.self_and_backbones()}


@dataclass(frozen=True)
class PreparedJob:
    """A job with the folders of its prepared inputs, by input key."""

    job: Job
    folders: dict[str, Path]

    def folder(self, resolved: ResolvedExperiment) -> Path:
        """The prepared input of the job's experiment, or of one of its backbones."""
        return self.folders[_input_key(resolved)]


def predictions_of(file: Path) -> Path:
    """The file of the predictions of a run, beside that of its metrics."""
    return file.with_suffix(".npz")


@contextmanager
def prepared_inputs(jobs: Sequence[Job], raw: Path) -> Iterator[list[PreparedJob]]:
    """Prepare each input of the jobs once, in a folder that is deleted after the block.

    Args:
        jobs: the runs to do.
        raw: a folder with a subfolder of raw files per data set.
    """
    experiments = {_input_key(each): each for job in jobs for each in job.resolved.self_and_backbones()}
    with TemporaryDirectory() as temporary:
        folders = {key: Path(temporary) / key for key in experiments}
        groups: dict[str, dict[str, ResolvedExperiment]] = defaultdict(dict)  # each reads a data set in one way
        for key, each in experiments.items():
            groups[digest([each.input.dataset, each.to_dict()["dataset"]])][key] = each
        for group in groups.values():
            _prepare(group, raw / next(iter(group.values())).input.dataset, folders)
        yield [PreparedJob(job, folders) for job in jobs]


def train_and_evaluate(prepared: PreparedJob) -> dict[str, Any]:
    """Train and evaluate once.

    Returns:
        `metrics`: those on test samples; those of the epoch whose weights the model has (the last, unless the best is
        restored) on validation samples as val_*; `gap`, validation loss minus training loss, both of the trained
        model. Also the number of `epochs`, the `seconds` it took, and the columns of its `predictions`; none unless the
        job keeps them. If the training diverged: the headline metric as NaN, `diverged`, the reason, and `seconds`.
    """
    start = time.monotonic()
    logging.getLogger("tensorflow").setLevel(logging.ERROR)  # it warns that every network is traced again
    with TemporaryDirectory() as folder:
        try:
            model, history = _fit(prepared.job.resolved, prepared, Path(folder))
        except ModelyardError as error:
            return _result_of_diverged(error, headline_metric(prepared.job.resolved.task), start)
    data = prepared.folder(prepared.job.resolved)
    trained = history.iloc[trained_epoch(prepared.job.resolved.experiment.training, history)]
    values = {str(name): float(value) for name, value in trained.items() if str(name).startswith("val_")}
    values |= _gap(model, inputs.load_training(data / "training"))
    evaluation = evaluate.evaluate(model, data / "test")
    columns = evaluation.predictions.items() if prepared.job.keeps_predictions else ()
    predictions = {str(name): column.to_numpy() for name, column in columns}
    seconds = time.monotonic() - start
    return {
        "metrics": values | evaluation.metrics,
        "epochs": len(history),
        "seconds": seconds,
        "predictions": predictions,
    }


def train_and_validate(prepared: PreparedJob, folds: int | None, split_seed: int) -> dict[str, Any]:
    """Train and score on validation samples as a trial of a search does; no test sample is read.

    Args:
        prepared: the run; its experiment starts from no other.
        folds: into how many folds the training and validation samples are divided; None for the input's own split.
        split_seed: with which they are divided.

    Returns:
        `metrics`: those on validation samples as val_*, of the epoch whose weights the model has, with folds the mean
        over them. Also the number of `epochs`, and the `seconds` it took. If the training diverged: `val_loss` as NaN,
        `diverged`, the reason, and `seconds`.
    """
    import pandas as pd

    start = time.monotonic()
    logging.getLogger("tensorflow").setLevel(logging.ERROR)
    job, ends, epochs = prepared.job, [], 0
    settings = job.resolved.experiment
    data = inputs.load_training(prepared.folder(job.resolved) / "training")
    for fold in split_folds(data, folds, split_seed):
        with TemporaryDirectory() as folder:
            context = models.TrainingContext(Path(folder), job.runtime, lambda _: None)
            try:
                _, history = models.fit(settings.model, without_checkpoint(settings.training), fold, context)
            except ModelyardError as error:
                return _result_of_diverged(error, "val_loss", start)
        ends.append(history.iloc[trained_epoch(settings.training, history)])
        epochs += len(history)
    means = pd.DataFrame(ends).mean(skipna=False)
    values = {str(name): float(value) for name, value in means.items() if str(name).startswith("val_")}
    return {"metrics": values, "epochs": epochs, "seconds": time.monotonic() - start}


@cache
def code_checksums() -> dict[str, str]:
    """The SHA-256 of each file of CODE."""
    package = Path(__file__).parents[1]
    paths = [package / name for name in CODE]
    files = [file for path in paths for file in (path.rglob("*.py") if path.is_dir() else [path])]
    return {file.relative_to(package).as_posix(): checksum(file, "sha256") for file in files}


@cache
def library_versions() -> dict[str, str]:
    """The version of each of LIBRARIES."""
    return {name: installed_version(name) for name in LIBRARIES}


def _fit(resolved: ResolvedExperiment, prepared: PreparedJob, folder: Path) -> tuple[models.Model, "pd.DataFrame"]:
    """Train a model, and before it the one whose layers it reuses; checkpoints go to `folder`."""
    backbone = None
    if resolved.backbone:
        backbone = folder / "backbone"
        backbone.mkdir()
        _fit(resolved.backbone, prepared, backbone)[0].save(backbone)
    data = inputs.load_training(prepared.folder(resolved) / "training")
    context = models.TrainingContext(folder, prepared.job.runtime, lambda _: None, backbone)
    return models.fit(resolved.experiment.model, resolved.experiment.training, data, context)


def _result_of_diverged(error: ModelyardError, metric: str, start: float) -> dict[str, Any]:
    """The result of a training that diverged; metrics that a result lacks count as NaN. Other errors are raised."""
    from modelyard.models.engine.callbacks import TrainingDiverged  # it imports Keras

    if not isinstance(error, TrainingDiverged):
        raise error
    return {"metrics": {metric: float("nan")}, "diverged": str(error), "seconds": time.monotonic() - start}


def _gap(model: models.Model, data: inputs.TrainingInput) -> dict[str, float]:
    """Validation loss minus training loss, for tasks that have a loss."""
    has_loss = any(metric.name == "loss" for metric in METRICS[model.description.task])
    if not has_loss or not len(data.validation):
        return {}
    return {GAP: _loss(model, data.validation) - _loss(model, data.training)}


def _loss(model: models.Model, samples: Samples) -> float:
    scored = TASKS[model.description.task].score(model, samples, model.predict(samples.x))
    return scored.bound_metrics["loss"].value


def _prepare(experiments: dict[str, ResolvedExperiment], raw: Path, folders: dict[str, Path]) -> None:
    """Prepare the inputs of experiments on one data set that is read in one way, as the stage normalise does."""
    dataset = next(iter(experiments.values())).dataset
    data = readers.read(dataset, raw)
    for key, resolved in experiments.items():
        folder = folders[key]
        prepared, test = inputs.write_input(data, dataset.task, resolved.input, folder / "training", folder / "test")
        check_targets(prepared.training, test, dataset.task, data.classes)


def _input_key(resolved: ResolvedExperiment) -> str:
    settings = resolved.to_dict()
    return digest({key: settings[key] for key in ("dataset", "input")})
