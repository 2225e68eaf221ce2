"""A study's best trial as an entry of params.yaml."""

from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from typing import Any

from optuna import Study
from ruamel.yaml import YAML

from modelyard.config import nearest, read_yaml
from modelyard.errors import ModelyardError
from modelyard.settings import EXPERIMENT_SECTIONS
from modelyard.tuning.findings import Findings, find

WIDTH = 116  # params.yaml has 120 columns


@dataclass(frozen=True)
class Winner:
    """An experiment with the values of a study's best trial, and what is to be said of it."""

    section: str
    experiment: str
    settings: dict[str, Any]
    note: str

    @property
    def name(self) -> str:
        """What the entry is called."""
        return f"{self.experiment}_tuned"

    @property
    def text(self) -> str:
        """The entry in the style of params.yaml."""
        return as_yaml({self.name: self.settings})


def winner(study: Study, params: Path) -> Winner:
    """What the best trial of a study makes of its experiment, as that stands in `params`.

    Raises:
        ModelyardError: no trial has finished, none is better than the experiment, or the experiment is gone.
    """
    found = find(study)
    best = _better(found)
    written = read_yaml(params)
    sections = [section for section in EXPERIMENT_SECTIONS if found.experiment in written.get(section, {})]
    if not sections:
        there = [name for section in EXPERIMENT_SECTIONS for name in written.get(section, {})]
        advice = nearest(found.experiment, there)
        raise ModelyardError(f"study {found.study}: {params.name} has no experiment {found.experiment}; {advice}")
    settings = written[sections[0]][found.experiment]
    for key, value in found.settings_of(best).items():
        settings = _with(settings, key.split("."), tuple(value) if isinstance(value, list) else value)
    note = f"best of {len(found.trials)} trials of study {found.study}"
    return Winner(sections[0], found.experiment, settings, note)


def as_yaml(content: dict[str, Any]) -> str:
    """Settings as YAML: what holds nothing but plain values in one line."""
    yaml = YAML()
    yaml.default_flow_style, yaml.width = None, WIDTH
    yaml.representer.add_representer(tuple, lambda representer, each: representer.represent_list(list(each)))
    stream = StringIO()
    yaml.dump(content, stream)
    return stream.getvalue()


def _better(found: Findings) -> Any:
    if found.best is None:
        raise ModelyardError(
            f"study {found.study} has no finished trial yet: there is no winner. Run `modelyard tune {found.study}`."
        )
    if found.present and found.best.params == found.present.params:
        raise ModelyardError(
            f"study {found.study}: no trial is better than experiment {found.experiment} as it is "
            f"({found.metric} {found.best.value:.4g}). Give it more trials or a wider range."
        )
    return found.best


def _with(settings: dict[str, Any], keys: list[str], value: Any) -> dict[str, Any]:
    """Nested settings with another value at the end of `keys`."""
    key, *rest = keys
    return {**settings, key: _with(settings.get(key) or {}, rest, value) if rest else value}
