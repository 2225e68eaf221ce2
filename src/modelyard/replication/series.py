"""Trains experiments over several seeds; each run is kept in a file, so that it is done once."""

import sys
import time
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, TextIO
from zipfile import is_zipfile

import numpy as np
from pydantic import FiniteFloat, TypeAdapter

from modelyard import metrics
from modelyard.core.errors import ModelyardError
from modelyard.core.files import atomic_file, read_json, write_json
from modelyard.experiments.tasks import TASKS
from modelyard.metrics.definitions import BoundMetric
from modelyard.models import Runtime
from modelyard.orchestration.engine import Call, Ended, Engine, Task, run_all
from modelyard.orchestration.worker_process import report
from modelyard.params.claim import Changes, Side
from modelyard.params.project import Project, PublishedValues
from modelyard.params.variants import GAP, ResolvedExperiment, digest, resolve
from modelyard.replication.seed_statistics import seed_statistics
from modelyard.replication.single_run import (
    Job,
    PreparedJob,
    code_checksums,
    library_versions,
    predictions_of,
    prepared_inputs,
    train_and_evaluate,
)

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
    "settings",
)

BEGUN = "begun"  # what a run reports before it trains

Work = Callable[[PreparedJob], dict[str, Any]]
"""What a run does: a function of a module, which returns `metrics`, `seconds`, and `epochs` or why it `diverged`."""

_METRICS = TypeAdapter(dict[str, FiniteFloat | None])
"""The metrics in the file of a run: None where its training diverged, because JSON has no NaN."""


class Outcome(NamedTuple):
    """A run that has ended: what its work returned, or the reason why it has returned nothing."""

    job: Job
    result: Any = None
    error: str = ""


class Place(NamedTuple):
    """Where a published value lies among runs.

    `z`: standard deviations from the mean, None without any; `inside`: whether it lies between least and most.
    """

    z: float | None
    inside: bool


class KeptRun(NamedTuple):
    """The metrics of a run, NaN where its training diverged, and the seconds that it took, None if not known.

    `is_complete`: whether it has all that a crossed claim needs: its predictions, unless its training diverged.
    """

    metrics: dict[str, float]
    seconds: float | None
    is_complete: bool = False


