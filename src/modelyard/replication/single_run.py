"""One run: rows are prepared, a model is trained and evaluated, and nothing is left but its figures."""

import logging
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import numpy as np

from modelyard import metrics, models
from modelyard.core.files import checksum
from modelyard.data import inputs, readers
from modelyard.data.samples import Samples, Task
from modelyard.experiments import evaluate
from modelyard.params.variants import GAP, ResolvedExperiment, digest

if TYPE_CHECKING:
    import pandas as pd

# What turns settings into figures; a run that other code made counts no more.
CODE = (
    "data/inputs.py",
    "data/readers",
    "data/scaling.py",
    "data/splits.py",
    "experiments/evaluate.py",
    "experiments/tasks",
    "metrics/definitions.py",
    "metrics/detection.py",
    "models",
    "replication/single_run.py",
)


@dataclass(frozen=True)
class Job:
    """One run: what is trained and evaluated, and the file that keeps its figures."""

    experiment: str
    resolved: ResolvedExperiment
    runtime: models.Runtime
    file: Path

    @property
    def datasets(self) -> set[str]:
        """The data sets whose raw files it needs."""
        return {resolved.input.dataset for resolved in self.resolved.self_and_backbones()}


@dataclass(frozen=True)
class PreparedJob:
    """A job whose rows lie in folders, by the names of their inputs."""

    job: Job
    rows: dict[str, Path]


@contextmanager
def prepared_inputs(jobs: Sequence[Job], raw: Path) -> Iterator[list[PreparedJob]]:
    """Lend the rows of each job's inputs in a folder that passes; each data set is read once."""
    experiments = {_input(each): each for job in jobs for each in job.resolved.self_and_backbones()}
    with TemporaryDirectory() as folder:
        rows = {key: Path(folder) / key for key in experiments}
        for name in dict.fromkeys(resolved.input.dataset for resolved in experiments.values()):
            of_dataset = {key: resolved for key, resolved in experiments.items() if resolved.input.dataset == name}
            _prepare(of_dataset, raw / name, rows)
        yield [
            PreparedJob(job, {_input(each): rows[_input(each)] for each in job.resolved.self_and_backbones()})
            for job in jobs
        ]


def train_and_evaluate(ready: PreparedJob) -> dict[str, Any]:
    """Train and evaluate once; returns figures, epochs and seconds.

    Figures are the metrics of the test rows, the last epoch's of the validation rows as val_*, and `gap`, the loss of
    the validation rows less that of the training rows, both asked after the training.
    """
    began = time.monotonic()
    logging.getLogger("tensorflow").setLevel(logging.ERROR)  # it warns that each network is traced anew
    with TemporaryDirectory() as place:
        model, history = _fit(ready.job.resolved, ready, Path(place))
    folder = ready.rows[_input(ready.job.resolved)]
    last = history.iloc[-1].to_dict()
    figures = {name: value for name, value in last.items() if name.startswith("val_")}
    figures |= _gap(model, inputs.load_training(folder / "training"))
    figures |= evaluate.evaluate(model, folder / "test").metrics
    return {"figures": figures, "epochs": len(history), "seconds": time.monotonic() - began}


@cache
def code() -> dict[str, str]:
    """The checksum of each file of CODE."""
    home = Path(__file__).parents[1]
    files = [path for name in CODE for path in ([home / name] if name.endswith(".py") else (home / name).rglob("*.py"))]
    return {path.relative_to(home).as_posix(): checksum(path, "sha256") for path in files}


def _fit(resolved: ResolvedExperiment, ready: PreparedJob, place: Path) -> tuple[models.Model, "pd.DataFrame"]:
    """Train a resolved in a folder, and before it the network that it starts from."""
    backbone = None
    if resolved.backbone:
        backbone = place / "backbone"
        backbone.mkdir()
        _fit(resolved.backbone, ready, backbone)[0].save(backbone)
    data = inputs.load_training(ready.rows[_input(resolved)] / "training")
    context = models.TrainingContext(place, ready.job.runtime, lambda figures: None, backbone)
    return models.fit(resolved.experiment.model, resolved.experiment.training, data, context)


def _gap(model: models.Model, data: inputs.TrainingInput) -> dict[str, float]:
    """How much more the validation rows cost than the training rows, where both have a loss."""
    task = model.description.task
    if task not in ("classification", "regression") or not len(data.validation):
        return {}
    held_back, trained = (_loss(model, rows, task) for rows in (data.validation, data.training))
    return {GAP: held_back - trained}


def _loss(model: models.Model, rows: Samples, task: Task) -> float:
    columns = metrics.columns(task, np.asarray(rows.y), model.predict(rows.x))
    return metrics.values(metrics.bound_metrics(task, columns))["loss"]


def _prepare(experiments: dict[str, ResolvedExperiment], raw: Path, rows: dict[str, Path]) -> None:
    """Divide and scale one data set as each resolved asks, as the stage normalise does."""
    entry = next(iter(experiments.values())).dataset
    read = readers.read(entry, raw)
    for key, resolved in experiments.items():
        training, test = inputs.prepare(read, entry.task, resolved.input)
        inputs.save_training(training, rows[key] / "training")
        inputs.save_test(inputs.as_evaluated(test, training.description), rows[key] / "test")


def _input(resolved: ResolvedExperiment) -> str:
    return digest({key: resolved.to_dict()[key] for key in ("dataset", "input")})
