"""The runs of both sides of a claim: those that are kept, or those of an earlier report."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from modelyard.metrics.bootstrap import variance_over_samples
from modelyard.params.claim import ClaimSettings, claim_from_report
from modelyard.params.project import Project
from modelyard.params.variants import resolve_sides
from modelyard.replication.series import KeptRun, Series, is_constant

FROM_REPORT = "runs of an earlier report"
OTHER_CODE = "runs of earlier code or settings"
UNKNOWN_CODE = "runs of code that was not recorded"
# Of a claim: what the values of its runs follow from; the others say how they are tested.
RUN_SETTINGS = {"first", "second", "changes", "metric", "splits", "crossed"}

Values = npt.NDArray[np.float64]
Sides = list[tuple[Series, int]]


@dataclass(frozen=True)
class PairedRuns:
    """A metric of both sides of a claim, each of shape (seeds,); NaN where a training diverged.

    Attributes:
        first: the values of the first side.
        second: those of the second.
        test_ratio: of re-drawn splits: the number of samples that a run is measured on, divided by the number that it
            is trained on; 0 if all runs are measured on the same samples.
        sample_variance: of a crossed design: the variance of the mean difference when the test samples, which all runs
            share, are drawn again; else 0.
        seconds: what a run of either side took, on average; None if it is not known.
        keys: the hashes of code, settings and runtime of both sides; None if they are not known.
        origin: empty for kept runs; else from where the values come.
        is_constant: whether no metric of either side varies over the seeds, which may then all be one observation.
        is_unmeasured: whether runs do not have this metric, not even as NaN.
    """

    first: Values
    second: Values
    test_ratio: float = 0.0
    sample_variance: float = 0.0
    seconds: tuple[float, float] | None = None
    keys: tuple[str, str] | None = None
    origin: str = ""
    is_constant: bool = False
    is_unmeasured: bool = False

    def __len__(self) -> int:
        return len(self.first)

    def take(self, count: int) -> "PairedRuns":
        """The first `count` pairs."""
        return replace(self, first=self.first[:count], second=self.second[:count])

    @property
    def differences(self) -> Values:
        """First minus second, seed by seed."""
        differences: Values = self.first - self.second
        return differences

    @property
    def diverged(self) -> int:
        """How many pairs have no finite difference."""
        return int(np.sum(~np.isfinite(self.differences)))


def paired_runs(project: Project, claim: ClaimSettings, folder: Path, seeds: int | None) -> PairedRuns:
    """The runs kept in `folder` for both sides of a claim: of `seeds` seeds, or of the number that the claim states."""
    sides = both_series(project, claim, seeds)
    kept = [series.runs(folder) for series, _ in sides]
    first, second = (
        {
            seed: run
            for seed, run in runs.items()
            if series.seed_offset(seed) < count and (run.is_complete or not claim.crossed)
        }
        for runs, (series, count) in zip(kept, sides, strict=True)
    )
    common = sorted(first.keys() & second.keys())
    first_values, second_values = (
        np.array([runs[seed].metrics.get(claim.metric, np.nan) for seed in common]) for runs in (first, second)
    )
    is_finite = np.isfinite(first_values - second_values).all()  # else it is not tested, and some predictions are NaN
    return PairedRuns(
        first_values,
        second_values,
        test_ratio=_test_ratio(sides, claim),
        sample_variance=_sample_variance(sides, claim, folder, common) if is_finite else 0.0,
        seconds=_both_or_none(*(_mean_seconds(runs[seed] for seed in common) for runs in (first, second))),
        keys=_keys(sides),
        is_constant=all(is_constant([run.metrics for run in runs.values()]) for runs in kept),
        is_unmeasured=any(_lacks(runs[common[0]], claim.metric) for runs in (first, second) if common),
    )


def reported_runs(project: Project, claim: ClaimSettings, entry: Mapping[str, Any]) -> PairedRuns:
    """The runs of a claim's entry in claims.json, with the splits of that time; none if it compares other runs now.

    Raises:
        ValueError: its sides have different numbers of values.
    """
    # Compared as JSON: lists of claims.yaml are tuples.
    now, then = (each.model_dump(mode="json", include=RUN_SETTINGS) for each in (claim, claim_from_report(entry)))
    first, second = (np.array(entry[side]["values"] if now == then else [], float) for side in ("first", "second"))
    if len(first) != len(second):
        raise ValueError("the sides have different numbers of values")
    sides = both_series(project, claim, None)
    keys = entry.get("keys") and (entry["keys"][0], entry["keys"][1])
    origin = _origin(keys, _keys(sides)) if len(first) else ""
    variance = entry.get("sample_variance", 0.0)
    seconds = _both_or_none(*(entry[side].get("seconds") for side in ("first", "second")))
    return PairedRuns(
        first,
        second,
        entry.get("test_ratio", _test_ratio(sides, claim)),
        variance,
        seconds,
        keys,
        origin,
        is_constant=entry.get("is_constant", False),
        is_unmeasured=entry.get("is_unmeasured", False),
    )


def both_series(project: Project, claim: ClaimSettings, seeds: int | None) -> Sides:
    """The series of both sides of a claim, each with its number of seeds."""
    names = map(str, (claim.first, claim.second))  # without the changes of both sides
    sides = zip(claim.sides, resolve_sides(project, claim), names, strict=True)
    return [
        (
            Series(side.experiment, resolved, project.runtime, claim.splits, side.changes, claim.crossed, name),
            seeds or claim.looks[-1],
        )
        for side, resolved, name in sides
    ]


def _test_ratio(sides: Sides, claim: ClaimSettings) -> float:
    return max(series.test_ratio(claim.metric) for series, _ in sides)


def _sample_variance(sides: Sides, claim: ClaimSettings, folder: Path, seeds: Sequence[int]) -> float:
    (first, _), (second, _) = sides
    if not claim.crossed or not seeds:
        return 0.0
    return variance_over_samples(
        (first.bound_metric(seed, claim.metric, folder), second.bound_metric(seed, claim.metric, folder))
        for seed in seeds
    )


def _lacks(run: KeptRun, metric: str) -> bool:
    """Whether a run has other metrics, but not this one: a training that diverged has none."""
    return metric not in run.metrics and any(map(np.isfinite, run.metrics.values()))


def _mean_seconds(runs: Iterable[KeptRun]) -> float | None:
    known = [run.seconds for run in runs if run.seconds is not None]
    return float(np.mean(known)) if known else None


def _both_or_none(first: float | None, second: float | None) -> tuple[float, float] | None:
    return None if first is None or second is None else (first, second)


def _keys(sides: Sides) -> tuple[str, str]:
    (first, _), (second, _) = sides
    return first.key, second.key


def _origin(then: tuple[str, str] | None, now: tuple[str, str]) -> str:
    if then is None:
        return UNKNOWN_CODE
    return FROM_REPORT if then == now else OTHER_CODE
