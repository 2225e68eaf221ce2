"""What differs between two states of the project: settings, data, metrics, verdicts."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from modelyard.core.config import flatten
from modelyard.metrics.definitions import find_metric, shown_metrics
from modelyard.orchestration import dvc_lock
from modelyard.params.project import EXPERIMENT_SECTIONS, Project, TransferExperiment
from modelyard.params.results import INTERVALS, METRICS, PRETRAINED_STAGES, results_folder, train_stage
from modelyard.replication.claims import Verdict
from modelyard.reporting.project_files import ProjectFiles

DATA = ("data/raw/", "data/inputs/")  # the outputs in dvc.lock that are data
LOCKS = {"dvc.lock": "", "pretrained/dvc.lock": PRETRAINED_STAGES}  # with what comes before the names of their stages
TRAINED_BY = ("input", "model", "training")  # the settings of an experiment that its training depends on
CLAIMS = "reports/claims.json"


@dataclass(frozen=True)
class ProjectState:
    """A project's settings and results.

    Attributes:
        settings: params.yaml, with published.yaml and claims.yaml as its sections `published` and `claims`.
        metrics: values by experiment and metric.
        intervals: 95 % intervals by experiment and metric.
        outputs: the MD5 of every output in dvc.lock, by path.
        locked: the settings of every stage at its last run, by dotted key.
        verdicts: by claim.
    """

    settings: dict[str, Any]
    metrics: dict[str, dict[str, float]]
    intervals: dict[str, dict[str, tuple[float, float]]]
    outputs: dict[str, str]
    locked: dict[str, Mapping[str, Any]]
    verdicts: dict[str, str]


@dataclass(frozen=True)
class ValueChange:
    """A value before and now; None where it is not set."""

    name: str
    before: Any
    now: Any


@dataclass(frozen=True)
class MetricChange:
    """A metric whose value changed; `is_outside` says whether it left the earlier 95 % interval."""

    experiment: str
    metric: str
    before: float
    now: float
    is_better: bool
    is_outside: bool
    is_headline: bool


@dataclass(frozen=True)
class ProjectChanges:
    """All differences; `metrics` has those of experiments with results in both states, to four digits."""

    added: tuple[str, ...]
    removed: tuple[str, ...]
    settings: tuple[ValueChange, ...]
    data: tuple[ValueChange, ...]
    metrics: tuple[MetricChange, ...]
    verdicts: tuple[ValueChange, ...]

    def __bool__(self) -> bool:
        return any((self.added, self.removed, self.settings, self.data, self.metrics, self.verdicts))


def read_state(files: ProjectFiles) -> ProjectState:
    """Read the state of a project; result files that are missing or not readable count as empty.

    Raises:
        ModelyardError: a file of settings or a dvc.lock is not valid.
    """
    settings = _read_settings(files)
    folders = {name: results_folder(section, name) for section, name in _experiments(settings)}
    results = {name: _results(files, folder) for name, folder in folders.items()}
    stages = dict(_stages(files))
    return ProjectState(
        settings=settings,
        metrics={name: metrics for name, (metrics, _) in results.items()},
        intervals={name: intervals for name, (_, intervals) in results.items()},
        outputs={path: md5 for stage in stages.values() for path, md5 in stage.outs.items()},
        locked={name: stage.params for name, stage in stages.items()},
        verdicts=files.attempt(CLAIMS, lambda: _verdicts((files.json(CLAIMS) or {}).get("claims", {})), {}),
    )


def with_other_settings(project: Project, state: ProjectState) -> Iterator[str]:
    """The experiments that were last built with other settings than are there: of their data, training or backbone."""
    now = flatten(state.settings)
    for name in project.all_experiments:
        chain = _self_and_backbones(project, name)
        settings = {stage: keys for each in chain for stage, keys in _settings_of_stages(project, each).items()}
        if any(
            locked and _beneath(keys, locked) != _beneath(keys, now)
            for stage, keys in settings.items()
            for locked in [state.locked.get(stage)]
        ):
            yield name


def _self_and_backbones(project: Project, name: str) -> Iterator[str]:
    """An experiment, then the one whose network it starts from, and so on."""
    yield name
    experiment = project.all_experiments[name]
    if isinstance(experiment, TransferExperiment) and experiment.model.backbone in project.all_experiments:
        yield from _self_and_backbones(project, experiment.model.backbone)


def _settings_of_stages(project: Project, name: str) -> dict[str, list[str]]:
    """The settings that each stage of an experiment depends on, by the name of the stage."""
    section, used = project.section_of(name), project.all_experiments[name].input
    return {
        train_stage(section, name): ["runtime", *(f"{section}.{name}.{key}" for key in TRAINED_BY)],
        f"normalise@{used}": [f"inputs.{used}", f"datasets.{project.dataset_of(name)}"],
    }


def _beneath(keys: Iterable[str], values: Mapping[str, Any]) -> dict[str, Any]:
    """The values at these dotted keys and beneath them."""
    starts = tuple(f"{key}." for key in keys)
    return {key: value for key, value in values.items() if f"{key}.".startswith(starts)}


def _results(files: ProjectFiles, folder: str) -> tuple[dict[str, float], dict[str, tuple[float, float]]]:
    """The metrics of an experiment, and their 95 % intervals."""
    values, details = f"{folder}/metrics.json", f"{folder}/details.json"
    given, of_details = files.json(values) or {}, files.json(details) or {}
    metrics: dict[str, float] = files.attempt(values, partial(METRICS.validate_python, given), {})
    intervals: dict[str, tuple[float, float]] = files.attempt(
        details, partial(INTERVALS.validate_python, of_details.get("intervals", {})), {}
    )
    return metrics, intervals


def compare_states(project: Project, before: ProjectState, now: ProjectState) -> ProjectChanges:
    """Compare two states of a project; `project` is its params.yaml now, which knows the tasks of the experiments."""
    old, new = ([name for _, name in _experiments(state.settings)] for state in (before, now))
    both = [name for name in project.all_experiments if name in old and name in new]
    return ProjectChanges(
        added=tuple(name for name in new if name not in old),
        removed=tuple(name for name in old if name not in new),
        settings=tuple(_value_changes(_settings(before, both), _settings(now, both))),
        data=tuple(_value_changes(_data(before), _data(now))),
        metrics=tuple(change for name in both for change in _metric_changes(project, name, before, now)),
        verdicts=tuple(_value_changes(before.verdicts, now.verdicts)),
    )


def _read_settings(files: ProjectFiles) -> dict[str, Any]:
    """The three files of settings as one; in older commits params.yaml held the sections `published` and `claims`."""
    settings = files.yaml("params.yaml") or {}
    published = {
        name: {"metrics" if key == "figures" else key: value for key, value in entry.items()}  # in older commits
        for name, entry in (settings.get("published") or {}).items()
    }
    return settings | {
        "published": files.yaml("published.yaml") or published,
        "claims": files.yaml("claims.yaml") or settings.get("claims") or {},
    }


def _experiments(settings: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Section and name of every experiment."""
    for section in EXPERIMENT_SECTIONS:
        for name in settings.get(section) or ():
            yield section, name


