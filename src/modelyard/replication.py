"""Experiments over seeds; each run is kept in a file of its own, so that what was run is not run again."""

import logging
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import numpy as np

from modelyard import datasets, evaluation, inputs, metrics, models
from modelyard.files import checksum, read_json, write_json
from modelyard.rows import Rows, Task
from modelyard.settings import Project
from modelyard.spread import spread
from modelyard.subjects import GAP, Subject, digest, subject_of
from modelyard.workers import Outcome, outcomes

if TYPE_CHECKING:
    import pandas as pd

COLUMNS = (
    "experiment",
    "splits",
    "metric",
    "seeds",
    "mean",
    "sd",
    "low",
    "high",
    "least",
    "most",
    "published",
    "z",
    "inside",
)
# What turns settings into figures; a run that other code made counts no more.
CODE = ("datasets", "models", "inputs.py", "metrics.py", "replication.py", "scaling.py", "splits.py", "tasks")


@dataclass(frozen=True)
class Series:
    """An experiment, perhaps with changes, that is run over seeds; `splits`: each seed draws its test rows as well."""

    name: str
    subject: Subject
    runtime: models.Runtime
    splits: bool = False

    @cached_property
    def key(self) -> str:
        """The name of its settings and of the code: whatever changes a figure changes it."""
        described = {"subject": self.subject.described(), "runtime": self.runtime.model_dump(), "splits": self.splits}
        return digest(described | {"code": _code()})

    def number(self, seed: int) -> int:
        """How much higher a run's seed is than that of params.yaml."""
        return seed - _seed(self.subject)

    def runs(self, kept: Path) -> dict[int, dict[str, float]]:
        """The figures of each run that is kept, by its seed."""
        files = sorted((kept / self.name / self.key).glob("*.json"), key=lambda path: int(path.stem))
        return {int(path.stem): read_json(path)["figures"] for path in files}

    def job(self, number: int, kept: Path) -> "Job":
        """The run whose seeds are `number` higher than those of params.yaml."""
        subject = self.subject.with_seed(number, self.splits)
        return Job(self.name, subject, self.runtime, kept / self.name / self.key / f"{_seed(subject)}.json")


@dataclass(frozen=True)
class Job:
    """One run: what is trained and evaluated, and the file that keeps its figures."""

    name: str
    subject: Subject
    runtime: models.Runtime
    file: Path

    @property
    def seed(self) -> int:
        return _seed(self.subject)


@dataclass(frozen=True)
class Ready:
    """A job whose rows lie in folders, by the names of their inputs."""

    job: Job
    rows: dict[str, Path]


def missing(wanted: Iterable[tuple[Series, int]], kept: Path) -> list[Job]:
    """The jobs that so many runs of each series still need: a run of every series before the second of any."""
    jobs: dict[tuple[int, Path], Job] = {}
    for series, count in wanted:
        for number in range(count):
            job = series.job(number, kept)
            jobs[number, job.file] = job
    return [jobs[each] for each in sorted(jobs) if not jobs[each].file.exists()]


def run(jobs: Sequence[Job], raw: Path, workers: int, seconds: float) -> Iterator[Outcome]:
    """Run jobs side by side, keep their figures, tell of each; what is not done after `seconds` is stopped.

    Folder `raw` holds a folder of raw files for each data set.
    """
    ends = time.monotonic() + seconds
    with prepared(jobs, raw) as ready:
        for outcome in outcomes(measure, ready, workers, ends - time.monotonic()):
            job = outcome.job.job
            if not outcome.error:
                write_json(job.file, {"experiment": job.name, "seed": job.seed, **outcome.result})
            yield Outcome(job, outcome.result, outcome.error)


@contextmanager
def prepared(jobs: Sequence[Job], raw: Path) -> Iterator[list[Ready]]:
    """Lend the rows of each job's inputs in a folder that passes; each data set is read once."""
    subjects = {_input(each): each for job in jobs for each in _chain(job.subject)}
    with TemporaryDirectory() as folder:
        rows = {key: Path(folder) / key for key in subjects}
        for name in dict.fromkeys(subject.input.dataset for subject in subjects.values()):
            of_dataset = {key: subject for key, subject in subjects.items() if subject.input.dataset == name}
            _prepare(of_dataset, raw / name, rows)
        yield [Ready(job, {_input(each): rows[_input(each)] for each in _chain(job.subject)}) for job in jobs]


