"""Trains experiments over several seeds; each run is kept in a file, so that it is done once."""

import sys
import time
from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from modelyard import metrics
from modelyard.core.errors import ModelyardError
from modelyard.core.files import read_json, write_json
from modelyard.models import Runtime
from modelyard.orchestration.process_pool import Outcome, run_in_pool
from modelyard.params.claim import Changes, Side
from modelyard.params.project import Project, PublishedValues
from modelyard.params.results import METRICS
from modelyard.params.variants import ResolvedExperiment, digest, resolve
from modelyard.replication.seed_statistics import seed_statistics
from modelyard.replication.single_run import Job, code_checksums, prepared_inputs, train_and_evaluate

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


@dataclass(frozen=True)
class Series:
    """An experiment that is trained once per seed.

    Attributes:
        experiment: its name in params.yaml.
        resolved: its settings, `changes` included.
        runtime: how a training uses the machine.
        splits: whether each seed draws its own test samples as well.
        changes: where the settings differ from params.yaml.
    """

    experiment: str
    resolved: ResolvedExperiment
    runtime: Runtime
    splits: bool = False
    changes: Changes = field(default_factory=dict)

    @property
    def title(self) -> str:
        """The experiment and its changes, as text."""
        splits = ", each with its own split" if self.splits else ""
        return f"{Side(experiment=self.experiment, changes=self.changes)}{splits}"

    @cached_property
    def key(self) -> str:
        """A hash of everything that can change a metric: settings, runtime and code."""
        settings = {"resolved": self.resolved.to_dict(), "runtime": self.runtime.model_dump(), "splits": self.splits}
        return digest(settings | {"code": code_checksums()})

    def seed_offset(self, seed: int) -> int:
        """By how much the seed of a run exceeds that of params.yaml."""
        return seed - self.resolved.seed

    def metrics(self, folder: Path) -> dict[int, dict[str, float]]:
        """The metrics of each kept run, by seed."""
        return {seed: read_json(file)["metrics"] for seed, file in self.files(folder).items()}

    def files(self, folder: Path) -> dict[int, Path]:
        """The file of each kept run, by seed; `folder` holds the runs of all series."""
        files = (folder / self.experiment / self.key).glob("*.json")
        return dict(sorted((int(file.stem), file) for file in files if file.stem.isdecimal() and _is_kept(file)))

    def job(self, seed_offset: int, folder: Path) -> Job:
        """The run whose seeds exceed those of params.yaml by `seed_offset`."""
        resolved = self.resolved.with_seed_offset(seed_offset, self.splits)
        file = folder / self.experiment / self.key / f"{resolved.seed}.json"
        return Job(self.experiment, resolved, self.runtime, file)


def missing_jobs(wanted: Iterable[tuple[Series, int]], folder: Path) -> list[Job]:
    """The runs that `folder` lacks, of each series with its number of seeds; first those of the first seed."""
    jobs: dict[tuple[int, Path], Job] = {}
    for series, seeds in wanted:
        for offset in range(seeds):
            job = series.job(offset, folder)
            jobs[offset, job.file] = job
    return [jobs[each] for each in sorted(jobs) if not _is_kept(jobs[each].file)]


def _is_kept(file: Path) -> bool:
    """Whether a run was kept in this file; a damaged one counts as not run, and is replaced by the next run."""
    try:
        METRICS.validate_python(read_json(file)["metrics"])
    except (FileNotFoundError, KeyError, ModelyardError, TypeError, ValueError):
        return False
    return True


def run_jobs(jobs: Sequence[Job], raw: Path, workers: int, seconds: float) -> Generator[Outcome, None, None]:
    """Run jobs in parallel and keep the metrics of each in its file.

    Args:
        jobs: the runs to do.
        raw: a folder with a subfolder of raw files per data set.
        workers: the number of processes.
        seconds: the time after which runs that have not ended are stopped.

    Yields:
        The outcome of each run as it ends.
    """
    end = time.monotonic() + seconds
    with prepared_inputs(jobs, raw) as prepared:
        for outcome in run_in_pool(train_and_evaluate, prepared, workers, end - time.monotonic()):
            job = outcome.job.job
            if not outcome.error:
                write_json(job.file, {"experiment": job.experiment, "seed": job.resolved.seed, **outcome.result})
            yield Outcome(job, outcome.result, outcome.error)


def summarize(project: Project, published: Mapping[str, PublishedValues], folder: Path) -> "pd.DataFrame":
    """The statistics over seeds of each experiment of params.yaml that was run, and where its published value lies.

    Returns:
        A table with the columns experiment, splits, metric, seeds, mean, sd, low, high (95 % t interval of the mean),
        least, most, published, z (of the published value: standard deviations from the mean), inside (whether the
        published value lies between least and most).
    """
    import pandas as pd

    rows: list[dict[str, Any]] = []
    for name in project.experiments | project.transfers:
        for splits in (False, True):
            series = Series(name, resolve(project, name, {}), project.runtime, splits)
            rows += _summary_rows(series, series.metrics(folder), published[name].metrics if name in published else {})
    return pd.DataFrame(rows, columns=list(COLUMNS))


def with_earlier_rows(summary: "pd.DataFrame", file: Path, project: Project) -> "pd.DataFrame":
    """A summary, completed with the rows of an earlier one in `file` for experiments that are not in it."""
    import pandas as pd

    if not file.exists():
        return summary
    try:
        rows = pd.read_csv(file)[list(COLUMNS)].to_dict("records")
    except (KeyError, ValueError) as error:
        print(f"warning: {file} is not readable and is written anew ({error})", file=sys.stderr)  # noqa: T201
        return summary
    known = set(zip(summary.experiment, summary.splits, strict=True))
    earlier = [
        row
        for row in rows
        if (row["experiment"], row["splits"]) not in known and row["experiment"] in project.all_experiments
    ]
    return pd.DataFrame([*summary.to_dict("records"), *earlier], columns=list(COLUMNS))


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
    for metric in metrics.shown_metrics(series.resolved.task) if runs else ():
        values = np.array([run[metric] for run in runs.values()])
        row = {"experiment": series.experiment, "splits": series.splits, "metric": metric, "seeds": len(values)}
        row |= seed_statistics(values)._asdict() | {"least": values.min(), "most": values.max()}
        value = published.get(metric)
        yield row | {"published": value} | ({} if value is None else _compare(value, values))


def _compare(published: float, values: np.ndarray) -> dict[str, Any]:
    """Where a published value lies among those of the runs."""
    from scipy.stats import zmap

    varies = len(values) > 1 and np.ptp(values) > 0
    z = zmap(published, values, ddof=1).item() if varies else None
    return {"z": z, "inside": bool(values.min() <= published <= values.max())}
