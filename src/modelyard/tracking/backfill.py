"""Adds to MLflow what is missing for up-to-date results: runs of results that DVC restored, and the MD5s of dvc.lock.

A run is the one that wrote some results if its settings and its last epoch equal those of the results.
"""

import json
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from math import inf, isclose, isfinite
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from modelyard import models
from modelyard.core.config import flatten, nest
from modelyard.core.errors import ModelyardError
from modelyard.core.files import read_json, write_json
from modelyard.data import inputs
from modelyard.orchestration import dvc_lock
from modelyard.params.fold_evaluation import EVALUATE
from modelyard.params.project import AnyExperiment, Project
from modelyard.params.results import ExperimentResults, evaluate_stage, results_of, train_stage
from modelyard.tracking import descriptions, lineage, queries
from modelyard.tracking.queries import RunRecord
from modelyard.tracking.run import LINEAGE, Run, backfill_run, is_of_model
from modelyard.tracking.store import database_file, masked_tracking_uri, project_root, saved_run_id

NOT_ADDED = "not added, see the warning"
TOLERANCE = 1e-6  # relative: history.csv has nine digits


@dataclass(frozen=True)
class LockedExperiment:
    """An experiment with its results, and with its two stages as dvc.lock has them.

    Settings and device are those of its training. `stage` is the name of the training stage.
    """

    name: str
    settings: dict[str, Any]
    device: str
    results: ExperimentResults
    training: dvc_lock.LockedStage
    evaluation: dvc_lock.LockedStage
    stage: str

    @property
    def outs(self) -> dict[str, str]:
        """The MD5 of each output of both stages, by path."""
        return {**self.training.outs, **self.evaluation.outs}

    @property
    def deps(self) -> dict[str, str]:
        """The MD5 of each dependency of the two stages that neither of them wrote, by path."""
        read = {**self.training.deps, **self.evaluation.deps}
        return {path: md5 for path, md5 in read.items() if path not in self.outs}

    @property
    def training_folder(self) -> Path:
        """The folder of the training data."""
        return next(Path(path) for path in self.training.deps if path.endswith("/training"))


def backfill(project: Project, names: Iterable[str], recheck: bool = True) -> dict[str, str]:
    """Add what the store is missing of experiments whose files are up to date.

    Args:
        project: the settings of params.yaml.
        names: experiments whose files are here and equal dvc.lock.
        recheck: whether to look also for those runs that `.modelyard/backfilled.json` lists as complete.

    Returns:
        What was done, by experiment, or NOT_ADDED after a failure, of which a warning was printed; those that needed
        nothing are left out.

    Raises:
        ModelyardError: the store fails.
    """
    stages, complete = dvc_lock.read(Path()), _CompleteRuns()
    experiments = [_locked_experiment(project, name, stages) for name in names]
    done = {}
    for experiment in experiments:
        if not recheck and experiment in complete:
            continue
        record = _find_run(experiment)
        if not _is_complete(experiment, record):
            change = _add(experiment, record)
            record = _find_run(experiment)
            done[experiment.name] = change if _is_complete(experiment, record) else NOT_ADDED
        if _is_complete(experiment, record):
            complete.add(experiment)
    return done


def _locked_experiment(project: Project, name: str, stages: dict[str, dvc_lock.LockedStage]) -> LockedExperiment:
    section = project.section_of(name)
    training = stages[train_stage(section, name)]
    return LockedExperiment(
        name=name,
        settings=_settings_of_training(project, name, training),
        device=training.params.get("runtime.device", project.runtime.device),
        results=results_of(project, name),
        training=training,
        evaluation=stages[evaluate_stage(section, name)],
        stage=train_stage(section, name),
    )


def _settings_of_training(project: Project, name: str, training: dvc_lock.LockedStage) -> dict[str, Any]:
    """Every setting of an experiment: dvc.lock has those of its training, and params.yaml may have others by now."""
    section, stated = project.section_of(name), project.all_experiments[name].model_dump(exclude_unset=True)
    locked = nest(training.params).get(section, {}).get(name, {})
    of_section = TypeAdapter[Any](Project.model_fields[section].rebuild_annotation())
    experiment: AnyExperiment = of_section.validate_python({name: stated | locked})[name]
    return experiment.model_dump(mode="json")