@dataclass(frozen=True)
class Series:
    """An experiment that is trained once per seed.

    Attributes:
        experiment: its name in params.yaml.
        resolved: its settings, `changes` included.
        runtime: how a training uses the machine.
        splits: whether each seed draws its own test samples as well.
        changes: where the settings differ from params.yaml.
        keeps_predictions: whether each run keeps its predictions on test samples.
        name: what its runs are called while they are done, if not by the name of the experiment.
    """

    experiment: str
    resolved: ResolvedExperiment
    runtime: Runtime
    splits: bool = False
    changes: Changes = field(default_factory=dict)
    keeps_predictions: bool = False
    name: str = ""

    @property
    def title(self) -> str:
        """The experiment and its changes, as text."""
        splits = ", each with its own split" if self.splits else ""
        return f"{Side(experiment=self.experiment, changes=self.changes)}{splits}"

    @cached_property
    def key(self) -> str:
        """A hash of everything that can change a metric: settings, runtime, code and libraries."""
        return digest(self._settings | {"code": code_checksums(), "libraries": library_versions()})

    @cached_property
    def settings_digest(self) -> str:
        """A hash of settings and runtime, whatever the code."""
        return digest(self._settings)

    @property
    def _settings(self) -> dict[str, Any]:
        return {"resolved": self.resolved.to_dict(), "runtime": self.runtime.model_dump(), "splits": self.splits}

    def test_ratio(self, metric: str) -> float:
        """The number of samples that a metric is measured on, divided by the number of training samples.

        0 if all runs are measured on the same samples.
        """
        if not self.splits:
            return 0.0
        split = self.resolved.input.split
        if is_on_validation(metric):
            return split.validation / (1 - split.validation)
        test = float(split.test)  # a fraction, or the test samples could not be drawn again
        return test / ((1 - test) * (1 - split.validation))

    def seed_offset(self, seed: int) -> int:
        """By how much the seed of a run exceeds that of params.yaml."""
        return seed - self.resolved.seed

    def metrics(self, folder: Path) -> dict[int, dict[str, float]]:
        """The metrics of each kept run, by seed; NaN where its training diverged."""
        return {seed: run.metrics for seed, run in self.runs(folder).items()}

    def runs(self, folder: Path) -> dict[int, KeptRun]:
        """Each kept run, by seed."""
        return {seed: _kept_run(file) for seed, file in self.files(folder).items()}

    def files(self, folder: Path) -> dict[int, Path]:
        """The file of each kept run, by seed; `folder` holds the runs of all series."""
        files = (folder / self.experiment / self.key).glob("*.json")
        return dict(sorted((int(file.stem), file) for file in files if file.stem.isdecimal() and _is_kept(file)))

    def job(self, seed_offset: int, folder: Path) -> Job:
        """The run whose seeds exceed those of params.yaml by `seed_offset`."""
        resolved = self.resolved.with_seed_offset(seed_offset, self.splits)
        file = folder / self.experiment / self.key / f"{resolved.seed}.json"
        return Job(self.experiment, resolved, self.runtime, file, self.keeps_predictions, self.name)

    def bound_metric(self, seed: int, metric: str, folder: Path) -> BoundMetric:
        """A metric of a kept run with what it is computed from, for each test sample."""
        with np.load(predictions_of(self.files(folder)[seed]), allow_pickle=False) as columns:
            return TASKS[self.resolved.task].metrics_from_table(dict(columns))[metric]


def is_constant(metrics: Sequence[Mapping[str, float]]) -> bool:
    """Whether no metric varies over several runs, as of least squares: they may all be one observation."""
    return len(metrics) > 1 and all(each == metrics[0] for each in metrics)


def is_on_validation(metric: str) -> bool:
    """Whether a metric is measured on validation samples."""
    return metric == GAP or metric.startswith("val_")


def all_jobs(wanted: Iterable[tuple[Series, int]], folder: Path) -> list[Job]:
    """Every run of each series with its number of seeds, done or not; first those of the first seed."""
    jobs: dict[tuple[int, Path], Job] = {}
    for series, seeds in wanted:
        for offset in range(seeds):
            job = series.job(offset, folder)
            other = jobs.get((offset, job.file), job)  # two claims can share a run, and one needs its predictions
            jobs[offset, job.file] = job if job.keeps_predictions else other
    return [jobs[each] for each in sorted(jobs)]


def missing_jobs(wanted: Iterable[tuple[Series, int]], folder: Path) -> list[Job]:
    """Those of `all_jobs` that `folder` lacks."""
    return [job for job in all_jobs(wanted, folder) if not _is_done(job)]


def _is_done(job: Job) -> bool:
    return _is_kept(job.file) and (not job.keeps_predictions or _kept_run(job.file).is_complete)


def _is_kept(file: Path) -> bool:
    """Whether a run was kept in this file; a damaged one counts as not run, and is replaced by the next run."""
    try:
        _METRICS.validate_python(read_json(file)["metrics"])
    except (FileNotFoundError, KeyError, ModelyardError, TypeError, ValueError):
        return False
    return True


def _kept_run(file: Path) -> KeptRun:
    content = read_json(file)
    metrics = {name: np.nan if value is None else value for name, value in content["metrics"].items()}
    return KeptRun(metrics, content.get("seconds"), "diverged" in content or is_zipfile(predictions_of(file)))


