"""The diary: one MLflow run per experiment, begun by training and completed by evaluation.

Files are the truth. A tracking failure warns and loses nothing; with MODELYARD_TRACKING=off nothing is written.
"""

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from modelyard.core.errors import ModelyardError
from modelyard.core.files import sha256, write_text
from modelyard.data.inputs import InputDescription
from modelyard.orchestration import dvc_lock
from modelyard.params.results import train_stages
from modelyard.tracking import environment
from modelyard.tracking.environment import environment_tags
from modelyard.tracking.failsafe import FailsafeRun, NullRun
from modelyard.tracking.mlflow_schema import digest_of, schema, tags_of_input
from modelyard.tracking.store import (
    connect,
    is_enabled,
    mask_password,
    run_id_file,
)

FLUSH_SECONDS = 2.0  # epochs are written together: a commit each would outlast a small network's epoch
CODE = ("src/", "pipeline/")  # a commit tells of it
LARGEST_BATCH = 1000  # MLflow takes no more metrics at once


class MlflowRun:
    """One run in MLflow's store, active in this process from `start` to `finish` or `fail`."""

    def __init__(self, name: str, measured: bool = False) -> None:
        """Name a run; of a measured one the machine's load is noted as well."""
        self._name = name
        self._measured = measured
        self._ended: int | None = None
        self._waiting: list[Mapping[str, float]] = []
        self._flushed = time.monotonic()

    def start(self, run_id: str | None = None) -> None:
        """Begin a run, or take up the one with this id; `.modelyard/` remembers its id for the next stage."""
        import mlflow

        connect()
        if run_id and _can_be_taken_up(run_id, self._name):
            self._ended = mlflow.get_run(run_id).info.end_time
            mlflow.start_run(run_id)
        else:
            tags = environment_tags(self._name)
            mlflow.start_run(run_name=self._name, tags=tags, log_system_metrics=self._measured)
            if changes := environment.changes():
                mlflow.log_text(changes, "changes.patch")
        write_text(run_id_file(self._name), mlflow.active_run().info.run_id + "\n")

    def log_inputs(self, params: Mapping[str, Any], description: InputDescription, training_folder: Path) -> None:
        """Note the parameters, the input as an MLflow dataset, and the tags that lead back to its data."""
        import mlflow
        from mlflow.data.code_dataset_source import CodeDatasetSource
        from mlflow.data.meta_dataset import MetaDataset

        digest = digest_of(training_folder)
        mlflow.log_params(params)
        mlflow.set_tags(tags_of_input(description, digest))
        source = CodeDatasetSource(tags={"folder": training_folder.as_posix()})
        rows = schema((description.dtype, (None, *description.shape)))
        mlflow.log_input(MetaDataset(source, name=description.dataset, digest=digest[:32], schema=rows), "training")

    def log_epoch(self, figures: Mapping[str, float]) -> None:
        """Note the figures of one epoch; `epoch` is its number from 1."""
        self._waiting.append(figures)
        if time.monotonic() - self._flushed >= FLUSH_SECONDS:
            self._flush()

    def log_model(self, model: Any) -> None:
        """Note the fitted model, with the signature of its raw input."""
        import mlflow
        from mlflow.models import ModelSignature

        self._flush()
        native = model.native
        if hasattr(native, "optimizer"):  # it is ours, and a server has none of our code: logged as if never compiled
            native = type(native)(native.inputs, native.outputs, name=native.name)
        logged = getattr(mlflow, model.flavour).log_model(
            native,
            name=self._name,
            signature=ModelSignature(schema(model.takes), schema(model.gives)),
            # Named requirements: without them MLflow starts another interpreter to guess them.
            pip_requirements=[f"{package}=={version(package)}" for package in model.packages],
            **model.options,
        )
        with TemporaryDirectory() as folder:  # equal models give equal bytes, by which the registry finds this run
            model.save(Path(folder))
            mlflow.set_tags({"model_uri": logged.model_uri, "model_sha256": sha256(next(Path(folder).glob("model.*")))})

    def log_evaluation(self, metrics: Mapping[str, float], details: Mapping[str, Any], figures: Path) -> None:
        """Note test metrics, their intervals, and the pictures of a folder."""
        import mlflow

        test = {f"test_{name}": value for name, value in metrics.items()}
        for name, (low, high) in details["intervals"].items():
            test |= {f"test_{name}_low": low, f"test_{name}_high": high}
        mlflow.log_dict(dict(details), "details.json")
        mlflow.log_artifacts(str(figures), "figures")
        mlflow.log_metrics(test)  # last: a run that has them lacks no file
        if commit := environment.describe_commit():
            mlflow.set_tag("evaluation_commit", commit)

    def log_lineage(self, deps: Mapping[str, str], outs: Mapping[str, str]) -> None:
        """Note the MD5 of what went in and came out as DVC has it: data as tags, code in `lineage.json`."""
        import mlflow

        mlflow.log_dict({"went in": dict(deps), "came out": dict(outs)}, "lineage.json")
        data = {path: md5 for path, md5 in deps.items() if not path.startswith(CODE)}
        mlflow.set_tags(
            {f"in:{path}": md5 for path, md5 in data.items()} | {f"out:{path}": md5 for path, md5 in outs.items()}
        )

    def log_origin(self, origin: str) -> None:
        """Note where a run comes from that no training began."""
        import mlflow

        mlflow.set_tag("filled_in_from", origin)

    def finish(self) -> None:
        """End the run well."""
        import mlflow

        self._flush()
        if self._measured:
            mlflow.log_metrics(environment.resource_usage())
        run_id = mlflow.active_run().info.run_id
        mlflow.end_run("FINISHED")
        if self._ended:  # how long a run took is how long its training took
            mlflow.MlflowClient().set_terminated(run_id, "FINISHED", self._ended)

    def fail(self, error: BaseException) -> None:
        """End the run as failed, or as killed where a person stopped it, with the reason."""
        import mlflow

        if mlflow.active_run() is None:
            return
        mlflow.set_tag("error", mask_password(f"{type(error).__name__}: {error}"))
        mlflow.end_run("KILLED" if isinstance(error, KeyboardInterrupt) else "FAILED")

    def _flush(self) -> None:
        import mlflow
        from mlflow.entities import Metric

        now = int(time.time() * 1000)
        entries = [
            Metric(name, value, now, int(figures["epoch"]))
            for figures in self._waiting
            for name, value in figures.items()
            if name != "epoch"
        ]
        for start in range(0, len(entries), LARGEST_BATCH):
            mlflow.MlflowClient().log_batch(mlflow.active_run().info.run_id, entries[start : start + LARGEST_BATCH])
        self._waiting, self._flushed = [], time.monotonic()


