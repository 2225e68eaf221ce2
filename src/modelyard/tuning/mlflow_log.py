"""A study in MLflow: one run for it, and one beneath for each trial that has ended."""

import json
from collections.abc import Iterator
from itertools import accumulate
from pathlib import Path

from optuna import Study
from optuna.trial import FrozenTrial, TrialState

from modelyard.tracking import nested_runs
from modelyard.tracking.nested_runs import CompletedRun, LoggedMetric
from modelyard.tuning.results import StudyResults, epochs_run, find, reason, seconds

STATUS = {TrialState.COMPLETE: "FINISHED", TrialState.PRUNED: "KILLED", TrialState.FAIL: "FAILED"}


def write(study: Study, report: Path | None = None) -> None:
    """Write what is not in the diary yet; `report`, a folder, goes with it.

    Pruned trials are shown as killed, failed ones as failed with the reason. A study whose trials have not ended
    leaves nothing.
    """
    found = find(study)
    ended = [trial for trial in found.trials if trial.state in STATUS and trial.datetime_start]
    if ended:
        whole = _whole(found, ended)
        group = f"study {found.study} {whole.start_time.isoformat()}"  # a study begun anew may have the same name
        nested_runs.nested_run_writer().write(group, whole, [_part(found, trial) for trial in ended], report)


def _whole(found: StudyResults, ended: list[FrozenTrial]) -> CompletedRun:
    vary = {f"vary.{key}": json.dumps(variation) for key, variation in found.vary.items()}
    last = max(trial.datetime_complete for trial in ended)
    return CompletedRun(
        name=f"study {found.study}",
        status="FINISHED",
        start_time=min(trial.datetime_start for trial in found.trials if trial.datetime_start),
        end_time=last,
        params={
            "experiment": found.experiment,
            "metric": found.metric,
            "folds": found.space["folds"],
            "training_rows": found.space["training_rows"],
        }
        | vary,
        metrics=[*_progress(found), *(LoggedMetric(*each, len(ended), last) for each in _cost(found))],
        tags={"study": found.study, "mlflow.note.content": _note(found)},
    )


def _progress(found: StudyResults) -> Iterator[LoggedMetric]:
    """Each finished trial's score, and the best one so far, over the trial's number."""
    scores = [trial.value for trial in found.finished]
    for trial, best in zip(found.finished, accumulate(scores, max if found.up else min), strict=True):
        yield LoggedMetric("score", trial.value, trial.number, trial.datetime_complete)
        yield LoggedMetric("best_score", best, trial.number, trial.datetime_complete)


def _cost(found: StudyResults) -> Iterator[tuple[str, float]]:
    """What the search has cost and gained by now."""
    yield "trials_finished", len(found.finished)
    yield "trials_pruned", len(found.pruned)
    yield "trials_failed", len(found.failed)
    yield "epochs_spared", found.epochs_spared
    if found.gain is not None:
        yield "gain", found.gain


def _part(found: StudyResults, trial: FrozenTrial) -> CompletedRun:
    curve = [(found.metric, value, step) for step, value in sorted(trial.intermediate_values.items())]
    score = [(found.metric, trial.value, 0)] if trial.value is not None and not curve else []
    cost = [("epochs", epochs_run(trial), 0), ("seconds", seconds(trial), 0)]
    why = {"error": reason(trial)} if trial.state is TrialState.FAIL else {}
    return CompletedRun(
        name=f"trial {trial.number}",
        status=STATUS[trial.state],
        start_time=trial.datetime_start,
        end_time=trial.datetime_complete,
        params=found.settings_of(trial),
        metrics=[LoggedMetric(*each, trial.datetime_complete) for each in [*curve, *score, *cost]],
        tags={"study": found.study, "state": trial.state.name.lower(), **_worker(trial), **why},
    )


def _worker(trial: FrozenTrial) -> dict[str, str]:
    return {name: str(trial.user_attrs[name]) for name in ("worker", "again") if name in trial.user_attrs}


def _note(found: StudyResults) -> str:
    """What MLflow shows on top of the run's page."""
    if found.best is None:
        return f"No trial of study {found.study} has finished yet."
    return f"Best of {len(found.trials)} trials: trial {found.best.number}, {found.metric} {found.best.value:.4g}."
