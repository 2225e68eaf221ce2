"""Confirms a search: its best configurations and its baseline, trained with seeds that the search did not use.

What an earlier search has written into params.yaml is trained with them, because a new winner would replace it.

All are compared on validation samples, as the search compared them, so that the choice needs no test sample.
"""

import sys
from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from modelyard.core.errors import ModelyardError
from modelyard.params.claim import Changes
from modelyard.params.project import Project
from modelyard.params.study import SEED, tuned_name
from modelyard.params.variants import resolve
from modelyard.replication.claims import ALPHA
from modelyard.replication.paired_tests import p_value_above
from modelyard.replication.seed_statistics import seed_statistics
from modelyard.replication.series import Series, is_constant

SEEDS = 5
NARROW = "Narrow the search space, and search again with --new."

Values = npt.NDArray[np.float64]


class Configuration(NamedTuple):
    """A trial of a search: its number, None for the baseline, and its settings by dotted key."""

    trial: int | None
    settings: Changes


@dataclass(frozen=True)
class Score:
    """How the metric is compared: its name, and whether a higher value is better."""

    metric: str
    higher_is_better: bool


def series_of(project: Project, experiment: str, configuration: Configuration) -> Series:
    """The series of a configuration; its seeds are those that follow the seed of the search.

    Raises:
        ModelyardError: params.yaml has no such experiment any more, or refuses a setting.
    """
    changes = {**configuration.settings, SEED: first_seed(project, experiment)}
    name = experiment if configuration.trial is None else f"{experiment} trial {configuration.trial}"
    return Series(experiment, resolve(project, experiment, changes), project.runtime, changes=changes, name=name)


def first_seed(project: Project, experiment: str) -> int:
    """The first seed that the search did not use."""
    return project.all_experiments[experiment].training.seed + 1


def series_of_tuned(
    project: Project, experiment: str, inputs: Container[str], others: Iterable[Series]
) -> Series | None:
    """The series of the tuned experiment that params.yaml has, with the seeds of `series_of`.

    None if there is none, if it has no input of the search, whose samples differ, or if its settings are those of one
    of `others`.
    """
    name = tuned_name(experiment)
    if name not in project.all_experiments or project.all_experiments[name].input not in inputs:
        return None
    changes = {SEED: first_seed(project, experiment)}
    tuned = Series(name, resolve(project, name, changes), project.runtime, changes=changes)
    return None if tuned.key in {each.key for each in others} else tuned


def confirm(
    baseline: Series,
    candidates: Iterable[tuple[Configuration, Series]],
    score: Score,
    runs: Path,
    tuned: Series | None = None,
) -> dict[str, Any]:
    """Rank the candidates by their mean over seeds, and compare each with the baseline, paired by seed.

    A candidate with a training that diverged is reported, and comes last with a p value of 1: it wins nothing, and the
    others are corrected for it all the same.

    Args:
        baseline: the experiment unchanged.
        candidates: the best trials.
        score: what is compared.
        runs: the folder of the kept runs of all of them.
        tuned: the tuned experiment of params.yaml, if it is none of the others.

    Returns:
        What is stored with the study, ready for JSON: `seeds`, `baseline` and `candidates`, the best first; each with
        its `trial`, the `values` by seed and their `mean`. A candidate also has its `difference` from the baseline
        (mean, sd, low, high) and the `p_value` of "better than the baseline", with Holm's correction over the
        candidates; it is NaN where no metric of either varies with the seed, so that all may be one observation. Where
        a training diverged, its value, the mean and the difference are NaN. `tuned`, where there is one, has its
        `experiment`, `values`, `mean` and `difference`.

    Raises:
        ModelyardError: a run of the baseline or of every candidate diverged, so that there is nothing to compare.
    """
    from statsmodels.stats.multitest import multipletests

    of_baseline = baseline.metrics(runs)
    seeds = list(of_baseline)[:SEEDS]
    reference = _values(of_baseline, score.metric, seeds)
    if not np.isfinite(reference).all():
        raise ModelyardError(
            f"the baseline {_diverged(reference, score.metric, seeds)}: there is nothing to compare. {NARROW}"
        )
    sign = 1.0 if score.higher_is_better else -1.0
    entries, p_values, constant = [], [], list[bool]()
    for configuration, series in candidates:
        kept = series.metrics(runs)
        values = _values(kept, score.metric, seeds)
        is_finite = np.isfinite(values).all()
        if not is_finite:
            reason = f"trial {configuration.trial} {_diverged(values, score.metric, seeds)}: it comes last"
            print(f"warning: {reason}", file=sys.stderr)  # noqa: T201
        entries.append(_compared(values, reference) | {"trial": configuration.trial})
        constant.append(all(is_constant([*metrics.values()]) for metrics in (of_baseline, kept)))
        p_values.append(float(p_value_above(sign * (values - reference), 0.0)) if is_finite else 1.0)
    if not any(np.isfinite(entry["mean"]) for entry in entries):
        raise ModelyardError(f"a training of each candidate diverged: there is nothing to compare. {NARROW}")
    corrected = np.where(constant, np.nan, multipletests(p_values, alpha=ALPHA, method="holm")[1])
    ranked = sorted(
        ({**entry, "p_value": float(p_value)} for entry, p_value in zip(entries, corrected, strict=True)),
        key=lambda entry: (bool(np.isnan(entry["mean"])), -sign * entry["mean"]),
    )
    confirmed = {"seeds": seeds, "baseline": _entry(reference), "candidates": ranked}
    if tuned:
        values = _values(tuned.metrics(runs), score.metric, seeds)
        confirmed["tuned"] = _compared(values, reference) | {"experiment": tuned.experiment}
    return confirmed


def _entry(values: Values) -> dict[str, Any]:
    return {"values": values.tolist(), "mean": float(np.mean(values))}


def _compared(values: Values, reference: Values) -> dict[str, Any]:
    return _entry(values) | {"difference": seed_statistics(values - reference)._asdict()}


def _values(kept: Mapping[int, Mapping[str, float]], metric: str, seeds: Sequence[int]) -> Values:
    """A metric of each seed; NaN where the training diverged."""
    return np.array([kept[seed].get(metric, np.nan) for seed in seeds])


def _diverged(values: Values, metric: str, seeds: Sequence[int]) -> str:
    """What is wrong with values that are not all finite, as text."""
    return (
        f"has no finite {metric} with seed {seeds[int(np.argmin(np.isfinite(values)))]}, because the training diverged"
    )
