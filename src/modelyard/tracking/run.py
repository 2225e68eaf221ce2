"""One MLflow run per experiment: training starts it, evaluation resumes and completes it.

Files are the truth: a tracking failure is a warning and loses nothing. With MODELYARD_TRACKING=off nothing is written.
"""

import sys
import time
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from modelyard.core.errors import ModelyardError
from modelyard.core.files import write_text
from modelyard.data.inputs import InputDescription
from modelyard.orchestration import dvc_lock
from modelyard.params.results import ExperimentResults, evaluations
from modelyard.tracking import descriptions, environment, lineage, logged_model
from modelyard.tracking.failsafe import FailsafeRun, NullRun
from modelyard.tracking.mlflow_schema import folder_digest, input_tags, model_digest, tensor_schema
from modelyard.tracking.store import connect, is_enabled, reason, run_id_file, saved_run_id

FLUSH_SECONDS = 2.0  # epochs are written in batches: a commit for each would outlast a small network's epoch
LINEAGE, MODEL = "lineage", "model_sha256"  # tags: one hash of all outputs, and of the model
LINEAGE_FILE = "lineage.json"  # the artifact with all of them
METRICS_PER_BATCH = 1000  # MLflow's limit


class MlflowRun:
    """One run in MLflow's store, active in this process from `start` to `finish` or `fail`."""

    def __init__(self, experiment: str, system_metrics: bool = False) -> None:
        self._experiment = experiment
        self._system_metrics = system_metrics
        self._end_time: int | None = None  # of a run that is resumed
        self._buffer: list[Mapping[str, float]] = []
        self._flushed = time.monotonic()

    def start(self, run_id: str | None = None) -> None:
        """Start a run, or resume the one with this id, and save its id under `.modelyard/` for the next stage."""
        connect()
        import mlflow

        if run_id and _can_be_resumed(run_id, self._experiment):
            self._end_time = mlflow.get_run(run_id).info.end_time
            mlflow.start_run(run_id)
            self._restore_end(run_id)  # running, it would be taken for a training whose process has died
            self._save_id()
        else:
            tags = descriptions.first_tags(self._experiment) | environment.environment_tags(self._experiment)
            mlflow.start_run(run_name=self._experiment, tags=tags, log_system_metrics=self._system_metrics)
            self._save_id()
            if patch := environment.uncommitted_patch():
                _log_bytes(patch, "changes.patch")
                if warning := environment.warn_of_keys_in(patch):
                    print(warning, file=sys.stderr)  # noqa: T201

    def log_inputs(self, params: Mapping[str, Any], description: InputDescription, training_folder: Path) -> None:
        """Log the parameters, the training data as an MLflow dataset, and the tags that identify it."""
        import mlflow
        from mlflow.data.code_dataset_source import CodeDatasetSource
        from mlflow.data.meta_dataset import MetaDataset

        digest = folder_digest(training_folder)
        mlflow.log_params(params)
        mlflow.set_tags(input_tags(description))
        source = CodeDatasetSource(tags={"folder": training_folder.as_posix()})
        schema = tensor_schema(description.dtype, (None, *description.shape))
        dataset = MetaDataset(source, name=description.dataset, digest=digest[:32], schema=schema)
        mlflow.log_input(dataset, "training")

    def log_device(self, name: str, recorded: Mapping[str, Any] | None = None) -> None:
        """Log what computes, because another device, processor or version can give other bits.

        Args:
            name: the device.
            recorded: what computed a training elsewhere or earlier; by default this machine is described.
        """
        import mlflow

        described = lineage.describe_here() if recorded is None else recorded
        mlflow.set_tags(environment.machine_tags(described) | {"device": name})

    def log_epoch(self, metrics: Mapping[str, float]) -> None:
        """Log the metrics of one epoch; `epoch` is its number, from 1."""
        self._buffer.append(metrics)
        if time.monotonic() - self._flushed >= FLUSH_SECONDS:
            self._flush()

    def log_model(self, model: Any, folder: Path) -> None:
        """Log the fitted model, which is saved in a folder, with the signature of its raw input."""
        import mlflow

        self._flush()
        uri = logged_model.log(model, folder, self._experiment)
        mlflow.set_tags({"model_uri": uri, MODEL: model_digest(folder)})

    def log_evaluation(self, metrics: Mapping[str, float], details: Mapping[str, Any], plots: Path) -> None:
        """Log test metrics and those of folds, with their confidence intervals, and the plots of a folder."""
        import mlflow

        test = {f"test_{name}": value for name, value in metrics.items()}
        for name, (low, high) in details["intervals"].items():
            test |= {f"test_{name}_low": low, f"test_{name}_high": high}
        for name, over_folds in details.get("folds", {}).get("metrics", {}).items():
            test |= {f"cv_{name}_{key}": over_folds[key] for key in ("mean", "low", "high")}
        mlflow.log_dict(dict(details), "details.json")
        mlflow.log_artifacts(str(plots), descriptions.FIGURES)
        run_id = mlflow.active_run().info.run_id
        mlflow.set_tags(descriptions.result_tags(self._experiment, metrics, details, plots, run_id))
        mlflow.log_metrics(test)  # last: a run that has them lacks nothing
        if commit := environment.describe_commit():
            mlflow.set_tag("evaluation_commit", commit)

    def log_unchanged_evaluation(self) -> None:
        """Log the results of the last evaluation if it was of an equal model: DVC does not evaluate that again."""
        if results := _unchanged_evaluation(self._experiment):
            self.log_evaluation(results.metrics, results.details, results.plots)

    def log_lineage(self, deps: Mapping[str, str], outs: Mapping[str, str]) -> None:
        """Log the MD5 of each dependency and output as dvc.lock has it in `lineage.json`, then one hash as a tag."""
        import mlflow

        mlflow.log_dict({"went in": dict(deps), "came out": dict(outs)}, LINEAGE_FILE)
        mlflow.set_tag(LINEAGE, lineage.outs_digest(outs))  # last: a run that has it lacks nothing

    def log_card(self, card: Path) -> None:
        """Log the card of the model, and link it in the description."""
        import mlflow

        mlflow.log_artifact(str(card))
        run = mlflow.get_run(mlflow.active_run().info.run_id)
        mlflow.set_tag(descriptions.NOTE, descriptions.with_card(run.data.tags, run.info, card.name))

    def log_backfill_source(self, source: str) -> None:
        """Log what a run was backfilled from: no training of this store started it."""
        import mlflow

        mlflow.set_tag("filled_in_from", source)

    def finish(self) -> None:
        """End the run as finished."""
        import mlflow

        self._flush()
        if self._system_metrics:
            mlflow.log_metrics(environment.resource_usage())
        run_id = mlflow.active_run().info.run_id
        mlflow.end_run("FINISHED")
        if self._end_time:
            self._restore_end(run_id)

    def fail(self, error: BaseException) -> None:
        """End the run as failed, or as killed when it was interrupted, with the reason."""
        import mlflow

        if mlflow.active_run() is None:
            return
        mlflow.set_tag("error", reason(error))
        mlflow.end_run("KILLED" if isinstance(error, KeyboardInterrupt) else "FAILED")

    def _restore_end(self, run_id: str) -> None:
        """A resumed run stays finished, with the duration of its training."""
        import mlflow

        mlflow.MlflowClient().set_terminated(run_id, "FINISHED", self._end_time)

    def _save_id(self) -> None:
        import mlflow

        write_text(run_id_file(self._experiment), mlflow.active_run().info.run_id + "\n")

    def _flush(self) -> None:
        import mlflow
        from mlflow.entities import Metric

        now = int(time.time() * 1000)
        entries = [
            Metric(name, value, now, int(metrics["epoch"]))
            for metrics in self._buffer
            for name, value in metrics.items()
            if name != "epoch"
        ]
        for start in range(0, len(entries), METRICS_PER_BATCH):
            mlflow.MlflowClient().log_batch(mlflow.active_run().info.run_id, entries[start : start + METRICS_PER_BATCH])
        self._buffer, self._flushed = [], time.monotonic()


