"""The winner of a study, written into params.yaml, published.yaml and, once confirmed, claims.yaml."""

import dataclasses
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from optuna import Study
from optuna.trial import FrozenTrial

from modelyard import params
from modelyard.core.config import read_yaml, with_value
from modelyard.core.errors import ModelyardError
from modelyard.metrics.definitions import headline_metric
from modelyard.params.fold_evaluation import EVALUATE
from modelyard.params.study import SEED, tuned_name
from modelyard.params.yaml_text import CHECKS, INDENT, add_entry, as_yaml, write_checked
from modelyard.tuning.plan import sample_settings
from modelyard.tuning.results import StudyResults, format_value, read_study
from modelyard.tuning.retries import counted_trials, has_diverged
from modelyard.tuning.storage import changes_since

SMALLEST = 0.005  # of a claim: the difference that matters, of metrics that are 1 at best; a person may edit it


def claim_name(experiment: str) -> str:
    """The name of the claim that the winner of a study is better than its baseline."""
    return f"tuned_{experiment}"


@dataclass(frozen=True)
class Winner:
    """An experiment with the values of a study's best trial.

    Attributes:
        section: the section of params.yaml that holds the experiment.
        experiment: the experiment that the study varies.
        study: the study's name in params.yaml.
        settings: the entry of the tuned experiment.
        note: its origin, for published.yaml.
        claim: the entry for claims.yaml that compares it with its baseline; None unless it is confirmed.
        keeps_claim: whether it is the claim that was there, with other values than a new one would have.
        outdates_claim: whether a claim was there that was made of other settings, and there is no new one.
    """

    section: str
    experiment: str
    study: str
    settings: dict[str, Any]
    note: str
    claim: dict[str, Any] | None = None
    keeps_claim: bool = False
    outdates_claim: bool = False

    @property
    def name(self) -> str:
        """The name of the tuned experiment."""
        return tuned_name(self.experiment)

    @property
    def text(self) -> str:
        """The entry in the style of params.yaml."""
        return f"{self.name}:\n{as_yaml(self.settings, INDENT)}"


def find_winner(study: Study, file: Path, number: int | None = None) -> Winner:
    """Return the experiment of a study, as it stands in `file`, with the values of the best trial or of trial `number`.

    After a confirmation, the best is the trial with the best mean over seeds.

    Raises:
        ModelyardError: no trial has finished, none is better than the baseline or, after a confirmation, than the tuned
            experiment of an earlier search, the best trials are others than those that were confirmed, a person must
            choose because there are several metrics, or the experiment or an input has changed since the study was
            created.
    """
    results = read_study(study)
    if number is not None:
        best = _chosen_trial(results, number)
    else:
        best = _confirmed_trial(results) if results.confirmation else _better_trial(results)
    project = params.load(file)
    refuse_changes(results, project, file)
    section = project.section_of(results.experiment)
    entry = read_yaml(file)[section][results.experiment]
    for key, value in results.settings_of(best).items():
        entry = with_value(entry, tuple(key.split(".")), tuple(value) if isinstance(value, list) else value)
    claim = _claim(results, project) if results.confirmation and number is None else None
    return Winner(section, results.experiment, results.entry, entry, _origin(results, best, number), claim)


