"""The diary: one MLflow run per experiment, begun by training and completed by evaluation.

Files are the truth. A tracking failure warns and loses nothing; with MODELYARD_TRACKING=off nothing is written.
"""

import hashlib
import logging
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from modelyard.files import sha256, write_text
from modelyard.inputs import Description

MLFLOW_EXPERIMENT = "modelyard"
FLUSH_SECONDS = 2.0  # epochs are written together: a commit each would outlast a small network's epoch
# MLflow waits for minutes by default; every stage would wait again. A person's own values win.
PATIENCE = {"MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2", "MLFLOW_HTTP_REQUEST_TIMEOUT": "20"}
LARGEST_BATCH = 1000  # MLflow takes no more metrics at once


class MlflowRun:
    """One run in MLflow's store, active in this process from `start` to `finish` or `fail`."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._waiting: list[Mapping[str, float]] = []
        self._flushed = time.monotonic()

    def start(self, run_id: str | None = None) -> None:
        """Begin a run, or take up the one with this id; `.modelyard/` remembers its id for the next stage."""
        import mlflow

        logging.getLogger("mlflow").setLevel(logging.ERROR)
        connect()
        run_id = run_id if run_id and _is_known(run_id) else None
        run = mlflow.start_run(run_id=run_id, run_name=None if run_id else self._name)
        write_text(_id_file(self._name), run.info.run_id + "\n")

    def log_setting_out(self, params: Mapping[str, Any], description: Description, training_folder: Path) -> None:
        """Note the parameters, the input as an MLflow dataset, and the tags that lead back to commit and data."""
        import mlflow
        from mlflow.data.code_dataset_source import CodeDatasetSource
        from mlflow.data.meta_dataset import MetaDataset

        digest = _digest(training_folder)
        mlflow.log_params(params)
        mlflow.set_tags(_tags_of_place() | _tags_of_input(description, digest))
        source = CodeDatasetSource(tags={"folder": training_folder.as_posix()})
        schema = _schema((description.dtype, (None, *description.shape)))
        mlflow.log_input(MetaDataset(source, name=description.dataset, digest=digest[:32], schema=schema), "training")

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
            signature=ModelSignature(_schema(model.takes), _schema(model.gives)),
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
        mlflow.log_metrics(test)
        mlflow.log_dict(dict(details), "details.json")
        mlflow.log_artifacts(str(figures), "figures")

    def finish(self) -> None:
        """End the run well."""
        import mlflow

        mlflow.end_run("FINISHED")

    def fail(self, error: BaseException) -> None:
        """End the run as failed, or as killed where a person stopped it, with the reason."""
        import mlflow

        mlflow.set_tag("error", f"{type(error).__name__}: {error}")
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


class Guarded:
    """A run whose first failure is told once; after it nothing more is tried, and nothing else is disturbed."""

    def __init__(self, run: MlflowRun) -> None:
        self._run: MlflowRun | NoRun = run

    def __getattr__(self, verb: str) -> Callable[..., None]:
        def attempt(*arguments: Any) -> None:
            try:
                getattr(self._run, verb)(*arguments)
            except Exception as error:  # whatever MLflow, its database or its server may raise
                self._run = NoRun()
                print(f"warning: this run is not tracked: {type(error).__name__}: {error}", file=sys.stderr)  # noqa: T201

        return attempt


class NoRun:
    """Tracking that is off or has failed: every verb does nothing."""

    def __getattr__(self, verb: str) -> Callable[..., None]:
        return lambda *arguments: None


Run = MlflowRun | Guarded | NoRun


@contextmanager
def training_run(name: str) -> Iterator[Run]:
    """A new run for an experiment; when the block raises, the run ends as failed with the reason."""
    with _run(name, run_id=None) as run:
        yield run


@contextmanager
def evaluation_run(name: str) -> Iterator[Run]:
    """The run that training began, or a new one where its id was lost."""
    file = _id_file(name)
    with _run(name, run_id=file.read_text().strip() if file.exists() else None) as run:
        yield run


def store() -> str:
    """The address of the tracking store: MLFLOW_TRACKING_URI, or a database in the project's root."""
    return os.environ.get("MLFLOW_TRACKING_URI") or f"sqlite:///{root() / 'mlflow.db'}"


