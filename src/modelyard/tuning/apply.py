"""The winner of a study, written into params.yaml and published.yaml."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from optuna import Study
from optuna.trial import FrozenTrial

from modelyard import params
from modelyard.core.config import read_yaml
from modelyard.core.errors import ModelyardError
from modelyard.params.fold_evaluation import EVALUATE
from modelyard.params.study import tuned_name
from modelyard.params.yaml_text import INDENT, add_entry, as_yaml, with_value, write_checked
from modelyard.tuning.results import StudyResults, format_value, read_study


@dataclass(frozen=True)
class Winner:
    """An experiment with the values of a study's best trial.

    Attributes:
        section: the section of params.yaml that holds the experiment.
        experiment: the experiment that the study varies.
        study: the study's name in params.yaml.
        settings: the entry of the tuned experiment.
        note: its origin, for published.yaml.
    """

    section: str
    experiment: str
    study: str
    settings: dict[str, Any]
    note: str

    @property
    def name(self) -> str:
        """The name of the tuned experiment."""
        return tuned_name(self.experiment)

    @property
    def text(self) -> str:
        """The entry in the style of params.yaml."""
        return f"{self.name}:\n{as_yaml(self.settings, INDENT)}"


def find_winner(study: Study, file: Path) -> Winner:
    """Return the experiment of a study, as it stands in `file`, with the values of the best trial.

    Raises:
        ModelyardError: no trial has finished, none is better than the baseline, or the experiment or an input has
            changed since the study was created.
    """
    results = read_study(study)
    best, project = _better_trial(results), params.load(file)
    _refuse_changes(results, project, file)
    section = project.section_of(results.experiment)
    entry = read_yaml(file)[section][results.experiment]
    for key, value in results.settings_of(best).items():
        entry = with_value(entry, tuple(key.split(".")), tuple(value) if isinstance(value, list) else value)
    note = f"best of {len(results.trials)} trials of study {results.name}"
    return Winner(section, results.experiment, results.entry, entry, note)


def apply(study: Study, file: Path = Path("params.yaml"), replace: bool = False) -> str:
    """Write the winner of a study into `file` as `<experiment>_tuned`, beneath its experiment, and return that name.

    Where published.yaml beside `file` has the experiment, it gets an entry as well: the notebook and a note. An entry
    that is there already with equal values is left as it is.

    Raises:
        ModelyardError: there is no winner, the name is taken by other values (without `replace`), or the new files do
            not pass the checks of params.yaml; then nothing is changed.
    """
    winner = find_winner(study, file)
    entry = read_yaml(file)[winner.section].get(winner.name)
    if entry == winner.settings:
        return winner.name
    if entry is not None and not replace:
        raise ModelyardError(
            f"{file.name} has an experiment {winner.name} with other values. Replace it with "
            f"`modelyard tune {winner.study} --apply --replace`, or rename that entry."
        )
    texts, expected = _changes(winner, file, file.with_name("published.yaml"))
    write_checked(texts, expected, "the winner", winner.text)
    return winner.name


def _better_trial(results: StudyResults) -> FrozenTrial:
    if results.best is None:
        raise ModelyardError(
            f"study {results.name} has no finished trial yet, so there is no winner. "
            f"Run `modelyard tune {results.entry}`."
        )
    if results.baseline and results.best.params == results.baseline.params:
        raise ModelyardError(
            f"study {results.name}: no trial is better than the baseline, experiment {results.experiment} unchanged "
            f"({results.metric} {format_value(results.best.value)}). Run more trials or widen a range."
        )
    return results.best


def _refuse_changes(results: StudyResults, project: params.Project, file: Path) -> None:
    """Refuse an experiment or inputs that have changed since the search: its scores do not hold for them."""
    searched = {results.experiment: results.space["experiment"], **results.space["inputs"]}
    for name, then in searched.items():
        now = project.all_experiments.get(name) or project.inputs.get(name)
        if now is None or now.model_dump(mode="json", exclude=EVALUATE) != then:
            raise ModelyardError(
                f"{name} in {file.name} has changed since study {results.name} was created, so the study's scores do "
                f"not hold for it. Undo the change, or search again: modelyard tune {results.entry} --new"
            )


def _changes(winner: Winner, file: Path, published_file: Path) -> tuple[dict[Path, str], dict[Path, Any]]:
    """The new text and content of each file that changes, params.yaml first: published.yaml may name nothing else."""
    expected = {file: with_value(read_yaml(file), (winner.section, winner.name), winner.settings)}
    texts = {file: _with_winner(file, (winner.section,), winner, winner.text)}
    published = read_yaml(published_file) if published_file.exists() else {}
    if winner.experiment in published:
        entry = {"notebook": published[winner.experiment]["notebook"], "note": winner.note}
        texts[published_file] = _with_winner(published_file, (), winner, as_yaml({winner.name: entry}))
        expected[published_file] = {**published, winner.name: entry}
    return texts, expected


def _with_winner(path: Path, section: tuple[str, ...], winner: Winner, entry: str) -> str:
    return add_entry(path.read_text(encoding="utf-8"), section, winner.name, entry, beneath=winner.experiment)