def apply(study: Study, file: Path = Path("params.yaml"), replace: bool = False, number: int | None = None) -> Winner:
    """Write the winner of a study, or trial `number`, into `file` as `<experiment>_tuned`; return what was written.

    It stands beneath its experiment. Where published.yaml beside `file` has the experiment, it gets an entry as well:
    the notebook and a note. A confirmed winner is compared with its baseline by an entry of claims.yaml. What is there
    already with equal values is left as it is, and without `replace` a claim that a person has edited.

    Raises:
        ModelyardError: there is no winner, the name is taken by other values (without `replace`), or the new files do
            not pass the checks of params.yaml; then nothing is changed.
    """
    winner, project = find_winner(study, file, number), params.load(file)
    entry = read_yaml(file)[winner.section].get(winner.name)
    if entry is not None and entry != winner.settings and not replace:
        raise ModelyardError(
            f"{file.name} has an experiment {winner.name} with other values. Replace it with "
            f"`modelyard tune {winner.study} --apply{'' if number is None else f' --trial {number}'} --replace`, or "
            "rename that entry."
        )
    declared = _content(file.with_name("claims.yaml"), project).get(claim_name(winner.experiment))
    if winner.claim and declared not in (None, winner.claim) and not replace:
        winner = dataclasses.replace(winner, claim=declared, keeps_claim=True)
    elif declared and not winner.claim and entry != winner.settings:
        winner = dataclasses.replace(winner, outdates_claim=True)
    texts, expected = _changes(winner, file, project, is_new=entry != winner.settings)
    if any(expected[path] != (read_yaml(path) if path.exists() else None) for path in texts):
        write_checked(texts, expected, "the winner", winner.text)
    return winner


def _origin(results: StudyResults, best: FrozenTrial, number: int | None) -> str:
    """How the winner was found, in a few words."""
    of_study = f"{len(counted_trials(results.trials))} trials of study {results.name}"
    if number is not None:
        return f"trial {best.number} of {of_study}"
    if results.confirmation:
        seeds, candidates = results.confirmation["seeds"], results.confirmation["candidates"]
        return f"best over {len(seeds)} seeds of the best {len(candidates)} of {of_study}"
    return f"best of {of_study}"


def _better_trial(results: StudyResults) -> FrozenTrial:
    if results.best is None:
        raise ModelyardError(
            f"study {results.name} has no finished trial yet, so there is no winner. "
            f"Run `modelyard tune {results.entry}`."
        )
    if results.sizes:
        front = ", ".join(f"{trial.number}" for trial in results.front)
        raise ModelyardError(
            f"study {results.name} has {1 + len(results.sizes)} metrics, and no other trial beats these in all of "
            f"them: {front}. Choose one: modelyard tune {results.entry} --apply --trial NUMBER"
        )
    if results.baseline is None and not has_diverged(results.last_baseline):
        raise ModelyardError(
            f"study {results.name}: {results.why_no_baseline}, so no trial can be compared with it. Run again: "
            f"modelyard tune {results.entry}"
        )
    if results.gain == 0:
        raise ModelyardError(
            f"study {results.name}: no trial is better than the baseline, experiment {results.experiment} unchanged "
            f"({results.metric} {format_value(results.best.value)}). Run more trials or widen a range."
        )
    return results.best


def _chosen_trial(results: StudyResults, number: int) -> FrozenTrial:
    finished = {trial.number: trial for trial in results.finished}
    if number not in finished:
        known = ", ".join(map(str, finished)) or "none"
        raise ModelyardError(f"study {results.name} has no finished trial {number}; finished are: {known}.")
    if finished[number] is results.baseline:
        raise ModelyardError(f"trial {number} is the baseline, experiment {results.experiment} unchanged.")
    return finished[number]


def _confirmed_trial(results: StudyResults) -> FrozenTrial:
    """The trial with the best mean over seeds."""
    again = f"modelyard tune {results.entry} --confirm"
    if not results.confirmation or not results.is_confirmed:
        raise ModelyardError(f"study {results.name} has other best trials since it was confirmed. Run again: {again}")
    best, baseline = results.confirmation["candidates"][0], results.confirmation["baseline"]
    if not results.is_better_over_seeds:
        raise ModelyardError(
            f"study {results.name}: over {len(results.confirmation['seeds'])} seeds, no trial is better than the "
            f"baseline, experiment {results.experiment} unchanged ({results.metric} {format_value(baseline['mean'])}; "
            f"the best trial has {format_value(best['mean'])}). Run more trials or widen a range, and confirm again."
        )
    if tuned := results.better_tuned:
        raise ModelyardError(
            f"study {results.name}: over {len(results.confirmation['seeds'])} seeds, no trial is better than "
            f"{tuned['experiment']}, which params.yaml has ({results.metric} {format_value(tuned['mean'])}; trial "
            f"{best['trial']} has {format_value(best['mean'])}). If you have changed it since, run again: {again}"
        )
    return next(trial for trial in results.trials if trial.number == best["trial"])


