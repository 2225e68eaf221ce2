"""Compares a rebuild with the results in dvc.lock: their bytes, else their metrics, and why they differ."""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from modelyard import metrics
from modelyard.core.errors import ModelyardError
from modelyard.metrics.bootstrap import CONFIDENCE
from modelyard.orchestration import dvc_lock
from modelyard.orchestration.dvc_lock import LockedStage
from modelyard.params.claim import FEWEST_PAIRS as FEWEST_SEEDS
from modelyard.params.project import Project
from modelyard.params.results import ExperimentResults, evaluate_stage, export_stage, results_of, train_stage
from modelyard.replication.series import has_other_settings, read_summary
from modelyard.tracking import lineage

ROUNDING = 1e-9  # relative: values that differ by less are equal but for rounding
NOTHING = "nothing"


class RebuildVerdict(StrEnum):
    """How a rebuild compares with the results in dvc.lock."""

    EQUAL = "equal bytes"
    WITHIN = "equal within the spread"
    DIFFERENT = "different"
    FAILED = "not rebuilt"


@dataclass(frozen=True)
class Verification:
    """The verdict on one experiment.

    Attributes:
        experiment: its name.
        verdict: the verdict.
        files: how many outputs were compared.
        differing: the outputs that differ.
        metrics: each metric that differs, with the range that is expected, as text.
        reasons: why the rebuild differs, or failed.
    """

    experiment: str
    verdict: RebuildVerdict
    files: int = 0
    differing: tuple[str, ...] = ()
    metrics: tuple[str, ...] = ()
    reasons: tuple[str, ...] = ()


class Spread(NamedTuple):
    """The range in which a metric of another run is expected, and what it is."""

    low: float
    high: float
    source: str


def check_names(project: Project, names: Collection[str], root: Path) -> None:
    """Refuse experiments that cannot be verified.

    Raises:
        ModelyardError: there is no such experiment, it starts from downloaded weights, or it was never built.
    """
    for name in names:
        section = project.section_of(name)
        if section == "pretrained":
            raise ModelyardError(f"{name} starts from downloaded weights, and only `modelyard run` builds it")
        for stage in (train_stage(section, name), evaluate_stage(section, name)):
            if not dvc_lock.read(root, [stage]):
                raise ModelyardError(
                    f"{dvc_lock.LOCK} has no {stage}: there is no result to compare with. Run: modelyard run {name}"
                )


def own_stages(project: Project, experiment: str, root: Path) -> list[str]:
    """The stages whose outputs are compared: train, evaluate, and export where dvc.lock has it."""
    section = project.section_of(experiment)
    export = export_stage(section, experiment)
    exported = [export] if dvc_lock.read(root, [export]) else []
    return [train_stage(section, experiment), evaluate_stage(section, experiment), *exported]


def compare(project: Project, experiment: str, root: Path, rebuilt: Path, upstream: Collection[str]) -> Verification:
    """Compare a rebuild of an experiment with its results.

    Args:
        project: params.yaml.
        experiment: the name.
        root: the project, with dvc.lock, the results, and the reports that have the spread.
        rebuilt: the folder of the rebuild.
        upstream: every stage that the rebuild needed, in the order in which they ran.

    Raises:
        ModelyardError: metrics.json is not what dvc.lock has, or a file is not readable.
    """
    own = own_stages(project, experiment, root)
    before, after = dvc_lock.read(root, upstream), dvc_lock.read(rebuilt, upstream)
    then = {path: md5 for stage in own for path, md5 in before[stage].outs.items()}
    now = {path: md5 for stage in own for path, md5 in after[stage].outs.items()}
    differing = tuple(path for path in sorted(then | now) if then.get(path) != now.get(path))
    if not differing:
        return Verification(experiment, RebuildVerdict.EQUAL, len(now))
    dvc_lock.verified_output(own[1], "metrics.json", root)
    texts, within = _compare_metrics(project, experiment, root, rebuilt)
    verdict = RebuildVerdict.WITHIN if within else RebuildVerdict.DIFFERENT
    reasons = [
        *_code_and_settings(before, after),
        *_environment({stage: before[stage] for stage in own[:2]}, project, root),  # that of export is not recorded
    ]
    if not reasons:
        reasons = ["none found: code, settings, versions and processor are those of the recorded build"]
    return Verification(experiment, verdict, len(then | now), differing, tuple(texts), tuple(reasons))