Run = MlflowRun | FailsafeRun | NullRun


@contextmanager
def training_run(experiment: str) -> Iterator[Run]:
    """A new run of an experiment; if the block raises, the run ends as failed with the reason."""
    with _run(MlflowRun(experiment, system_metrics=True), run_id=None) as run:
        yield run
        run.log_unchanged_evaluation()


@contextmanager
def evaluation_run(experiment: str) -> Iterator[Run]:
    """The run that training started, or a new one if its id was lost or it is of another model."""
    with _run(MlflowRun(experiment), saved_run_id(experiment) or None) as run:
        yield run


@contextmanager
def backfill_run(experiment: str, run_id: str | None) -> Iterator[Run]:
    """The run with this id, to add what it lacks; without an id, a new run for results of an earlier training."""
    with _run(MlflowRun(experiment), run_id) as run:
        yield run


@contextmanager
def _run(mlflow_run: MlflowRun, run_id: str | None) -> Iterator[Run]:
    run = FailsafeRun(mlflow_run) if is_enabled() else NullRun()
    run.start(run_id)
    try:
        yield run
    except BaseException as error:
        run.fail(error)
        raise
    run.finish()


def _log_bytes(content: bytes, name: str) -> None:
    """Log an artifact as it is: MLflow's `log_text` would encode it again."""
    import mlflow

    with TemporaryDirectory() as folder:
        file = Path(folder) / name
        file.write_bytes(content)
        mlflow.log_artifact(str(file))


def _can_be_resumed(run_id: str, experiment: str) -> bool:
    """Whether the store has this run, its training finished, and it is not known to be of another model.

    The store may have changed since the id was saved, and DVC may have restored an earlier model.
    """
    import mlflow

    try:
        run = mlflow.get_run(run_id)
    except mlflow.MlflowException:
        return False
    same = all(is_of_model(run.data.tags, each.model) for each in evaluations(experiment).values() if each.is_built)
    return (run.info.lifecycle_stage, run.info.status) == ("active", "FINISHED") and same


def is_of_model(tags: Mapping[str, str], folder: Path) -> bool:
    """Whether a run with these tags is not known to be of another model than that in a folder."""
    return MODEL not in tags or tags[MODEL] == model_digest(folder)


def _unchanged_evaluation(experiment: str) -> ExperimentResults | None:
    """The results of an experiment's last evaluation, if the data that it read and all it wrote have the locked MD5s.

    If its code has changed, DVC evaluates again.
    """
    results = evaluations(experiment)
    for name, stage in _locked_stages(results).items():
        if _are_unchanged({**stage.deps, **stage.outs}):
            return results[name]
    return None


def _are_unchanged(md5s: Mapping[str, str]) -> bool:
    data = {Path(path): md5 for path, md5 in md5s.items() if not path.startswith(lineage.CODE)}
    return all(path.exists() and dvc_lock.md5(path) == md5 for path, md5 in data.items())


def _locked_stages(names: Collection[str]) -> Mapping[str, dvc_lock.LockedStage]:
    """What dvc.lock has of these stages; nothing where it cannot be read while another stage is writing it."""
    with suppress(ModelyardError, AttributeError, KeyError, TypeError):
        return dvc_lock.read(Path.cwd(), names)
    return {}