def store_to_show() -> str:
    """The store's address without name and password, for screens and logs."""
    before, at, after = store().rpartition("@")
    return f"{before.partition('://')[0]}://...@{after}" if at else store()


def root() -> Path:
    """The project's root, also from within the temporary folder of a DVC experiment."""
    return Path(os.environ.get("DVC_ROOT") or Path.cwd()).resolve()


def is_on() -> bool:
    """Whether runs are tracked."""
    return os.environ.get("MODELYARD_TRACKING", "on").lower() not in ("off", "0", "false", "no")


@contextmanager
def _run(name: str, run_id: str | None) -> Iterator[Run]:
    run = Guarded(MlflowRun(name)) if is_on() else NoRun()
    run.start(run_id)
    try:
        yield run
    except BaseException as error:
        run.fail(error)
        raise
    run.finish()


def connect() -> None:
    """Make the store and the experiment once: a fresh database opened by several processes at once is left broken."""
    for name, value in PATIENCE.items():
        os.environ.setdefault(name, value)
    import mlflow
    from filelock import FileLock

    mlflow.set_tracking_uri(store())
    folder = root() / ".modelyard"
    folder.mkdir(exist_ok=True)
    with FileLock(folder / "mlflow.lock"):
        if mlflow.get_experiment_by_name(MLFLOW_EXPERIMENT) is None:
            artifacts = (root() / "mlartifacts").as_uri() if store().startswith("sqlite:") else None
            mlflow.create_experiment(MLFLOW_EXPERIMENT, artifact_location=artifacts)
    mlflow.set_experiment(MLFLOW_EXPERIMENT)


def _is_known(run_id: str) -> bool:
    """Whether the store has this run: the database may be another than when its id was noted."""
    import mlflow

    try:
        return mlflow.get_run(run_id).info.lifecycle_stage == "active"
    except mlflow.MlflowException:
        return False


def _id_file(name: str) -> Path:
    return root() / ".modelyard" / "runs" / name


def _tags_of_place() -> dict[str, str]:
    """Which commit, DVC stage and DVC experiment this process belongs to."""
    tags = {
        "git_commit": _git("rev-parse", "HEAD"),
        "git_dirty": str(bool(_git("status", "--porcelain", "--untracked-files=no"))).lower(),
        "dvc_stage": os.environ.get("DVC_STAGE", ""),
        "dvc_experiment": os.environ.get("DVC_EXP_NAME", ""),
    }
    return {name: value for name, value in tags.items() if value}


def _tags_of_input(description: Description, digest: str) -> dict[str, str]:
    tags = {"dataset": description.dataset, "task": description.task, "input_sha256": digest}
    return tags | ({"features": ", ".join(description.features)} if description.features else {})


def _git(*arguments: str) -> str:
    """What git says, or nothing outside a repository."""
    try:
        found = subprocess.run(["git", *arguments], capture_output=True, text=True, check=False)  # noqa: S603, S607
    except FileNotFoundError:  # an image without git
        return ""
    return found.stdout.strip() if found.returncode == 0 else ""


def _digest(folder: Path) -> str:
    """One SHA-256 over the files of a folder, in the order of their names."""
    each = "".join(f"{path.name} {sha256(path)}\n" for path in sorted(folder.iterdir()))
    return hashlib.sha256(each.encode()).hexdigest()


def _schema(tensor: tuple[str, tuple]) -> Any:
    """A tensor's type and shape as MLflow has them; a size of None is free."""
    import numpy as np
    from mlflow.types import Schema, TensorSpec

    dtype, shape = tensor
    return Schema([TensorSpec(np.dtype(dtype), tuple(-1 if size is None else size for size in shape))])
