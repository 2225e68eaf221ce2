"""Training of one experiment, printed and logged epoch by epoch, and saved."""

import time
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path

from modelyard import models
from modelyard.core.config import flatten
from modelyard.core.files import atomic_folder, checksum, write_table
from modelyard.data.cross_validation import divide_folds
from modelyard.data.inputs import load_training
from modelyard.models.engine.training_state import StateFile
from modelyard.params.fold_evaluation import EVALUATE
from modelyard.params.project import EstimatorExperiment, NetworkExperiment, TransferExperiment
from modelyard.params.variants import digest
from modelyard.tracking import Run

SECONDS_BETWEEN_LINES = 1.0

AnyExperiment = NetworkExperiment | EstimatorExperiment | TransferExperiment


def train(
    experiment: AnyExperiment,
    runtime: models.Runtime,
    training: Path,
    model: Path,
    history: Path,
    run: Run,
    backbone: Path | None = None,
    state: Path | None = None,
) -> None:
    """Fit the model of an experiment, and save it with its learning curve.

    Args:
        experiment: the settings of model and training.
        runtime: how to use the machine.
        training: the folder of the training data, which is read.
        model: the folder of the model, which is written.
        history: the CSV file of the learning curve, which is written.
        run: where the training is logged.
        backbone: the folder of the network that a transfer starts from.
        state: the file that keeps the state of a long training, so that one that was killed goes on; it is no output.
    """
    data = load_training(training)
    if evaluation := getattr(experiment, "evaluate", None):  # refused here, before hours of training
        divide_folds(data, evaluation.folds, experiment.training.seed)
    run.log_inputs(flatten(experiment.model_dump(mode="json")), data.description, training)
    printer = EpochPrinter(_epochs(experiment), run)
    kept = _kept_state(state, experiment, runtime, [training, *([backbone] if backbone else [])])
    with atomic_folder(model) as folder:
        context = models.TrainingContext(folder, runtime, printer, backbone, kept)
        run.log_device(models.device_name(runtime))
        fitted, table = models.fit(experiment.model, experiment.training, data, context)
        printer.finish()
        fitted.save(folder)
        write_table(history, table)
    if kept:
        kept.remove()
    run.log_model(fitted, model)


def _kept_state(
    path: Path | None, experiment: AnyExperiment, runtime: models.Runtime, folders: Sequence[Path]
) -> StateFile | None:
    """The file of the training's state; what it has and what comes of it is printed."""
    if path is None or isinstance(experiment, EstimatorExperiment):
        return None
    package = Path(__file__).parents[1]
    code = [package / name for name in ("data", "experiments/train.py", "metrics", "models")]
    key = {
        "experiment": experiment.model_dump(mode="json", exclude=EVALUATE),
        "runtime": runtime.model_dump(mode="json"),
        "files": [checksum(file, "sha256") for each in (*folders, *code) for file in _files(each)],
        "versions": [version(name) for name in ("keras", "numpy", "tensorflow")],
    }
    state = StateFile(path, digest(key))
    if kept := state.read():
        print(f"this training was stopped: it goes on after {len(kept.history)} epochs, which are kept")  # noqa: T201
    elif path.exists():
        print(f"{path} is of a training with other settings, data, code or versions: not used")  # noqa: T201
    return state


def _files(path: Path) -> list[Path]:
    """The files of a folder, without compiled code; the path itself where it is a file."""
    if path.is_file():
        return [path]
    return sorted(file for file in path.rglob("*") if file.is_file() and file.suffix != ".pyc")


class EpochPrinter:
    """Logs every epoch to a run, and prints about one a second."""

    def __init__(self, epochs: int | None, run: Run) -> None:
        self._epochs = epochs
        self._run = run
        self._last = 0.0
        self._unprinted: dict[str, float] = {}

    def __call__(self, epoch: dict[str, float]) -> None:
        """Log the values of an epoch, and print them unless the last line is younger than a second."""
        self._run.log_epoch(epoch)
        self._unprinted = epoch
        if time.monotonic() - self._last >= SECONDS_BETWEEN_LINES:
            self.finish()

    def finish(self) -> None:
        """Print the last epoch if it was not printed yet."""
        if self._unprinted:
            of_all = f"/{self._epochs}" if self._epochs else ""
            shown = "  ".join(f"{name} {value:.4g}" for name, value in self._unprinted.items() if name != "epoch")
            print(f"epoch {int(self._unprinted['epoch'])}{of_all}  {shown}", flush=True)  # noqa: T201
            self._last, self._unprinted = time.monotonic(), {}


def _epochs(experiment: AnyExperiment) -> int | None:
    """The largest possible number of epochs, with those of fine-tuning; None for an estimator."""
    tuning = getattr(experiment.model, "fine_tuning", None)
    epochs = getattr(experiment.training, "epochs", None)
    return epochs + tuning.epochs if tuning else epochs
