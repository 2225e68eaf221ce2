"""What differs between two states of the project: settings, data, figures, verdicts."""

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from modelyard.core.config import flat
from modelyard.core.errors import ModelyardError
from modelyard.metrics.definitions import find_metric, shown_metrics
from modelyard.orchestration import dvc_lock
from modelyard.params.project import EXPERIMENT_SECTIONS, Project

DATA = ("data/raw/", "data/inputs/")  # outputs whose changes are told
LOCKS = ("dvc.lock", "pretrained/dvc.lock")
CLAIMS, NOT_RUN = "reports/claims.json", "not run"

Read = Callable[[str], str | None]


@dataclass(frozen=True)
class State:
    """The project as some files tell it: figures and intervals by experiment and metric, MD5 of outputs by path."""

    params: dict[str, Any]
    figures: dict[str, dict[str, float]]
    intervals: dict[str, dict[str, tuple[float, float]]]
    outputs: dict[str, str]
    verdicts: dict[str, str]


@dataclass(frozen=True)
class Difference:
    """One value before and now; None where it is not there."""

    name: str
    before: Any
    now: Any


@dataclass(frozen=True)
class Shift:
    """A figure that changed: whether to the better, and whether beyond the earlier interval."""

    experiment: str
    metric: str
    before: float
    now: float
    better: bool
    beyond: bool
    is_first: bool


@dataclass(frozen=True)
class Changes:
    """All that differs. `figures` are those of experiments that were built before and now, to four digits."""

    added: tuple[str, ...]
    removed: tuple[str, ...]
    params: tuple[Difference, ...]
    data: tuple[Difference, ...]
    figures: tuple[Shift, ...]
    verdicts: tuple[Difference, ...]

    def __bool__(self) -> bool:
        return any((self.added, self.removed, self.params, self.data, self.figures, self.verdicts))


def state(read: Read) -> State:
    """What the files say that `read` gives by path; a file that is not there says nothing.

    Raises:
        ModelyardError: a file is not valid YAML or JSON.
    """
    params = _parsed(read, "params.yaml") or {}
    names = [name for section in EXPERIMENT_SECTIONS for name in params.get(section) or ()]
    metrics = {name: _parsed(read, f"results/{name}/metrics.json") or {} for name in names}
    details = {name: _parsed(read, f"results/{name}/details.json") or {} for name in names}
    return State(
        params=params,
        figures=metrics,
        intervals={name: found.get("intervals", {}) for name, found in details.items()},
        outputs=dict(_outputs(read)),
        verdicts=_verdicts((_parsed(read, CLAIMS) or {}).get("claims", {})),
    )


def changes(project: Project, before: State, now: State) -> Changes:
    """What became of one state in another, in the words of today's project."""
    old, new = _experiments(before), _experiments(now)
    both = [name for name in project.all_experiments if name in old and name in new]
    return Changes(
        added=tuple(name for name in new if name not in old),
        removed=tuple(name for name in old if name not in new),
        params=tuple(_differences(_settings(before, both), _settings(now, both))),
        data=tuple(_differences(_data(before), _data(now))),
        figures=tuple(shift for name in both for shift in _shifts(project, name, before, now)),
        verdicts=tuple(_differences(before.verdicts, now.verdicts)),
    )


def _verdicts(claims: Mapping[str, Any]) -> dict[str, str]:
    return {name: claim["verdict"] for name, claim in claims.items() if claim["verdict"] != NOT_RUN}


def _experiments(state: State) -> list[str]:
    return [name for section in EXPERIMENT_SECTIONS for name in state.params.get(section) or ()]


def _settings(state: State, experiments: list[str]) -> dict[str, Any]:
    """Every value of params.yaml under its dotted key, but those of experiments that came or went as a whole."""
    kept = dict(state.params)
    for section in (*EXPERIMENT_SECTIONS, "published"):
        kept[section] = {name: entry for name, entry in (kept.get(section) or {}).items() if name in experiments}
    return flat(kept)


def _differences(before: Mapping[str, Any], now: Mapping[str, Any]) -> Iterator[Difference]:
    for name in dict.fromkeys([*before, *now]):
        if before.get(name) != now.get(name):
            yield Difference(name, before.get(name), now.get(name))


def _shifts(project: Project, name: str, before: State, now: State) -> Iterator[Shift]:
    for place, metric in enumerate(shown_metrics(project.task_of(name))):
        old, new = before.figures[name].get(metric), now.figures[name].get(metric)
        if old is None or new is None or f"{old:.4g}" == f"{new:.4g}":
            continue
        low, high = before.intervals[name].get(metric, (old, old))
        better = (new > old) == find_metric(metric).higher_is_better
        yield Shift(name, metric, old, new, better, not low <= new <= high, place == 0)


def _data(state: State) -> dict[str, str]:
    return {path: md5 for path, md5 in state.outputs.items() if path.startswith(DATA)}


def _outputs(read: Read) -> Iterator[tuple[str, str]]:
    for lock in LOCKS:
        for stage in dvc_lock.parse(read(lock) or "", Path(lock)).values():
            yield from stage.outs.items()


def _parsed(read: Read, path: str) -> Any:
    text = read(path)
    if text is None:
        return None
    try:
        return json.loads(text) if path.endswith(".json") else YAML(typ="safe").load(text)
    except (ValueError, YAMLError) as error:
        raise ModelyardError(f"{path}: this cannot be read; rebuild it, or restore it from git.\n{error}") from None