def run_jobs(
    jobs: Sequence[Job], raw: Path, engine: Engine, seconds: float, work: Work = train_and_evaluate
) -> Generator[Job | Outcome, None, None]:
    """Run jobs in parallel and keep the metrics of each in its file.

    Args:
        jobs: the runs to do.
        raw: a folder with a subfolder of raw files per data set.
        engine: runs them.
        seconds: the time after which no run begins any more.
        work: what a run does.

    Yields:
        Each job as it begins, and its outcome as it ends.
    """
    end, by_key = time.monotonic() + seconds, {_key(job): job for job in jobs}
    with _calls(jobs, raw, engine, work) as calls:
        needs = [tuple(str(raw / name) for name in sorted(job.datasets)) for job in jobs]
        tasks = [Task(key, call, needs=need) for key, call, need in zip(by_key, calls, needs, strict=True)]
        for event in run_all(engine, tasks, end - time.monotonic()):
            job = by_key[event.key]
            if not isinstance(event, Ended):
                yield job
                continue
            if not event.error:
                _keep(job, event.result)
            yield Outcome(job, event.result, event.error)


@contextmanager
def _calls(jobs: Sequence[Job], raw: Path, engine: Engine, work: Work) -> Iterator[list[Call]]:
    """What is to be called for each job; on this machine, inputs are prepared once for all of them."""
    if engine.shares_files:
        with prepared_inputs(jobs, raw) as prepared:
            yield [Call(partial(_begin_and_work, work), each) for each in prepared]
    else:
        yield [Call(partial(_prepare_and_work, raw, work), job) for job in jobs]


def _begin_and_work(work: Work, prepared: PreparedJob) -> dict[str, Any]:
    report(BEGUN)
    return work(prepared)


def _prepare_and_work(raw: Path, work: Work, job: Job) -> dict[str, Any]:
    with prepared_inputs([job], raw) as (prepared,):
        return _begin_and_work(work, prepared)


def _key(job: Job) -> str:
    """A name that no other run has: its file is named after settings, code and seed."""
    return "/".join((*job.file.with_suffix("").parts[-4:], *["predictions"] * job.keeps_predictions))


def _keep(job: Job, result: dict[str, Any]) -> None:
    """Write what a run has returned into its files; its predictions are then no part of the result any more."""
    if predictions := result.pop("predictions", {}):
        with atomic_file(job.predictions) as temporary, temporary.open("wb") as file:
            np.savez_compressed(file, **predictions)
    values = result["metrics"].items()
    metrics = {name: value if np.isfinite(value) else None for name, value in values}
    content = {"experiment": job.experiment, "seed": job.resolved.seed, **result}
    write_json(job.file, content | {"metrics": metrics})


def summarize(project: Project, published: Mapping[str, PublishedValues], folder: Path) -> "pd.DataFrame":
    """The statistics over seeds of each experiment of params.yaml that was run, and where its published value lies.

    Returns:
        A table with the columns experiment, splits, metric, seeds, mean, sd, low, high (95 % t interval of the mean;
        with splits, of the corrected resampled t test), least, most, published, z (of the published value: standard
        deviations from the mean), inside (whether the published value lies between least and most), settings (a hash
        of those that it was run with).
    """
    import pandas as pd

    rows: list[dict[str, Any]] = []
    for name in project.experiments | project.transfers:
        for splits in (False, True):
            series = Series(name, resolve(project, name, {}), project.runtime, splits)
            rows += _summary_rows(series, series.metrics(folder), published[name].metrics if name in published else {})
    return pd.DataFrame(rows, columns=list(COLUMNS))


def read_summary(file: Path | TextIO) -> "pd.DataFrame":
    """Read reports/replication.csv, as `summarize` made it; files of earlier versions have no `settings`.

    Raises:
        ModelyardError: it is something else.
    """
    import pandas as pd

    try:
        table = pd.read_csv(file, dtype={"settings": str})  # a hash can look like a number
        return table.assign(settings=table.get("settings"))[list(COLUMNS)]
    except (KeyError, ValueError) as error:
        raise ModelyardError(f"reports/replication.csv: not what `modelyard replicate` writes ({error})") from None


