"""A study's best trial as an entry of params.yaml."""

import re
import sys
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from typing import Any

from optuna import Study
from optuna.trial import FrozenTrial
from ruamel.yaml import YAML
from ruamel.yaml.scalarstring import DoubleQuotedScalarString

from modelyard import params
from modelyard.core.config import read_yaml
from modelyard.core.errors import ModelyardError
from modelyard.params.study import tuned_name
from modelyard.tuning.results import StudyResults, cell, find

WIDTH, STEP = 118, "  "  # of a line, before the entry is moved into its section; of a level
PLAIN = re.compile(r"[A-Za-z_]+([ ./-]?[A-Za-z0-9_]+)*")
NOT_TEXT = {"true", "false", "yes", "no", "on", "off", "y", "n", "null"}


@dataclass(frozen=True)
class Winner:
    """An experiment with the values of a study's best trial, and what is to be said of it."""

    section: str
    experiment: str
    study: str
    settings: dict[str, Any]
    note: str

    @property
    def name(self) -> str:
        """What the entry is called."""
        return tuned_name(self.experiment)

    @property
    def text(self) -> str:
        """The entry in the style of params.yaml."""
        return f"{self.name}:\n{as_yaml(self.settings, STEP)}"


def winner(study: Study, file: Path) -> Winner:
    """What the best trial of a study makes of its experiment, as that stands in `file`.

    Raises:
        ModelyardError: no trial has finished, none is better than the experiment, or the experiment or an input is
            another than when the study began.
    """
    found = find(study)
    best, project = _better(found), params.load(file)
    _refuse_changes(found, project, file)
    section = project.section_of(found.experiment)
    entry = read_yaml(file)[section][found.experiment]
    for key, value in found.settings_of(best).items():
        entry = _with(entry, key.split("."), tuple(value) if isinstance(value, list) else value)
    note = f"best of {len(found.trials)} trials of study {found.study}"
    return Winner(section, found.experiment, found.entry, entry, note)


def as_yaml(content: dict[str, Any], indent: str = "") -> str:
    """Settings as YAML: a group in one line where it fits."""
    lines = []
    for key, value in content.items():
        line = indent + _in_one_line(key, value)
        if isinstance(value, dict) and len(line) > WIDTH:
            line = f"{indent}{key}:\n{as_yaml(value, indent + STEP)}"
        lines.append(line)
    return "\n".join(lines)


def _in_one_line(key: str, value: Any) -> str:
    yaml = YAML()
    yaml.default_flow_style, yaml.width = True, sys.maxsize
    stream = StringIO()
    yaml.dump({key: _quoted(value)}, stream)
    return stream.getvalue().strip().removeprefix("{").removesuffix("}")


def _quoted(value: Any) -> Any:
    """Settings with every text in quotes that is no plain words: the parsers of YAML do not agree on the others."""
    if isinstance(value, dict):
        return {key: _quoted(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_quoted(each) for each in value]
    is_plain = not isinstance(value, str) or (PLAIN.fullmatch(value) and value.lower() not in NOT_TEXT)
    return value if is_plain else DoubleQuotedScalarString(value)


def _better(found: StudyResults) -> FrozenTrial:
    if found.best is None:
        raise ModelyardError(
            f"study {found.study} has no finished trial yet: there is no winner. Run `modelyard tune {found.entry}`."
        )
    if found.present and found.best.params == found.present.params:
        raise ModelyardError(
            f"study {found.study}: no trial is better than experiment {found.experiment} as it is "
            f"({found.metric} {cell(found.best.value)}). Give it more trials or a wider range."
        )
    return found.best


def _refuse_changes(found: StudyResults, project: params.Project, file: Path) -> None:
    """Refuse an experiment or inputs that are other than those that were searched on: the scores are not theirs."""
    searched = {found.experiment: found.space["experiment"], **found.space["inputs"]}
    for name, then in searched.items():
        now = project.all_experiments.get(name) or project.inputs.get(name)
        if now is None or now.model_dump(mode="json") != then:
            raise ModelyardError(
                f"study {found.study} searched with another {name} than {file.name} has now, so that its scores say "
                f"nothing of this one. Change {name} back, or search anew: modelyard tune {found.entry} --new"
            )


def _with(settings: dict[str, Any], keys: list[str], value: Any) -> dict[str, Any]:
    """Nested settings with another value at the end of `keys`."""
    key, *rest = keys
    return {**settings, key: _with(settings.get(key) or {}, rest, value) if rest else value}
