"""Experiments over seeds; each run is kept in a file of its own, so that what was run is not run again."""

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from modelyard import metrics
from modelyard.core.files import read_json, write_json
from modelyard.models import Runtime
from modelyard.orchestration.process_pool import Outcome, outcomes
from modelyard.params.claim import Changes, Side
from modelyard.params.project import Project, PublishedValues
from modelyard.params.variants import ResolvedExperiment, digest, resolve
from modelyard.replication.seed_statistics import seed_statistics
from modelyard.replication.single_run import Job, code, prepared_inputs, train_and_evaluate

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
    """An experiment that is run over seeds; `splits`: each seed draws its test rows as well.

    `changes` say in which settings the resolved differs from params.yaml.
    """

    experiment: str
    resolved: ResolvedExperiment
    runtime: Runtime
    splits: bool = False
    changes: Changes = field(default_factory=dict)

    @property
    def title(self) -> str:
        """The experiment and what differs from params.yaml, in words."""
        drawn = ", each with its own split" if self.splits else ""
        return f"{Side(experiment=self.experiment, changes=self.changes)}{drawn}"

    @cached_property
    def key(self) -> str:
        """The name of its settings and of the code: whatever changes a figure changes it."""
        described = {"resolved": self.resolved.to_dict(), "runtime": self.runtime.model_dump(), "splits": self.splits}
        return digest(described | {"code": code()})

    def number(self, seed: int) -> int:
        """How much higher a run's seed is than that of params.yaml."""
        return seed - self.resolved.seed

    def runs(self, kept: Path) -> dict[int, dict[str, float]]:
        """The figures of each run that is kept, by its seed."""
        return {seed: read_json(file)["figures"] for seed, file in self.files(kept).items()}

    def files(self, kept: Path) -> dict[int, Path]:
        """The file of each run that is kept, by its seed."""
        found = {int(path.stem): path for path in (kept / self.experiment / self.key).glob("*.json")}
        return dict(sorted(found.items()))

    def job(self, number: int, kept: Path) -> Job:
        """The run whose seeds are `number` higher than those of params.yaml."""
        resolved = self.resolved.with_seed_offset(number, self.splits)
        return Job(self.experiment, resolved, self.runtime, kept / self.experiment / self.key / f"{resolved.seed}.json")


def missing_jobs(wanted: Iterable[tuple[Series, int]], kept: Path) -> list[Job]:
    """The jobs that so many runs of each series still need: a run of every series before the second of any."""
    jobs: dict[tuple[int, Path], Job] = {}
    for series, count in wanted:
        for number in range(count):
            job = series.job(number, kept)
            jobs[number, job.file] = job
    return [jobs[each] for each in sorted(jobs) if not jobs[each].file.exists()]


def run_jobs(jobs: Sequence[Job], raw: Path, workers: int, seconds: float) -> Iterator[Outcome]:
    """Run jobs side by side, keep their figures, tell of each; what is not done after `seconds` is stopped.

    Folder `raw` holds a folder of raw files for each data set.
    """
    ends = time.monotonic() + seconds
    with prepared_inputs(jobs, raw) as ready:
        for outcome in outcomes(train_and_evaluate, ready, workers, ends - time.monotonic()):
            job = outcome.job.job
            if not outcome.error:
                write_json(job.file, {"experiment": job.experiment, "seed": job.resolved.seed, **outcome.result})
            yield Outcome(job, outcome.result, outcome.error)


def summary(project: Project, published: Mapping[str, PublishedValues], kept: Path) -> "pd.DataFrame":
    """What the runs of each experiment come to, and where the published figure lies among them.

    Columns: experiment, splits, metric, seeds, mean, sd, low, high (95 % t interval of the mean), least, most,
    published, z (of the published figure, in standard deviations from the mean), inside (from least to most).
    """
    import pandas as pd

    rows = []
    for name in project.experiments | project.transfers:
        for splits in (False, True):
            series = Series(name, resolve(project, name, {}), project.runtime, splits)
            rows += _summaries(series, series.runs(kept), published[name].metrics if name in published else {})
    return pd.DataFrame(rows, columns=list(COLUMNS))


def with_earlier_rows(summary: "pd.DataFrame", file: Path, project: Project) -> "pd.DataFrame":
    """A summary, and of an earlier one in a file the lines of experiments that are not in it."""
    import pandas as pd

    if not file.exists():
        return summary
    known = set(zip(summary.experiment, summary.splits, strict=True))
    earlier = [
        line
        for line in pd.read_csv(file).to_dict("records")
        if (line["experiment"], line["splits"]) not in known and line["experiment"] in project.all_experiments
    ]
    return pd.DataFrame([*summary.to_dict("records"), *earlier], columns=list(COLUMNS))


def published_text(row: Any) -> str:
    """A row's published figure, and where it lies among ours."""
    if row.published is None or row.published != row.published:  # NaN, where others of the table have one
        return ""
    z = f", z {row.z:+.1f}" if row.z == row.z and row.z is not None else ""
    return f"{row.published:.4g} {'inside' if row.inside else 'outside'}{z}"


def _summaries(
    series: Series, runs: dict[int, dict[str, float]], published: Mapping[str, float]
) -> Iterator[dict[str, Any]]:
    """One row a metric, none where nothing was run."""
    for metric in metrics.shown_metrics(series.resolved.task) if runs else ():
        values = np.array([figures[metric] for figures in runs.values()])
        said = published.get(metric)
        row = {"experiment": series.experiment, "splits": series.splits, "metric": metric, "seeds": len(values)}
        row |= seed_statistics(values)._asdict() | {"least": values.min(), "most": values.max()}
        yield row | {"published": said} | ({} if said is None else _place(said, values))


def _place(published: float, values: np.ndarray) -> dict[str, Any]:
    """Where a published figure lies among ours."""
    from scipy.stats import zmap

    varies = len(values) > 1 and np.ptp(values) > 0
    z = zmap(published, values, ddof=1).item() if varies else None
    return {"z": z, "inside": bool(values.min() <= published <= values.max())}
