"""A study in MLflow: one run for it, and a nested run for each trial that has ended."""

import json
from collections.abc import Iterator
from datetime import datetime
from itertools import accumulate
from pathlib import Path
from typing import Literal

from optuna import Study
from optuna.trial import FrozenTrial, TrialState

from modelyard.tracking import nested_runs
from modelyard.tracking.nested_runs import CompletedRun, LoggedMetric
from modelyard.tuning.results import StudyResults, epochs_run, read_study, reason, score, seconds

STATUS: dict[TrialState, Literal["FINISHED", "KILLED", "FAILED"]] = {
    TrialState.COMPLETE: "FINISHED",
    TrialState.PRUNED: "KILLED",
    TrialState.FAIL: "FAILED",
}


def write(study: Study, report: Path | None = None) -> None:
    """Log what MLflow does not have yet of a study, with the folder `report` as its artifact.

    Pruned trials become killed runs, failed ones failed runs with the reason. A study without an ended trial is not
    logged.
    """
    results = read_study(study)
    ended = [trial for trial in results.trials if trial.state in STATUS and trial.datetime_start]
    if ended:
        parent = _study_run(results, ended)
        group = f"study {results.name} {parent.start_time.isoformat()}"  # studies of several storages can share a name
        nested_runs.nested_run_writer().write(group, parent, [_trial_run(results, trial) for trial in ended], report)


def _study_run(results: StudyResults, ended: list[FrozenTrial]) -> CompletedRun:
    search_space = {f"search_space.{key}": json.dumps(each) for key, each in results.search_space.items()}
    last = max(map(_end, ended))
    return CompletedRun(
        name=f"study {results.name}",
        status="FINISHED",
        start_time=min(trial.datetime_start for trial in results.trials if trial.datetime_start),
        end_time=last,
        params={
            "experiment": results.experiment,
            "metric": results.metric,
            "folds": results.space["folds"],
            "training_samples": results.space["training_samples"],
        }
        | search_space,
        metrics=[*_progress(results), *(LoggedMetric(*each, len(ended), last) for each in _totals(results))],
        tags={"study": results.name, "mlflow.note.content": _note(results)},
    )


def _progress(results: StudyResults) -> Iterator[LoggedMetric]:
    """Each finished trial's score and the best one so far, by the trial's number."""
    best_so_far = accumulate(map(score, results.finished), max if results.maximize else min)
    for trial, best in zip(results.finished, best_so_far, strict=True):
        yield LoggedMetric("score", score(trial), trial.number, _end(trial))
        yield LoggedMetric("best_score", best, trial.number, _end(trial))


def _totals(results: StudyResults) -> Iterator[tuple[str, float]]:
    yield "trials_finished", len(results.finished)
    yield "trials_pruned", len(results.pruned)
    yield "trials_failed", len(results.failed)
    yield "epochs_spared", results.epochs_spared
    if results.confirmed_gain:
        for name, value in results.confirmed_gain.items():
            yield f"gain_over_seeds_{name}", value


def _trial_run(results: StudyResults, trial: FrozenTrial) -> CompletedRun:
    curve = [(results.metric, value, step) for step, value in sorted(trial.intermediate_values.items())]
    final = [(results.metric, score(trial), 0)] if trial.values and not curve else []
    if trial.state is TrialState.COMPLETE:
        final.append(("score", score(trial), 0))  # that of the best epoch, which may not be the last of the curve
    sizes = zip(results.sizes, (trial.values or [])[1:], strict=False)  # none of a trial that has failed
    totals = [("epochs", epochs_run(trial), 0), ("seconds", seconds(trial), 0), *((*size, 0) for size in sizes)]
    error = {"error": reason(trial)} if trial.state is TrialState.FAIL else {}
    attributes = [name for name in ("worker", "again") if name in trial.user_attrs]
    return CompletedRun(
        name=f"trial {trial.number}",
        status=STATUS[trial.state],
        start_time=trial.datetime_start or _end(trial),
        end_time=_end(trial),
        params=results.settings_of(trial),
        metrics=[LoggedMetric(*each, _end(trial)) for each in [*curve, *final, *totals]],
        tags={
            "study": results.name,
            "state": trial.state.name.lower(),
            **{name: str(trial.user_attrs[name]) for name in attributes},
            **error,
        },
    )


def _end(trial: FrozenTrial) -> datetime:
    if trial.datetime_complete is None:
        raise ValueError(f"trial {trial.number} has not ended")
    return trial.datetime_complete


def _note(results: StudyResults) -> str:
    """The text that MLflow shows at the top of the run's page."""
    if results.best is None:
        return f"No trial of study {results.name} has finished yet."
    return (
        f"Best of {len(results.trials)} trials: trial {results.best.number}, {results.metric} "
        f"{score(results.best):.4g}."
    )
