"""Logs a check of new samples to MLflow, as one run."""

import itertools
from collections.abc import Iterable, Iterator
from datetime import datetime
from pathlib import Path
from secrets import token_hex

from modelyard.serving.check import DriftReport
from modelyard.serving.drift import NewMetric
from modelyard.tracking import nested_runs
from modelyard.tracking.nested_runs import CompletedRun, LoggedMetric

LONGEST = 250  # characters that MLflow takes of a metric's name


def write(report: DriftReport, folder: Path, start: datetime, end: datetime) -> None:
    """Log a check; the files of a folder become its artifact `report`."""
    values: dict[str, float] = {"samples": report.rows, "drifted_features": len(report.drifted)}
    if report.metric and report.metric.is_comparable:
        values[f"new_{report.metric.metric}"] = report.metric.after
    effects = _metric_names([f"effect {each.test.feature}" for each in report.tests])
    values |= zip(effects, (each.test.effect for each in report.tests), strict=True)
    run = CompletedRun(
        name=f"check {report.model}",
        status="FINISHED",
        start_time=start,
        end_time=end,
        params={"model": report.model, "alpha": report.alpha},
        metrics=[LoggedMetric(name, value, 0, end) for name, value in values.items()],
        tags={"kind": "check", "alarm": str(report.is_alarm).lower(), "mlflow.note.content": verdict(report)},
    )
    nested_runs.nested_run_writer().write(f"check {token_hex(8)}", run, [], folder)


def verdict(report: DriftReport) -> str:
    """What a check has found, and which samples that is not about, in a few sentences."""
    count, left_out = len(report.drifted), ", and ".join(_left_out(report))
    if count:
        features, outputs = (len(measured.columns) for measured in report.measured)
        of = f"{len(report.tests)} tests of {count_of(features, 'feature')} and {count_of(outputs, 'output')}"
        sentences = [f"{count} of {of} {'finds' if count == 1 else 'find'} drift: {', '.join(report.drifted)}."]
        sentences += [f"But {left_out}."] if left_out else []
    else:
        sentences = [f"No data drift was found{f', but {left_out}' if left_out else ''}."]
    if report.metric:
        sentences.append(_metric_verdict(report.metric, report.compared))
    return " ".join(sentences)


def count_of(number: int, noun: str) -> str:
    """A number and its noun."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def _left_out(report: DriftReport) -> Iterator[str]:
    """What the check is not about, as clauses."""
    if report.incomplete:
        yield (
            f"{report.incomplete} of {report.compared} samples lack a value that the model must have, so that it does "
            "not answer them"
        )
    if report.unread:
        what = "sample or file" if report.unread == 1 else "samples or files"
        yield f"{report.unread} more {what} could not be read (see the errors)"


def _metric_verdict(change: NewMetric, compared: int) -> str:
    new = count_of(change.rows, "new sample")
    if change.rows < compared:
        new = f"those {change.rows} of {compared} new samples that have a true target and a prediction"
    if not change.is_comparable:
        return (
            f"The {change.metric} cannot be compared on {new}: they are too few for it, or their true targets or "
            "predictions are all equal."
        )
    words = "has fallen by more than chance" if change.has_fallen else "has not fallen by more than chance"
    low, high = change.interval
    return (
        f"The {change.metric} {words}: {change.after:.4g} on {new}, {change.before:.4g} on the test samples (99 % "
        f"interval of the difference {low:+.4g} to {high:+.4g})."
    )


def _metric_names(names: Iterable[str]) -> list[str]:
    """Names that MLflow accepts, each for one: letters, digits and some signs, but no /, which would be a folder's."""
    found: dict[str, None] = {}  # in their order
    for name in names:
        plain = "".join(letter if letter.isalnum() or letter in "_-. :" else "_" for letter in name)
        endings = itertools.chain([""], (f" {number}" for number in itertools.count(2)))
        found[next(each for ending in endings if (each := plain[: LONGEST - len(ending)] + ending) not in found)] = None
    return list(found)
