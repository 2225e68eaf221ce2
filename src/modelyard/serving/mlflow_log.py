"""Logs a check of new samples to MLflow, as one run."""

from datetime import datetime
from pathlib import Path
from secrets import token_hex

from modelyard.serving.check import DriftReport
from modelyard.tracking import nested_runs
from modelyard.tracking.nested_runs import CompletedRun, LoggedMetric


def write(report: DriftReport, folder: Path, start: datetime, end: datetime) -> None:
    """Log a check; the files of a folder become its artifact `report`."""
    values = {f"effect {each.test.feature}": each.test.effect for each in report.tests}
    values |= {"samples": report.rows, "drifted_features": len(report.drifted)}
    if report.metric and report.metric.is_comparable:
        values[f"new_{report.metric.metric}"] = report.metric.after
    run = CompletedRun(
        name=f"check {report.model}",
        status="FINISHED",
        start_time=start,
        end_time=end,
        params={"model": report.model, "alpha": report.alpha},
        metrics=[LoggedMetric(_metric_name(name), value, 0, end) for name, value in values.items()],
        tags={"kind": "check", "alarm": str(report.is_alarm).lower(), "mlflow.note.content": verdict(report)},
    )
    nested_runs.nested_run_writer().write(f"check {token_hex(8)}", run, [], folder)


def verdict(report: DriftReport) -> str:
    """What a check has found, in two sentences at most."""
    count = len(report.drifted)
    have = "has" if count == 1 else "have"
    drift = f"{count} of {len(report.tests)} features {have} drifted" if count else "No data drift was found"
    sentences = [f"{drift}: {', '.join(report.drifted)}." if count else f"{drift}."]
    if (change := report.metric) and not change.is_comparable:
        sentences.append(
            f"The {change.metric} cannot be compared: {change.rows} new samples are too few for it, or all their true "
            "answers or all predictions are equal."
        )
    elif change:
        words = "has fallen by more than chance" if change.has_fallen else "has not fallen by more than chance"
        low, high = change.interval
        sentences.append(
            f"The {change.metric} {words}: {change.after:.4g} on {change.rows} new samples, {change.before:.4g} on the "
            f"test samples (99 % interval of the difference {low:+.4g} to {high:+.4g})."
        )
    return " ".join(sentences)


def _metric_name(name: str) -> str:
    """A name that MLflow accepts: letters, digits and some signs."""
    return "".join(letter if letter.isalnum() or letter in "_-./ :" else "_" for letter in name)
