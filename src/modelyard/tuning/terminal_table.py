"""A study's trials as a table in the terminal."""

from optuna import Study
from optuna.trial import FrozenTrial, TrialState
from rich.markup import escape
from rich.table import Table

from modelyard.tuning.results import WORDS, StudyResults, cell, epochs_run, find, reason, seconds

STYLES = {TrialState.FAIL: "red", TrialState.PRUNED: "dim", TrialState.RUNNING: "cyan", TrialState.WAITING: "dim"}


def table(study: Study) -> Table:
    """Every trial of a study: those with a score first, the best on top, then the others in their order."""
    found = find(study)
    keys = list(found.vary)
    head = ("trial", "state", found.metric, "epochs", "seconds", *keys, "remark")
    shown = Table(*head, title=_title(found), caption=_caption(found), title_justify="left", caption_justify="left")
    others = [trial for trial in found.trials if trial.state is not TrialState.COMPLETE]
    for trial in [*sorted(found.finished, key=found.rank), *others]:
        shown.add_row(*map(escape, _cells(found, trial, keys)), style=STYLES.get(trial.state))
    return shown


def _cells(found: StudyResults, trial: FrozenTrial, keys: list[str]) -> list[str]:
    written = found.settings_of(trial)
    score = "" if trial.value is None else cell(trial.value)
    begin = [f"{trial.number}", WORDS[trial.state], score, f"{epochs_run(trial)}", f"{seconds(trial):.1f}"]
    return [*begin, *(cell(written.get(key, "")) for key in keys), _remark(found, trial)]


def _remark(found: StudyResults, trial: FrozenTrial) -> str:
    """Why a trial failed, or what is special about it."""
    special = {
        "best": trial is found.best,
        "present experiment": trial is found.present,
        f"as trial {trial.user_attrs.get('repeats')}, not trained again": "repeats" in trial.user_attrs,
        reason(trial): trial.state is TrialState.FAIL,
    }
    return ", ".join(word for word, holds in special.items() if holds)


def _title(found: StudyResults) -> str:
    better = "more" if found.up else "less"
    return f"Study {found.study}: experiment {found.experiment}, {better} {found.metric} is better"


def _caption(found: StudyResults) -> str:
    counts = ", ".join(f"{count} {word}" for word, count in found.counts.items()) or "no trial yet"
    gain = f"; gain over the present experiment {found.gain:.4g}" if found.gain else ""
    return f"{counts}{gain}; pruning spared {found.epochs_spared} epochs"