Run = MlflowRun | FailsafeRun | NullRun


@contextmanager
def training_run(name: str) -> Iterator[Run]:
    """A new run for an experiment; when the block raises, the run ends as failed with the reason."""
    with _run(MlflowRun(name, measured=True), run_id=None) as run:
        yield run


@contextmanager
def evaluation_run(name: str) -> Iterator[Run]:
    """The run that training began, or a new one where its id was lost."""
    file = run_id_file(name)
    with _run(MlflowRun(name), run_id=file.read_text().strip() if file.exists() else None) as run:
        yield run


@contextmanager
def backfill_run(name: str, run_id: str | None) -> Iterator[Run]:
    """The run with this id, to add what it lacks; without an id a new one, whose training happened elsewhere."""
    with _run(MlflowRun(name), run_id) as run:
        yield run


@contextmanager
def _run(tracked: MlflowRun, run_id: str | None) -> Iterator[Run]:
    run = FailsafeRun(tracked) if is_enabled() else NullRun()
    run.start(run_id)
    try:
        yield run
    except BaseException as error:
        run.fail(error)
        raise
    run.finish()


def _can_be_taken_up(run_id: str, name: str) -> bool:
    """Whether the store has this run, its training ended well, and it is not known to be of another model.

    The database may be another than when its id was noted, or the model an earlier one that DVC brought back.
    """
    import mlflow

    try:
        run = mlflow.get_run(run_id)
    except mlflow.MlflowException:
        return False
    same = all(run.data.tags.get(f"out:{path}", md5) == md5 for path, md5 in _trained_now(name).items())
    return (run.info.lifecycle_stage, run.info.status) == ("active", "FINISHED") and same


def _trained_now(name: str) -> Mapping[str, str]:
    """What the training of an experiment gave as dvc.lock has it; nothing where that cannot be told at this moment."""
    with suppress(ModelyardError, AttributeError, KeyError, TypeError):  # another stage may be writing it
        stages = dvc_lock.read(Path.cwd())
        found = [stages[stage] for stage in train_stages(name) if stage in stages]
        return found[0].outs if found else {}
    return {}
