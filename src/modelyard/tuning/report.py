"""The report of a study: its best trial, what that gained, what the search cost, and plots."""

import json
from collections import Counter
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from optuna import Study
from optuna.trial import FrozenTrial

from modelyard.core.errors import ModelyardError
from modelyard.core.files import atomic_folder, write_table, write_text
from modelyard.core.report_text import duration_text, markdown_table
from modelyard.params.study import EPOCHS
from modelyard.tuning import plots
from modelyard.tuning.apply import find_winner
from modelyard.tuning.results import (
    NOTHING_TO_CONFIRM,
    READ_OFF,
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
from modelyard.tuning.retries import counted_trials

if TYPE_CHECKING:
    import pandas as pd

SHOWN = 10  # trials, the best first
CAPTIONS = {
    "history.png": "Each trial's score, the best so far, and the baseline",
    "compute.png": "The best score so far over the epochs that all trials had run by then, and without pruning",
    "importances.png": "How much of the differences between scores each setting explains (fANOVA)",
    "slice.png": "The score over each parameter's values; later trials are darker",
    "pareto.png": "Each trial's score and size; no other trial beats those of the Pareto front in both",
    "parallel.png": "A line for each trial through its score and its values; the best one is thick",
}
INTERACTIVE = "plots.html, in the same folder, has the same plots to zoom into; it loads nothing from outside."


def write(study: Study, folder: Path, params_file: Path = Path("params.yaml")) -> None:
    """Write report.md, its plots, the interactive plots.html and trials.csv, in place of what is in `folder`.

    trials.csv holds no times: the same search gives the same bytes.

    Args:
        study: created by `modelyard tune`.
        folder: usually reports/tuning/<study>.
        params_file: the file of the experiment, whose tuned entry the report prints.
    """
    results = read_study(study)
    importances = plots.importances(results)
    with atomic_folder(folder) as temporary:
        drawn = plots.save_plots(study, results, temporary, importances)
        write_table(temporary / "trials.csv", _table(results))
        write_text(temporary / "report.md", _markdown(results, importances, _entry(study, results, params_file), drawn))


def _markdown(results: StudyResults, importances: dict[str, float], entry: str, drawn: Collection[str]) -> str:
    best_first = sorted(results.finished, key=results.rank)[:SHOWN]
    parts = [
        f"# Study {results.name}",
        _gain(results),
        *(["## Over seeds", _confirmation(results)] if results.best and not results.sizes else []),
        *(["## The Pareto front", _front(results)] if results.front else []),
        *(["## The best trial as an experiment"] if results.best and not results.sizes else []),
        *([] if results.sizes else [entry]),
        "## What it cost",
        _cost(results),
        "## What varied",
        _space(results, importances),
        *(["## The best trials", _trials(results, best_first)] if best_first else []),
        *(["## What failed", _failures(results)] if results.failed else []),
        *(["## Plots", INTERACTIVE] if drawn else []),
        *(f"![{caption}]({name})" for name, caption in CAPTIONS.items() if name in drawn),
    ]
    return "\n\n".join(parts) + "\n"


def _table(results: StudyResults) -> "pd.DataFrame":
    """A row for each trial that was not retried: number, state, score, epochs, and the value of each setting."""
    import pandas as pd

    measured = [results.metric, *results.sizes]
    rows = [
        {"trial": trial.number, "state": STATE_NAMES[trial.state]}
        | dict(zip(measured, trial.values or [None] * len(measured), strict=True))
        | {"epochs": epochs_run(trial)}
        | results.settings_of(trial)
        for trial in counted_trials(results.trials)
    ]
    table = pd.DataFrame(rows, columns=["trial", "state", *measured, "epochs", *results.search_space])
    return table.astype({EPOCHS: "Int64"} if EPOCHS in table else {})  # pruned trials may have none


def _gain(results: StudyResults) -> str:
    better = "higher" if results.maximize else "lower"
    start = f"Experiment `{results.experiment}`, by its {results.metric}{_samples(results)} ({better} is better)"
    if results.best is None:
        return f"{start}. No trial has finished yet."
    best = f"{start}: the best trial is {results.best.number} with **{score(results.best):.4g}**"
    if results.baseline is None or results.gain is None:
        return f"{best}; {results.why_no_baseline}."
    if not results.gain:
        return f"{best}; none is better than the baseline."
    epochs = ", with its number of epochs," if READ_OFF in results.best.user_attrs else ""
    return (
        f"{best}, the baseline has {score(results.baseline):.4g}, each with one seed on the validation samples. The "
        f"best trial was partly lucky: it{epochs} was chosen on these samples and with this seed."
    )


def _confirmation(results: StudyResults) -> str:
    """The best trials and the baseline over seeds, or the command that trains them."""
    command = f"`modelyard tune {results.entry} --confirm`"
    if not results.candidates:
        return NOTHING_TO_CONFIRM
    if not results.confirmation:
        return f"Not confirmed: {command} trains the best trials and the baseline with several seeds."
    table = confirmation_rows(results.confirmation)
    header = ["trial", f"mean {results.metric}", "minus baseline (95 % interval)", "p value"]
    outdated = "" if results.is_confirmed else f" **The best trials are others since**: run {command} again."
    return (
        f"The best trials and the baseline, each trained with the same {len(results.confirmation['seeds'])} seeds that "
        "the search did not use, and scored on validation samples. The p value is that of a one-sided paired t test of "
        f'"better than the baseline", with Holm\'s correction over the trials.{outdated}\n\n'
        f"{markdown_table(header, table)}\n\n"
        f"{f'**{results.chance_remark}** ' if results.chance_remark else ''}"
        "The validation samples are those of the search, so the difference is still overestimated. The claim that "
        "`--apply` writes is tested on the test samples, with other seeds."
    )


def _front(results: StudyResults) -> str:
    number = next((trial.number for trial in results.front if trial is not results.baseline), None)
    apply = f"`modelyard tune {results.entry} --apply --trial {number}` writes trial {number} into params.yaml."
    return (
        f"No other trial beats these in {results.metric} and {' and '.join(results.sizes)}:\n\n"
        f"{_trials(results, sorted(results.front, key=results.rank))}\n\n"
        f"{'No trial beats the baseline in either.' if number is None else apply}"
    )


def _samples(results: StudyResults) -> str:
    """Which samples a trial was fitted on and scored by, where that is not the experiment's own split."""
    if results.space["folds"]:
        return f", the mean over {results.space['folds']} folds"
    count = results.space["training_samples"]
    return f" after training on the first {count} training samples" if count else ""


def _entry(study: Study, results: StudyResults, params_file: Path) -> str:
    try:
        winner = find_winner(study, params_file)
    except ModelyardError as error:
        return str(error)
    best = "the trial that is best over seeds" if results.is_confirmed else "the best trial"
    return (
        f"`modelyard tune {results.entry} --apply` writes {best} into params.yaml; `modelyard run {winner.name}` "
        f"then trains and evaluates it like any other experiment:\n\n```yaml\n{winner.text}\n```"
    )


def _cost(results: StudyResults) -> str:
    workers = {trial.user_attrs["worker"] for trial in results.trials if "worker" in trial.user_attrs}
    machines = {worker.partition(":")[0] for worker in workers}  # see core.processes.this_process
    spared, run = results.epochs_spared, results.epochs_run
    lines = [
        ("trials", ", ".join(f"{count} {word}" for word, count in results.counts.items()) or "none"),
        ("epochs", f"{run}"),
        ("epochs spared by pruning", f"{spared}, {spared / max(1, spared + run):.0%} of what all would have run"),
        ("epochs spared by not training values again", f"{results.epochs_repeated}, in {results.repeats} repeats"),
        ("time of all trials together", duration_text(results.seconds)),
        ("from the first trial's start to the last one's end", duration_text(results.wall_seconds)),
        ("time spared by pruning", f"about {duration_text(results.seconds_spared)}"),
        ("processes", f"{len(workers)} on {len(machines)} machine{'s' * (len(machines) != 1)}"),
    ]
    return markdown_table(["", ""], lines)


def _space(results: StudyResults, importances: dict[str, float]) -> str:
    missing = "" if importances else "\n\nToo few trials have finished with different scores to estimate importances."
    lines = [
        (f"`{key}`", _allowed(variation), _importance(key, results, importances))
        for key, variation in results.search_space.items()
    ]
    return markdown_table(["setting", "allowed", "importance"], lines) + missing


def _importance(key: str, results: StudyResults, importances: dict[str, float]) -> str:
    if key == EPOCHS and (count := sum(READ_OFF in trial.user_attrs for trial in results.finished)):
        return f"read off the learning curves ({count})"
    return f"{importances[key]:.2f}" if key in importances else ""


def _allowed(variation: dict[str, Any]) -> str:
    if "choices" in variation:
        return ", ".join(json.dumps(choice) for choice in variation["choices"])
    step = f" in steps of {variation['step']}" if variation.get("step") else ""
    return f"{variation['low']} to {variation['high']}{step}{', logarithmic' if variation.get('log') else ''}"


def _trials(results: StudyResults, trials: Sequence[FrozenTrial]) -> str:
    keys = list(results.search_space)
    lines = []
    for trial in trials:
        settings = results.settings_of(trial)
        number = f"{trial.number} (baseline)" if trial is results.baseline else f"{trial.number}"
        values = [format_value(settings[key]) for key in keys]
        sizes = [f"{size:,.0f}" for size in trial.values[1:]]
        lines.append(
            (number, f"{score(trial):.4g}", *sizes, f"{epochs_run(trial)}", duration_text(seconds(trial)), *values)
        )
    return markdown_table(
        ["trial", results.metric, *results.sizes, "epochs", "time", *(f"`{key}`" for key in keys)], lines
    )


def _failures(results: StudyResults) -> str:
    counts = Counter(reason(trial) for trial in results.failed)
    return markdown_table(["trials", "reason"], ((f"{count}", text) for text, count in counts.most_common()))
