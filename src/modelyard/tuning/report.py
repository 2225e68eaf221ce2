"""What a study found, as a page for people: its winner, what it gained, what it cost, and pictures of the search."""

import json
from collections import Counter
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from optuna import Study
from optuna.trial import FrozenTrial

from modelyard.core.errors import ModelyardError
from modelyard.core.files import atomic_folder, write_table, write_text
from modelyard.core.markdown import markdown_table
from modelyard.experiments.plots.style import save
from modelyard.tuning import page, plots
from modelyard.tuning.results import WORDS, StudyResults, cell, epochs_run, find, reason, seconds
from modelyard.tuning.winner import winner

if TYPE_CHECKING:
    import pandas as pd

SHOWN = 10  # trials, the best first
PICTURES = {
    "history.png": "Each trial's score, the best so far, and the present experiment",
    "importances.png": "How much of the score's differences each parameter explains",
    "slice.png": "The score over each parameter's values",
    "parallel.png": "A line a trial through its values and its score; the best one is thick",
}
INTERACTIVE = "The same to point at and to zoom into: plots.html beside this page; it loads nothing from outside."


def write(study: Study, folder: Path, params: Path = Path("params.yaml")) -> None:
    """Write report.md, its pictures, the interactive plots.html and trials.csv, in the place of what is in `folder`.

    trials.csv holds no times: the same search gives the same bytes.

    Args:
        study: with the attributes that `modelyard tune` gives it.
        folder: usually reports/tuning/<study>.
        params: where the experiment stands, whose tuned entry the report prints.
    """
    found, shares = find(study), plots.importances(study)
    drawn = plots.draw(found, shares)
    with atomic_folder(folder) as temporary:
        for name, figure in drawn.items():
            save(figure, temporary / name)
        if drawn:
            write_text(temporary / "plots.html", page.page(study, with_importances=bool(shares)))
        write_table(temporary / "trials.csv", _table(found))
        write_text(temporary / "report.md", _markdown(found, shares, _entry(study, params), drawn))


def _markdown(found: StudyResults, shares: dict[str, float], entry: str, drawn: Collection[str]) -> str:
    parts = [
        f"# Study {found.study}",
        _gained(found),
        entry,
        "## What it cost",
        _cost(found),
        "## What varied",
        _space(found, shares),
        *(["## The best trials", _trials(found, sorted(found.finished, key=found.rank)[:SHOWN])] if drawn else []),
        *(["## What failed", _failures(found)] if found.failed else []),
        *(["## Pictures", INTERACTIVE] if drawn else []),
        *(f"![{told}]({name})" for name, told in PICTURES.items() if name in drawn),
    ]
    return "\n\n".join(parts) + "\n"


def _table(found: StudyResults) -> "pd.DataFrame":
    """A row a trial in their order: trial, state, score, epochs, and the value of each setting."""
    import pandas as pd

    rows = [
        {"trial": trial.number, "state": WORDS[trial.state], found.metric: trial.value, "epochs": epochs_run(trial)}
        | found.settings_of(trial)
        for trial in found.trials
    ]
    return pd.DataFrame(rows, columns=["trial", "state", found.metric, "epochs", *found.vary])


def _gained(found: StudyResults) -> str:
    """The best trial against the present experiment, in words."""
    better = "more" if found.up else "less"
    asked = f"Experiment `{found.experiment}`, by its {found.metric}{_rows(found)} ({better} is better)"
    if found.best is None:
        return f"{asked}. No trial has finished yet."
    best = f"{asked}: the best trial is {found.best.number} with **{found.best.value:.4g}**"
    if found.gain is None:
        return f"{best}; the present experiment, trial 0, has not finished."
    if not found.gain:
        return f"{best}; none is better than the present experiment."
    return (
        f"{best}, the present experiment has {found.present.value:.4g}: a gain of **{found.gain:.4g}** on the "
        "validation rows. The winner was chosen on these very rows, so that the gain looks larger than it is; "
        "the test rows, which no study sees, tell what is left of it."
    )


def _rows(found: StudyResults) -> str:
    """Which rows a trial learnt from and was judged by, where it is not the experiment's own division."""
    if found.space["folds"]:
        return f", the mean over {found.space['folds']} folds"
    rows = found.space["training_rows"]
    return f" after learning from its first {rows} training rows" if rows else ""


def _entry(study: Study, params: Path) -> str:
    try:
        won = winner(study, params)
    except ModelyardError as none:
        return str(none)
    command = f"modelyard tune {find(study).entry} --apply"
    return (
        f"`{command}` writes the winner into params.yaml, and `modelyard run {won.name}` then builds and evaluates it "
        f"like any other:\n\n```yaml\n{won.text}\n```"
    )


def _cost(found: StudyResults) -> str:
    workers = {trial.user_attrs["worker"] for trial in found.trials if "worker" in trial.user_attrs}
    machines = {worker.partition(":")[0] for worker in workers}  # host:process:its start
    spared, run = found.epochs_spared, found.epochs_run
    lines = [
        ("trials", ", ".join(f"{count} {word}" for word, count in found.counts.items()) or "none"),
        ("repeats of a finished trial, not trained again", f"{found.repeats}"),
        ("epochs", f"{run}"),
        ("epochs spared by pruning", f"{spared}, {spared / max(1, spared + run):.0%} of what all would have run"),
        ("time of all trials together", _duration(found.seconds)),
        ("from the first trial's beginning to the last one's end", _duration(found.seconds_on_the_wall)),
        ("time spared by pruning", f"about {_duration(found.seconds_spared)}"),
        ("processes", f"{len(workers)} on {len(machines)} machine{'s' * (len(machines) != 1)}"),
    ]
    return markdown_table(["", ""], lines)


def _space(found: StudyResults, shares: dict[str, float]) -> str:
    none = "" if shares else "\n\nToo few trials have finished to say how important each of them is."
    lines = [
        (f"`{key}`", _allowed(variation), f"{shares[key]:.2f}" if key in shares else "")
        for key, variation in found.vary.items()
    ]
    return markdown_table(["setting", "allowed", "importance"], lines) + none


def _allowed(variation: dict[str, Any]) -> str:
    if "choices" in variation:
        return ", ".join(json.dumps(choice) for choice in variation["choices"])
    step = f" in steps of {variation['step']}" if variation.get("step") else ""
    return (
        f"{variation['low']} to {variation['high']}{step}{', by orders of magnitude' if variation.get('log') else ''}"
    )


def _trials(found: StudyResults, trials: Sequence[FrozenTrial]) -> str:
    keys = list(found.vary)
    lines = []
    for trial in trials:
        written = found.settings_of(trial)
        number = f"{trial.number} (present)" if trial is found.present else f"{trial.number}"
        values = [cell(written[key]) for key in keys]
        lines.append((number, f"{trial.value:.4g}", f"{epochs_run(trial)}", _duration(seconds(trial)), *values))
    return markdown_table(["trial", found.metric, "epochs", "time", *(f"`{key}`" for key in keys)], lines)


def _failures(found: StudyResults) -> str:
    counts = Counter(reason(trial).replace("|", "\\|") for trial in found.failed)
    return markdown_table(["trials", "reason"], ((f"{count}", told) for told, count in counts.most_common()))


def _duration(seconds: float) -> str:
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"