def _find_run(experiment: LockedExperiment) -> RunRecord | None:
    """The latest run that wrote these results, if any."""
    params = _of_training({key: str(value) for key, value in flatten(experiment.settings).items()})
    *_, last_epoch = _epochs(experiment.results)
    del last_epoch["epoch"]
    for record in queries.runs_of(experiment.name):
        is_equal = record.status == "FINISHED" and _of_training(record.params) == params
        is_equal = is_equal and _agree(record.metrics, last_epoch)
        if is_equal and is_of_model(record.tags, experiment.results.model):
            return record
    return None


def _of_training(params: Mapping[str, str]) -> dict[str, str]:
    """The parameters of a run without those that change no model, which may be set after its training."""
    return {key: value for key, value in params.items() if key.partition(".")[0] not in EVALUATE}


def _is_complete(experiment: LockedExperiment, record: RunRecord | None) -> bool:
    """Whether there is a run that names every output and has the card; earlier versions wrote a tag for each output."""
    if record is None or (experiment.results.has_card and not descriptions.has_card(record.tags)):
        return False
    of_each = {f"out:{path}": md5 for path, md5 in experiment.outs.items()}
    whole = {LINEAGE: lineage.outs_digest(experiment.outs)}
    return (whole if LINEAGE in record.tags else of_each).items() <= record.tags.items()


def _add(experiment: LockedExperiment, record: RunRecord | None) -> str:
    """Complete the run that wrote the results, or add one; returns which."""
    results = experiment.results
    with backfill_run(experiment.name, record.id if record else None) as run:
        if record is None:
            _log_training(experiment, run)
        if record is None or not _has_evaluation(record, results):
            run.log_evaluation(results.metrics, results.details, results.plots)
        if results.has_card:
            run.log_card(results.card)
        run.log_lineage(experiment.deps, experiment.outs)
    return "completed" if record else "added from its files"


def _log_training(experiment: LockedExperiment, run: Run) -> None:
    model = models.load(experiment.results.model)
    data = inputs.load_training(experiment.training_folder)
    run.log_backfill_source("result files of an earlier training, or of one elsewhere")
    run.log_inputs(flatten(experiment.settings), data.description, experiment.training_folder)
    run.log_device(experiment.device, lineage.recorded(experiment.stage, experiment.training, Path()) or {})
    for metrics in _epochs(experiment.results):
        run.log_epoch(metrics)
    run.log_model(model, experiment.results.model)


def _epochs(results: ExperimentResults) -> list[dict[str, float]]:
    """The metrics of each epoch, and its number as `epoch`."""
    return [{str(name): value for name, value in row.items()} for row in results.history().to_dict("records")]


def _has_evaluation(record: RunRecord, results: ExperimentResults) -> bool:
    return _agree(record.metrics, {f"test_{name}": value for name, value in results.metrics.items()})


def _agree(logged: Mapping[str, float], expected: Mapping[str, float]) -> bool:
    finite = {name: value for name, value in expected.items() if isfinite(value)}
    return all(isclose(logged.get(name, inf), value, rel_tol=TOLERANCE) for name, value in finite.items())


class _CompleteRuns:
    """The experiments found complete, with their outputs, in a file: opening the store to find out takes seconds."""

    def __init__(self) -> None:
        self._file = project_root() / ".modelyard" / "backfilled.json"
        is_lost = (file := database_file()) is not None and not file.exists()
        self._entries: dict[str, dict[str, str]] = {}
        # Without the file, or with a damaged one, every run is looked for again.
        with suppress(OSError, ModelyardError, TypeError, ValueError):
            self._entries = {} if is_lost else dict(read_json(self._file))

    def __contains__(self, experiment: LockedExperiment) -> bool:
        return self._entries.get(experiment.name) == self._entry(experiment)

    def add(self, experiment: LockedExperiment) -> None:
        self._entries[experiment.name] = self._entry(experiment)
        write_json(self._file, self._entries)

    def _entry(self, experiment: LockedExperiment) -> dict[str, str]:
        # Other settings can give the same outputs, and so can a further run, which then lacks the evaluation.
        settings = {key: value for key, value in experiment.settings.items() if key not in EVALUATE}
        training = {"settings": json.dumps(settings), "run": saved_run_id(experiment.name)}
        card = {"card": str(experiment.results.has_card)}
        return {"store": masked_tracking_uri()} | training | card | experiment.outs
