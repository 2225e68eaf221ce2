"""A study's trials as a table in the terminal."""

import textwrap

from optuna import Study
from optuna.trial import FrozenTrial, TrialState
from rich.markup import escape
from rich.table import Table

from modelyard.tuning.results import (
    STATE_NAMES,
    StudyResults,
    confirmation_rows,
    epochs_run,
    format_value,
    read_study,
    reason,
    score,
    seconds,
)
from modelyard.tuning.sparkline import sparkline

WIDTH = 80
STATE_WIDTH = len("0.1234 pruned")
NO_BREAK = "\0"
STYLES = {TrialState.FAIL: "red", TrialState.PRUNED: "dim", TrialState.RUNNING: "cyan", TrialState.WAITING: "dim"}


def trials_table(study: Study) -> Table:
    """Return every trial of a study: finished ones first, the best on top, then the others by their numbers.

    The settings of a trial share a column: one for each would be too narrow to read. Below its score stands its curve.
    """
    results = read_study(study)
    columns = ("trial", results.metric, *results.sizes, "epochs", "seconds", "settings")
    borders = 3 * len(columns) + 1
    width = WIDTH - borders - sum(map(len, columns[:-1])) - max(0, STATE_WIDTH - len(results.metric))
    table = Table(
        *columns, title=_title(results), caption=_caption(results), title_justify="left", caption_justify="left"
    )
    others = [trial for trial in results.trials if trial.state is not TrialState.COMPLETE]
    for trial in [*sorted(results.finished, key=results.rank), *others]:
        table.add_row(*map(escape, _cells(results, trial, width)), style=STYLES.get(trial.state))
    return table


def confirmation_table(results: StudyResults) -> Table:
    """Return the best trials and the baseline over seeds."""
    confirmation = results.confirmation or {}
    title = f"Study {results.name} over {len(confirmation['seeds'])} seeds that it did not use, on validation samples"
    columns = ("trial", f"mean {results.metric}", "minus baseline (95 % interval)", "p-value")
    table = Table(*columns, title=title, title_justify="left")
    for row in confirmation_rows(confirmation):
        table.add_row(*row)
    return table


def _cells(results: StudyResults, trial: FrozenTrial, width: int) -> list[str]:
    value = format_value(score(trial)) if trial.values else ""
    state = "" if trial.state is TrialState.COMPLETE else STATE_NAMES[trial.state]
    settings = results.settings_of(trial)
    pairs = [f"{_short(key, results)} {format_value(settings[key])}" for key in results.search_space if key in settings]
    lines = "\n".join(filter(None, [*_lines(pairs, width), _remark(results, trial)]))
    curve = sparkline(list(trial.intermediate_values.values()), results.scores) if trial.intermediate_values else ""
    scored = f"{value} {state}".strip()
    sizes = [f"{size:,.0f}" for size in (trial.values or [])[1:]] or [""] * len(results.sizes)
    cost = [f"{epochs_run(trial)}", f"{seconds(trial):.1f}"]
    return [f"{trial.number}", f"{scored}\n{curve}".strip(), *sizes, *cost, lines]


def _short(key: str, results: StudyResults) -> str:
    """Return the last part of a key, if no other key of the study ends like that."""
    last = key.rpartition(".")[2]
    return key if sum(other.rpartition(".")[2] == last for other in results.search_space) > 1 else last


def _lines(pairs: list[str], width: int) -> list[str]:
    """Join settings to lines of at most `width` letters, without a break within one of them."""
    text = ", ".join(pair.replace(" ", NO_BREAK) for pair in pairs)
    lines = textwrap.wrap(text, width, break_long_words=False, break_on_hyphens=False)
    return [line.replace(NO_BREAK, " ") for line in lines]


def _remark(results: StudyResults, trial: FrozenTrial) -> str:
    remarks = {
        "best": trial is results.best,
        "on the Pareto front": trial in results.front,
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
    return f"{counts}{_gain(results)}; pruning spared {results.epochs_spared} epochs"


def _gain(results: StudyResults) -> str:
    """What the best trial gained: over seeds, once confirmed."""
    if results.confirmation and results.is_confirmed:
        (trial, _, difference, p_value), *_ = confirmation_rows(results.confirmation)
        seeds = len(results.confirmation["seeds"])
        chance = f", p = {p_value}" if p_value else ""
        return f"; over {seeds} seeds trial {trial} minus the baseline is {difference}{chance}"
    if not results.gain:
        return ""
    return f"; better than the baseline by {results.gain:.4g}, with one seed each, and overestimated: it was selected"
