"""Fills in the diary from the files: what DVC restored from its cache, what a colleague pulled, what went in and out.

Files are the truth, so it is enough to look at them: a run is the one that wrote them if its settings and its learning
curve are theirs. What is told already is left alone.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from math import inf, isclose, isfinite
from pathlib import Path
from typing import TYPE_CHECKING, Any

from modelyard import models, tracking
from modelyard.core.config import flat
from modelyard.core.files import read_json, write_json
from modelyard.data import inputs
from modelyard.orchestration import dvc_lock
from modelyard.params.project import Project
from modelyard.params.results import evaluate_stage, train_stage
from modelyard.tracking import queries
from modelyard.tracking.queries import RunRecord

if TYPE_CHECKING:
    import pandas as pd

TOLERANCE = 1e-6  # of a figure that was written with nine digits


@dataclass(frozen=True)
class Result:
    """What the files say of one experiment: its settings, and its two stages as DVC locked them."""

    name: str
    settings: dict[str, Any]
    training: dvc_lock.LockedStage
    evaluation: dvc_lock.LockedStage

    @cached_property
    def history(self) -> "pd.DataFrame":
        """The learning curve, a row for each epoch."""
        import pandas as pd

        return pd.read_csv(self.path("history.csv"))

    @cached_property
    def metrics(self) -> dict[str, float]:
        """The figures on the test rows."""
        return read_json(self.path("metrics.json"))

    @property
    def outs(self) -> dict[str, str]:
        """The MD5 of all that both stages wrote."""
        return {**self.training.outs, **self.evaluation.outs}

    @property
    def deps(self) -> dict[str, str]:
        """The MD5 of all that either stage read and neither wrote."""
        read = {**self.training.deps, **self.evaluation.deps}
        return {path: md5 for path, md5 in read.items() if path not in self.outs}

    def path(self, end: str) -> Path:
        """The file or folder that came out with a path that ends like this."""
        return next(Path(path) for path in self.outs if path.endswith(f"/{end}"))

    @property
    def training_rows(self) -> Path:
        """The folder of rows that the model learnt from."""
        return next(Path(path) for path in self.training.deps if path.endswith("/training"))


def backfill(project: Project, names: Iterable[str], again: bool = True) -> dict[str, str]:
    """Have the diary tell of experiments whose files are up to date; returns what was done, by experiment.

    Args:
        project: what params.yaml says.
        names: experiments whose files are here and are those of dvc.lock.
        again: look also at those of which a note beside the ids says that they are told.
    """
    stages, noted = dvc_lock.read(Path()), _Noted()
    results = [_result(project, name, stages) for name in names]
    wanted = [result for result in results if again or not noted.has(result)]
    done = {}
    for result in wanted:
        record = _record_of(result)
        if not _is_told(result, record):
            done[result.name] = _fill(result, record)
        if _is_told(result, _record_of(result)):  # else tracking has failed, and warned
            noted.add(result)
    return done


def _result(project: Project, name: str, stages: dict[str, dvc_lock.LockedStage]) -> Result:
    section = project.section_of(name)
    ends = (train_stage(section, name), evaluate_stage(section, name))
    return Result(name, project.all_experiments[name].model_dump(mode="json"), *(stages[end] for end in ends))


def _record_of(result: Result) -> RunRecord | None:
    """The latest run that wrote these files: the same settings, and a learning curve that ends alike."""
    params = {key: str(value) for key, value in flat(result.settings).items()}
    last = result.history.iloc[-1].drop("epoch").to_dict()
    for record in queries.runs_of(result.name):
        if record.status == "FINISHED" and record.params == params and _agree(record.metrics, last):
            return record
    return None


def _is_told(result: Result, record: RunRecord | None) -> bool:
    """Whether a run names all that came out."""
    tags = {f"out:{path}": md5 for path, md5 in result.outs.items()}
    return record is not None and tags.items() <= record.tags.items()


def _fill(result: Result, record: RunRecord | None) -> str:
    """Complete the run that wrote the files, or make one that tells of them; says which."""
    with tracking.backfill_run(result.name, record and record.id) as run:
        if record is None:
            _tell_training(result, run)
        if record is None or not _has_evaluation(record, result):
            run.log_evaluation(result.metrics, read_json(result.path("details.json")), result.path("figures"))
        run.log_lineage(result.deps, result.outs)
    return "completed" if record else "filled in from its files"


def _tell_training(result: Result, run: tracking.Run) -> None:
    model, rows = models.load(result.path("model")), result.training_rows
    run.log_origin("the files of an earlier or another's training")
    run.log_inputs(flat(result.settings), inputs.load_training(rows).description, rows)
    for figures in result.history.to_dict("records"):
        run.log_epoch(figures)
    run.log_model(model)


def _has_evaluation(record: RunRecord, result: Result) -> bool:
    return _agree(record.metrics, {f"test_{name}": value for name, value in result.metrics.items()})


def _agree(told: Mapping[str, float], written: Mapping[str, float]) -> bool:
    figures = {name: value for name, value in written.items() if isfinite(value)}
    return all(isclose(told.get(name, inf), value, rel_tol=TOLERANCE) for name, value in figures.items())


class _Noted:
    """The experiments that were found told, each with its outputs: it saves opening the store to find that again."""

    def __init__(self) -> None:
        self._file = tracking.project_root() / ".modelyard" / "told.json"
        database = tracking.tracking_uri().removeprefix("sqlite:///")
        lost = database != tracking.tracking_uri() and not Path(database).exists()
        self._all = read_json(self._file) if self._file.exists() and not lost else {}

    def has(self, result: Result) -> bool:
        return self._all.get(result.name) == self._note(result)

    def add(self, result: Result) -> None:
        self._all[result.name] = self._note(result)
        write_json(self._file, self._all)

    def _note(self, result: Result) -> dict[str, str]:
        return {"store": tracking.masked_tracking_uri()} | result.outs
