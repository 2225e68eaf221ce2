"""One section for each experiment: settings, metrics, last epoch, plots and build times."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from pydantic import BaseModel

from modelyard.core.config import Settings, flatten
from modelyard.experiments.compare import MISSING, UNREADABLE
from modelyard.models.engine.training_settings import trained_epoch
from modelyard.orchestration.dvc_lock import or_pull
from modelyard.orchestration.scheduler import TIMES
from modelyard.params.project import Project
from modelyard.params.results import ExperimentResults, evaluate_stage, results_of, train_stage
from modelyard.reporting.inline_images import InlineImage
from modelyard.reporting.project_files import ProjectFiles
from modelyard.reporting.slices import SliceRow, slice_rows
from modelyard.reporting.tables import ResultRow, ResultTable, interval_text


@dataclass(frozen=True)
class Measurements:
    """What an evaluation has measured on test samples.

    Attributes:
        metrics: every metric with its interval, as text.
        classes: values by class and by name.
        positive_class: of two classes, the one that the metrics are of; else empty.
        threshold: what decides between two classes, in words; empty for the likelier class.
        slices: the headline metric of each slice, the whole test set first.
    """

    metrics: dict[str, str] = field(default_factory=dict)
    classes: dict[str, dict[str, float | None]] = field(default_factory=dict)
    positive_class: str = ""
    threshold: str = ""
    slices: list[SliceRow] = field(default_factory=list)


NOT_MEASURED = Measurements()


@dataclass(frozen=True)
class ExperimentSection:
    """One experiment.

    Attributes:
        row: its row in the result table.
        dataset: the data set it learns from.
        folder: its results folder within the project.
        settings: what params.yaml sets, by dotted key.
        defaults: the other settings, by dotted key.
        last_epoch: the row of history.csv of the epoch whose weights the model has: the last, or the best if restored.
        restores_best: whether that is the best one.
        measured: what was measured on test samples.
        seconds: how long `train` and `evaluate` took when they last ran here.
        model_md5: the MD5 of the model's folder in dvc.lock; empty if it is not there.
        plots: its plots.
    """

    row: ResultRow
    dataset: str
    folder: str
    settings: dict[str, Any]
    defaults: dict[str, Any]
    last_epoch: dict[str, float]
    restores_best: bool
    measured: Measurements
    seconds: dict[str, float]
    model_md5: str
    plots: tuple[InlineImage, ...]

    @property
    def class_columns(self) -> list[str]:
        """The names of the values by class."""
        return list(next(iter(self.measured.classes.values())))


def build_seconds(files: ProjectFiles) -> dict[str, float]:
    """How long each stage took when it last ran here."""
    seconds = files.attempt(str(TIMES), lambda: _seconds(files), None)
    if seconds is None:
        files.missing.append(f"build times: no {TIMES}; modelyard run writes it")
    return seconds or {}


def experiment_sections(
    files: ProjectFiles,
    project: Project,
    tables: Iterable[ResultTable],
    outputs: Mapping[str, str],
    seconds: Mapping[str, float],
) -> list[ExperimentSection]:
    """Every experiment, in the order of the tables.

    Args:
        files: the project's files.
        project: params.yaml.
        tables: the result tables.
        outputs: the MD5 of every output in dvc.lock, by path.
        seconds: how long each stage took.
    """
    return [_section(files, project, table.dataset, row, outputs, seconds) for table in tables for row in table.rows]


def _section(
    files: ProjectFiles,
    project: Project,
    dataset: str,
    row: ResultRow,
    outputs: Mapping[str, str],
    seconds: Mapping[str, float],
) -> ExperimentSection:
    name = row.experiment
    section, results = project.section_of(name), results_of(project, name, files.root)
    stages = {"train": train_stage(section, name), "evaluate": evaluate_stage(section, name)}
    plots = files.images(results.plots)
    training = project.all_experiments[name].training
    if row.state == MISSING:
        files.missing.append(f"{name}: {MISSING}. To build it: modelyard run {name}")
    elif row.state.startswith(UNREADABLE):
        files.missing.append(f"{name}: {row.state}")
    elif not plots:
        pull = or_pull(stages["evaluate"], files.root)
        files.missing.append(f"{name}: no plots here. To build them: modelyard run {name}{pull}")
    return ExperimentSection(
        row=row,
        dataset=dataset,
        folder=results.folder.relative_to(files.root).as_posix(),
        settings=stated_settings(project.all_experiments[name]),
        defaults=default_settings(project.all_experiments[name]),
        last_epoch=files.attempt(f"{results.folder}/history.csv", lambda: _last_epoch(results, training), {}),
        restores_best=_restored(training) is not None,
        measured=files.attempt(
            f"{results.folder}/details.json",
            lambda: read_measurements(results, [result.metric for result in row.metrics]),
            NOT_MEASURED,
        )
        if row.metrics
        else NOT_MEASURED,
        seconds={step: seconds[stage] for step, stage in stages.items() if stage in seconds},
        model_md5=outputs.get(results.model.relative_to(files.root).as_posix(), ""),
        plots=plots,
    )


def read_measurements(results: ExperimentResults, first: Iterable[str] = ()) -> Measurements:
    """Read what metrics.json and details.json have, with the metrics of `first` before the others.

    Raises:
        ModelyardError: one of them is not what an evaluation writes.
    """
    threshold = results.threshold
    return Measurements(
        metrics={
            name: interval_text(*values)
            for name, values in results.compared(dict.fromkeys([*first, *results.metrics])).items()
        },
        classes=results.classes,
        positive_class=results.positive_class,
        threshold=threshold.text(results.positive_class) if threshold else "",
        slices=slice_rows(results),
    )


def _seconds(files: ProjectFiles) -> dict[str, float] | None:
    content = files.json(str(TIMES))
    return None if content is None else {stage: float(seconds) for stage, seconds in content.items()}


def stated_settings(experiment: BaseModel) -> dict[str, Any]:
    """The settings that params.yaml states, by dotted key."""
    return flatten(experiment.model_dump(mode="json", exclude_unset=True))


def default_settings(experiment: BaseModel) -> dict[str, Any]:
    """The other settings that have a value."""
    stated, every = stated_settings(experiment), flatten(experiment.model_dump(mode="json"))
    return {key: value for key, value in every.items() if key not in stated and value is not None}


def _restored(training: Settings) -> str | None:
    """The metric of the best epoch, if the model has its weights."""
    stopping = getattr(training, "early_stopping", None)
    return stopping.monitor if stopping and stopping.restore_best else None


def _last_epoch(results: ExperimentResults, training: Settings) -> dict[str, float]:
    try:
        history = results.history()
    except FileNotFoundError:
        return {}
    if history.empty:
        return {}
    restored = _restored(training)
    row = history.iloc[trained_epoch(training, history) if restored in history else -1]
    return {str(name): float(value) for name, value in row.dropna().items()}