def with_earlier_rows(summary: "pd.DataFrame", file: Path, project: Project) -> "pd.DataFrame":
    """A summary, completed with the rows of an earlier one in `file` for experiments that are not in it.

    Rows of more seeds with the same settings stay in place of its own, which may be of a replication that was stopped.
    """
    import pandas as pd

    if not file.exists():
        return summary
    try:
        rows = read_summary(file).to_dict("records")
    except ModelyardError as error:
        print(f"warning: {error}; it is written again", file=sys.stderr)  # noqa: T201
        return summary
    ours = summary.to_dict("records")
    new = {_of(row): row for row in ours}
    earlier = [
        row
        for row in rows
        if row["experiment"] in project.all_experiments and (_of(row) not in new or _has_more_seeds(row, new[_of(row)]))
    ]
    kept = {_of(row): row for row in earlier}
    for of in kept.keys() & new.keys():
        print(  # noqa: T201
            f"note: {file} keeps the {kept[of]['seeds']} seeds that it has of {of[0]}, which are more than "
            f"{new[of]['seeds']}",
            file=sys.stderr,
        )
    return pd.DataFrame([*(row for row in ours if _of(row) not in kept), *earlier], columns=list(COLUMNS))


def _of(row: Mapping[Any, Any]) -> tuple[str, bool]:
    """Of which runs a row is: the experiment, and whether each seed drew its own split."""
    return row["experiment"], bool(row["splits"])


def _has_more_seeds(row: Mapping[Any, Any], other: Mapping[Any, Any]) -> bool:
    return bool(row["settings"] == other["settings"] and row["seeds"] > other["seeds"])


def has_other_settings(row: Any, project: Project) -> bool:
    """Whether a summary's row is of settings that its experiment has no more, or that were not recorded."""
    import pandas as pd

    if pd.isna(row.settings):
        return True
    present = Series(row.experiment, resolve(project, row.experiment, {}), project.runtime, bool(row.splits))
    return bool(row.settings != present.settings_digest)


def published_text(row: Any) -> str:
    """The published value of a summary's row and where it lies among the runs, for example "0.96 outside, z +3.1"."""
    import pandas as pd

    if pd.isna(row.published):
        return ""
    z = "" if pd.isna(row.z) else f", z {row.z:+.1f}"
    return f"{row.published:.4g} {'inside' if row.inside else 'outside'}{z}"


def _summary_rows(
    series: Series, runs: dict[int, dict[str, float]], published: Mapping[str, float]
) -> Iterator[dict[str, Any]]:
    """One row per metric; none without runs."""
    measured = {name for run in runs.values() for name in run}
    for metric in metrics.shown_metrics(series.resolved.task, measured) if runs else ():
        values = np.array([run.get(metric, np.nan) for run in runs.values()])
        if not np.isfinite(values).all():
            seeds = ", ".join(str(seed) for seed, value in zip(runs, values, strict=True) if not np.isfinite(value))
            reason = f"no statistics of {metric}, because it is not finite with seed {seeds} (the training diverged)"
            print(f"warning: {series.experiment}: {reason}", file=sys.stderr)  # noqa: T201
            continue
        statistics, least, most = seed_statistics(values, series.test_ratio(metric)), values.min(), values.max()
        row = {"experiment": series.experiment, "splits": series.splits, "metric": metric, "seeds": len(values)}
        row |= statistics._asdict() | {"least": least, "most": most, "settings": series.settings_digest}
        value = published.get(metric)
        place = {} if value is None else place_of(value, statistics.mean, statistics.sd, least, most)._asdict()
        yield row | {"published": value} | place


def place_of(published: float, mean: float, sd: float | None, least: float, most: float) -> Place:
    """Where a published value lies among runs with these statistics; `sd` is 0 or None where they do not vary."""
    return Place((published - mean) / sd if sd else None, bool(least <= published <= most))