def _verdicts(claims: Mapping[str, Any]) -> dict[str, str]:
    return {name: claim["verdict"] for name, claim in claims.items() if claim["verdict"] != Verdict.NOT_RUN}


def _settings(state: ProjectState, experiments: list[str]) -> dict[str, Any]:
    """Every setting under its dotted key, without those of experiments that were added or removed as a whole."""
    settings = dict(state.settings)
    for section in (*EXPERIMENT_SECTIONS, "published"):
        entries = settings.get(section) or {}
        settings[section] = {name: entry for name, entry in entries.items() if name in experiments}
    return flatten({section: values for section, values in settings.items() if values != {}})


def _value_changes(before: Mapping[str, Any], now: Mapping[str, Any]) -> Iterator[ValueChange]:
    for name in dict.fromkeys([*before, *now]):
        if before.get(name) != now.get(name):
            yield ValueChange(name, before.get(name), now.get(name))


def _metric_changes(project: Project, name: str, before: ProjectState, now: ProjectState) -> Iterator[MetricChange]:
    for rank, metric in enumerate(shown_metrics(project.task_of(name), now.metrics[name])):
        old, new = before.metrics[name].get(metric), now.metrics[name].get(metric)
        if old is None or new is None or f"{old:.4g}" == f"{new:.4g}":
            continue
        low, high = before.intervals[name].get(metric, (old, old))
        is_better = (new > old) == find_metric(metric).higher_is_better
        yield MetricChange(name, metric, old, new, is_better, not low <= new <= high, is_headline=rank == 0)


def _data(state: ProjectState) -> dict[str, str]:
    return {path: md5 for path, md5 in state.outputs.items() if path.startswith(DATA)}


def _stages(files: ProjectFiles) -> Iterator[tuple[str, dvc_lock.LockedStage]]:
    for lock, prefix in LOCKS.items():
        text = files.text(lock)
        if text is not None:
            for name, stage in dvc_lock.parse(text, files.label(lock)).items():
                yield prefix + name, stage