def _claim(results: StudyResults, project: params.Project) -> dict[str, Any]:
    """The claim that the winner is better than its baseline on test samples, with seeds that nothing was chosen by."""
    seeds = results.confirmation["seeds"] if results.confirmation else []
    return {
        "says": f"the winner of study {results.entry} beats its baseline",
        "first": {"experiment": tuned_name(results.experiment)},
        "second": {"experiment": results.experiment},
        "changes": {SEED: max(seeds) + 1},
        "metric": headline_metric(project.task_of(results.experiment)),
        "direction": "higher",
        "smallest": SMALLEST,
        "seeds": len(seeds),
    }


def refuse_changes(results: StudyResults, project: params.Project, file: Path) -> None:
    """Refuse an experiment, inputs or data that have changed since the search: its scores do not hold for them.

    Raises:
        ModelyardError: one of them has changed or is gone.
    """
    experiment = project.all_experiments.get(results.experiment)
    now = {
        "experiment": experiment and experiment.model_dump(mode="json", exclude=EVALUATE),
        **sample_settings(project, results.space["inputs"]),
    }
    changes = changes_since({key: results.space[key] for key in now if key in results.space}, now)
    if changes:
        raise ModelyardError(
            f"{file.name} has changed since study {results.name} was created, so the study's scores do not hold for "
            "it:\n  "
            + "\n  ".join(changes)
            + f"\nUndo the change, or search again: modelyard tune {results.entry} --new"
        )


def _changes(
    winner: Winner, file: Path, project: params.Project, is_new: bool
) -> tuple[dict[Path, str], dict[Path, Any]]:
    """The new text and content of each file, params.yaml first: the others may name nothing else."""
    published, claims = (file.with_name(name) for name in ("published.yaml", "claims.yaml"))
    expected = {file: with_value(read_yaml(file), (winner.section, winner.name), winner.settings)}
    texts = {file: _with_entry(file, (winner.section,), winner.name, winner.settings, winner.experiment)}
    printed = _content(published, project)
    if is_new and winner.experiment in printed:
        entry = {"notebook": printed[winner.experiment]["notebook"], "note": winner.note}
        texts[published] = _with_entry(published, (), winner.name, entry, winner.experiment)
        expected[published] = {**printed, winner.name: entry}
    if winner.claim:
        texts[claims] = _with_entry(claims, (), claim_name(winner.experiment), winner.claim)
        expected[claims] = {**_content(claims, project), claim_name(winner.experiment): winner.claim}
    return texts, expected


def _content(path: Path, project: params.Project) -> dict[str, Any]:
    """The content of a file beside params.yaml, checked; empty where it has none, or is not there.

    Raises:
        ModelyardError: it has a mistake.
    """
    content: dict[str, Any] = (read_yaml(path) if path.exists() else None) or {}
    if content:
        CHECKS[path.name](project, path)
    return content


def _with_entry(path: Path, section: tuple[str, ...], name: str, entry: Mapping[str, Any], beneath: str = "") -> str:
    """The text of a file with an entry of a section; unchanged if it has the entry with equal values."""
    text = path.read_text(encoding="utf-8") if path.exists() else ""
    content: Any = read_yaml(path) if path.exists() else {}
    for key in section:
        content = content[key]
    if content and content.get(name) == entry:
        return text
    added = f"{name}:\n{as_yaml(entry, INDENT)}" if section else as_yaml({name: entry})
    if not content and not section:  # a file without entries
        return re.sub(r"(?m)^\{\s*\}\s*$", "", text) + added + "\n"
    return add_entry(text, section, name, added, beneath)
