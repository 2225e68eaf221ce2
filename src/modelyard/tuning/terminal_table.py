"""A study's trials as a table in the terminal."""

from optuna import Study
from optuna.trial import FrozenTrial, TrialState
from rich.markup import escape
from rich.table import Table

from modelyard.tuning.results import (
    STATE_NAMES,
    StudyResults,
    epochs_run,
    format_value,
    read_study,
    reason,
    score,
    seconds,
)

STYLES = {TrialState.FAIL: "red", TrialState.PRUNED: "dim", TrialState.RUNNING: "cyan", TrialState.WAITING: "dim"}


def trials_table(study: Study) -> Table:
    """Return every trial of a study: finished ones first, the best on top, then the others by their numbers."""
    results = read_study(study)
    keys = list(results.search_space)
    columns = ("trial", "state", results.metric, "epochs", "seconds", *keys, "remark")
    table = Table(
        *columns, title=_title(results), caption=_caption(results), title_justify="left", caption_justify="left"
    )
    others = [trial for trial in results.trials if trial.state is not TrialState.COMPLETE]
    for trial in [*sorted(results.finished, key=results.rank), *others]:
        table.add_row(*map(escape, _cells(results, trial, keys)), style=STYLES.get(trial.state))
    return table


def _cells(results: StudyResults, trial: FrozenTrial, keys: list[str]) -> list[str]:
    settings = results.settings_of(trial)
    value = format_value(score(trial)) if trial.values else ""
    cells = [f"{trial.number}", STATE_NAMES[trial.state], value, f"{epochs_run(trial)}", f"{seconds(trial):.1f}"]
    return [*cells, *(format_value(settings.get(key, "")) for key in keys), _remark(results, trial)]


def _remark(results: StudyResults, trial: FrozenTrial) -> str:
    remarks = {
        "best": trial is results.best,
        "baseline": trial is results.baseline,
        f"as trial {trial.user_attrs.get('repeats')}, not trained again": "repeats" in trial.user_attrs,
        reason(trial): trial.state is TrialState.FAIL,
    }
    return ", ".join(remark for remark, holds in remarks.items() if holds)


def _title(results: StudyResults) -> str:
    better = "higher" if results.maximize else "lower"
    return f"Study {results.name}: experiment {results.experiment}, {better} {results.metric} is better"


def _caption(results: StudyResults) -> str:
    counts = ", ".join(f"{count} {state}" for state, count in results.counts.items()) or "no trial yet"
    gain = f"; gain over the baseline {results.gain:.4g}" if results.gain else ""
    return f"{counts}{gain}; pruning spared {results.epochs_spared} epochs"