def measure(ready: Ready) -> dict[str, Any]:
    """Train and evaluate once; returns figures, epochs and seconds.

    Figures are the metrics of the test rows, the last epoch's of the validation rows as val_*, and `gap`, the loss of
    the validation rows less that of the training rows, both asked after the training.
    """
    began = time.monotonic()
    logging.getLogger("tensorflow").setLevel(logging.ERROR)  # it warns that each network is traced anew
    with TemporaryDirectory() as place:
        model, history = _fit(ready.job.subject, ready, Path(place))
    folder = ready.rows[_input(ready.job.subject)]
    last = history.iloc[-1].to_dict()
    figures = {name: value for name, value in last.items() if name.startswith("val_")}
    figures |= _gap(model, inputs.load_training(folder / "training"))
    figures |= evaluation.evaluate(model, folder / "test").metrics
    return {"figures": figures, "epochs": len(history), "seconds": time.monotonic() - began}


def summary(project: Project, kept: Path) -> "pd.DataFrame":
    """What the runs of each experiment come to, and where the published figure lies among them.

    Columns: experiment, splits, metric, seeds, mean, sd, low, high (95 % t interval of the mean), least, most,
    published, z (of the published figure, in standard deviations from the mean), inside (from least to most).
    """
    import pandas as pd

    rows = []
    for name in project.experiments | project.transfers:
        for splits in (False, True):
            series = Series(name, subject_of(project, name, {}), project.runtime, splits)
            rows += _summaries(series, series.runs(kept), project)
    return pd.DataFrame(rows, columns=list(COLUMNS))


def _summaries(series: Series, runs: dict[int, dict[str, float]], project: Project) -> Iterator[dict[str, Any]]:
    """One row a metric, none where nothing was run."""
    published = project.published[series.name].figures if series.name in project.published else {}
    for metric in metrics.SHOWN[series.subject.task] if runs else ():
        values = np.array([figures[metric] for figures in runs.values()])
        said = published.get(metric)
        row = {"experiment": series.name, "splits": series.splits, "metric": metric, "seeds": len(values)}
        row |= spread(values)._asdict() | {"least": values.min(), "most": values.max()}
        yield row | {"published": said} | ({} if said is None else _place(said, values))


def _place(published: float, values: np.ndarray) -> dict[str, Any]:
    """Where a published figure lies among ours."""
    from scipy.stats import zmap

    varies = len(values) > 1 and np.ptp(values) > 0
    z = zmap(published, values, ddof=1).item() if varies else None
    return {"z": z, "inside": bool(values.min() <= published <= values.max())}


def _fit(subject: Subject, ready: Ready, place: Path) -> tuple[models.Model, "pd.DataFrame"]:
    """Train a subject in a folder, and before it the network that it starts from."""
    backbone = None
    if subject.backbone:
        backbone = place / "backbone"
        backbone.mkdir()
        _fit(subject.backbone, ready, backbone)[0].save(backbone)
    data = inputs.load_training(ready.rows[_input(subject)] / "training")
    bench = models.Bench(place, ready.job.runtime, lambda figures: None, backbone)
    return models.fit(subject.experiment.model, subject.experiment.training, data, bench)


def _gap(model: models.Model, data: inputs.TrainingInput) -> dict[str, float]:
    """How much more the validation rows cost than the training rows, where both have a loss."""
    task = model.description.task
    if task not in ("classification", "regression") or not len(data.validation):
        return {}
    held_back, trained = (_loss(model, rows, task) for rows in (data.validation, data.training))
    return {GAP: held_back - trained}


def _loss(model: models.Model, rows: Rows, task: Task) -> float:
    columns = metrics.columns(task, np.asarray(rows.y), model.predict(rows.x))
    return metrics.figures(metrics.measures(task, columns))["loss"]


def _prepare(subjects: dict[str, Subject], raw: Path, rows: dict[str, Path]) -> None:
    """Divide and scale one data set as each subject asks, as the stage normalise does."""
    entry = next(iter(subjects.values())).dataset
    read = datasets.read(entry, raw)
    for key, subject in subjects.items():
        training, test = inputs.prepare(read, entry.task, subject.input)
        inputs.save_training(training, rows[key] / "training")
        inputs.save_test(inputs.as_evaluated(test, training.description), rows[key] / "test")


def _chain(subject: Subject) -> Iterator[Subject]:
    """A subject, and the one whose network it starts from."""
    yield subject
    if subject.backbone:
        yield from _chain(subject.backbone)


def _input(subject: Subject) -> str:
    return digest({key: subject.described()[key] for key in ("dataset", "input")})


def _seed(subject: Subject) -> int:
    return subject.experiment.training.seed


@cache
def _code() -> dict[str, str]:
    """The checksum of each file of CODE."""
    home = Path(__file__).parent
    files = [path for name in CODE for path in ([home / name] if name.endswith(".py") else (home / name).rglob("*.py"))]
    return {path.relative_to(home).as_posix(): checksum(path, "sha256") for path in files}
