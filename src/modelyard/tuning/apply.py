"""The winner of a study, written into params.yaml and published.yaml: lines are added, every other byte is kept."""

import re
import sys
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from optuna import Study
from optuna.trial import FrozenTrial
from ruamel.yaml import YAML
from ruamel.yaml.nodes import MappingNode, Node, SequenceNode
from ruamel.yaml.scalarstring import DoubleQuotedScalarString

from modelyard import params
from modelyard.core.config import read_yaml
from modelyard.core.errors import ModelyardError
from modelyard.core.files import atomic_file
from modelyard.params.study import tuned_name
from modelyard.tuning.results import StudyResults, format_value, read_study

LINE_WIDTH, INDENT = 118, "  "  # of an entry before it is indented within its section
PLAIN = re.compile(r"[A-Za-z_]+([ ./-]?[A-Za-z0-9_]+)*")
NOT_TEXT = {"true", "false", "yes", "no", "on", "off", "y", "n", "null"}


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
        entry = _with_value(entry, key.split("."), tuple(value) if isinstance(value, list) else value)
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
    for path, text in _checked_texts(winner, file, file.with_name("published.yaml")).items():
        with atomic_file(path) as temporary:
            temporary.write_text(text, encoding="utf-8")
            temporary.chmod(path.stat().st_mode)
    return winner.name


def as_yaml(content: dict[str, Any], indent: str = "") -> str:
    """Return settings as YAML, each group in one line where it fits."""
    lines = []
    for key, value in content.items():
        line = indent + _in_one_line(key, value)
        if isinstance(value, dict) and len(line) > LINE_WIDTH:
            line = f"{indent}{key}:\n{as_yaml(value, indent + INDENT)}"
        lines.append(line)
    return "\n".join(lines)


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
        if now is None or now.model_dump(mode="json") != then:
            raise ModelyardError(
                f"{name} in {file.name} has changed since study {results.name} was created, so the study's scores do "
                f"not hold for it. Undo the change, or search again: modelyard tune {results.entry} --new"
            )


def _with_value(settings: dict[str, Any], keys: list[str], value: Any) -> dict[str, Any]:
    """Nested settings with another value at the end of `keys`."""
    key, *rest = keys
    return {**settings, key: _with_value(settings.get(key) or {}, rest, value) if rest else value}


def _checked_texts(winner: Winner, file: Path, published_file: Path) -> dict[Path, str]:
    """The new text of each file that changes, params.yaml first: published.yaml may name no missing experiment."""
    before = read_yaml(file)
    expected = {file: {**before, winner.section: {**before[winner.section], winner.name: winner.settings}}}
    texts = {file: _insert(file.read_text(encoding="utf-8"), (winner.section,), winner, winner.text)}
    published = read_yaml(published_file) if published_file.exists() else {}
    if winner.experiment in published:
        entry = {"notebook": published[winner.experiment]["notebook"], "note": winner.note}
        text = published_file.read_text(encoding="utf-8")
        texts[published_file] = _insert(text, (), winner, as_yaml({winner.name: entry}))
        expected[published_file] = {**published, winner.name: entry}
    with TemporaryDirectory() as folder:
        drafts = {path: Path(folder, path.name) for path in texts}
        for path, draft in drafts.items():
            draft.write_text(texts[path], encoding="utf-8")
        try:
            for path, draft in drafts.items():
                if read_yaml(draft) != expected[path]:
                    raise ModelyardError(f"{path.name} is not written with one entry per line: add the entry yourself.")
            project = params.load(drafts[file])
            if published_file in drafts:
                params.load_published(project, drafts[published_file])
        except ModelyardError as error:
            message = str(error).replace(f"{folder}/", "")
            unchanged = f"{' and '.join(path.name for path in texts)} unchanged"
            raise ModelyardError(f"the winner was not written; {unchanged}.\n{message}\n{winner.text}") from None
    return texts


def _insert(text: str, section: tuple[str, ...], winner: Winner, entry: str) -> str:
    """A file's text with the winner's entry beneath its experiment, or in place of the entry of the same name."""
    lines = text.removesuffix("\n").split("\n")
    entries: MappingNode = YAML().compose(text)
    for name in section:
        entries = next(value for key, value in entries.value if key.value == name)
    keys = {key.value: (key, value) for key, value in entries.value}
    key, value = keys[winner.experiment]
    first = last = _last_line(key, value) + 1
    if winner.name in keys:
        key, value = keys[winner.name]
        first, last = key.start_mark.line, _last_line(key, value) + 1
    indent = " " * key.start_mark.column
    return "\n".join([*lines[:first], *(indent + line for line in entry.splitlines()), *lines[last:]]) + "\n"


def _last_line(key: Node, value: Node) -> int:
    """The line that an entry ends on; the end mark of a block is behind the comments and empty lines after it."""
    first: int = key.start_mark.line
    last: int = value.end_mark.line
    if isinstance(value, MappingNode) and not value.flow_style and value.value:
        return max(first, _last_line(*value.value[-1]))  # an alias has the marks of what it stands for
    if isinstance(value, SequenceNode) and not value.flow_style and value.value:
        return max(first, _last_line(key, value.value[-1]))
    return max(first, last)


def _in_one_line(key: str, value: Any) -> str:
    yaml = YAML()
    yaml.default_flow_style, yaml.width = True, sys.maxsize
    stream = StringIO()
    yaml.dump({key: _quoted(value)}, stream)
    return stream.getvalue().strip().removeprefix("{").removesuffix("}")


def _quoted(value: Any) -> Any:
    """Settings with quotes around every text that is not plain words: YAML parsers do not agree on the others."""
    if isinstance(value, dict):
        return {key: _quoted(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_quoted(each) for each in value]
    is_plain = not isinstance(value, str) or (PLAIN.fullmatch(value) and value.lower() not in NOT_TEXT)
    return value if is_plain else DoubleQuotedScalarString(value)