def _compare_metrics(project: Project, experiment: str, root: Path, rebuilt: Path) -> tuple[list[str], bool]:
    """The metrics that differ, as text, and whether all lie in the range that is expected."""
    results, again = results_of(project, experiment, root), results_of(project, experiment, rebuilt)
    measured = [name for name in results.metrics if name in results.intervals]
    compared = dict.fromkeys([*metrics.shown_metrics(project.task_of(experiment), measured), *measured])
    old, new = results.compared(compared), again.metrics
    count = len({old[metric][0] for metric in compared})  # the loss of a regression is its mse
    texts, within = [], True
    for metric in compared:
        then, now = old[metric][0], new.get(metric, np.nan)
        if _are_equal(then, now):
            continue
        spread = _spread(results, project, experiment, metric, count, root)
        inside = spread.low <= now <= spread.high or _are_equal(now, spread.low) or _are_equal(now, spread.high)
        within &= inside
        texts.append(
            f"{metric} {then:.9g} -> {now:.9g}, {'inside' if inside else 'outside'} {spread.low:.6g} to "
            f"{spread.high:.6g} ({spread.source})"
        )
    return texts or ["all metrics are equal"], within


def _are_equal(first: float, second: float) -> bool:
    return bool(np.isclose(first, second, rtol=ROUNDING, atol=0.0))


def _spread(
    results: ExperimentResults, project: Project, experiment: str, metric: str, count: int, root: Path
) -> Spread:
    """Where a metric, one of so many, is expected with another seed; without enough seeds, its confidence interval."""
    from scipy.stats import t

    row = _over_seeds(project, experiment, metric, root)
    if row is None:
        return Spread(*results.intervals[metric], f"{CONFIDENCE:.0%} confidence interval; no {FEWEST_SEEDS} seeds")
    # Prediction interval of one more value of a normal distribution; Bonferroni, because one metric outside decides.
    outside = (1 - CONFIDENCE) / count
    half = t.ppf(1 - outside / 2, row.seeds - 1) * row.sd * np.sqrt(1 + 1 / row.seeds)
    source = f"{CONFIDENCE:.0%} of runs with other seeds have all {count} metrics inside, by {row.seeds} seeds"
    return Spread(row.mean - half, row.mean + half, source)


def _over_seeds(project: Project, experiment: str, metric: str, root: Path) -> Any | None:
    """The row of reports/replication.csv of a metric at equal test samples and settings, if it has enough seeds."""
    file = root / "reports" / "replication.csv"
    if not file.exists():
        return None
    table = read_summary(file)
    rows = table[(table.experiment == experiment) & (table.metric == metric) & ~table.splits.astype(bool)]
    enough = rows[rows.seeds >= FEWEST_SEEDS].itertuples()
    return next((row for row in enough if not has_other_settings(row, project)), None)


def _code_and_settings(before: Mapping[str, LockedStage], after: Mapping[str, LockedStage]) -> Iterator[str]:
    """Each file, value and prepared input that is not what dvc.lock has; once, however many stages need it."""
    made = {path for stage in after.values() for path in stage.outs}
    found: dict[str, None] = {}
    for name, now in after.items():
        then = before.get(name, LockedStage({}, {}))
        for path in sorted(now.deps.keys() | then.deps.keys()):
            if path not in made and now.deps.get(path) != then.deps.get(path):
                found[f"{path} is not the file that the result was built with"] = None
        for key in sorted(now.params.keys() | then.params.keys()):
            if now.params.get(key, NOTHING) != then.params.get(key, NOTHING):
                found[f"{key}: {then.params.get(key, NOTHING)} -> {now.params.get(key, NOTHING)}"] = None
    if not found:  # else it follows from these
        for name, now in after.items():
            if name.startswith("normalise@") and name in before and now.outs != before[name].outs:
                found[f"{name} prepares other samples from the same files"] = None
    yield from found


def _environment(stages: Mapping[str, LockedStage], project: Project, root: Path) -> Iterator[str]:
    """How this machine differs from the one that is recorded for the results of these stages."""
    here = lineage.describe(project.runtime)
    found: dict[str, None] = {}
    for stage, locked in stages.items():
        recorded = lineage.recorded(stage, locked, root)
        if recorded is None:
            found[f"{lineage.FILE} does not have the machine and versions of the build"] = None
            continue
        found |= dict.fromkeys(lineage.differences(recorded, here))
    yield from sorted(found)
