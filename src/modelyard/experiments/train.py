"""One experiment's training, told as it goes and kept in files."""

import time
from pathlib import Path

from modelyard import models
from modelyard.core.config import flat
from modelyard.core.files import whole_folder, write_table
from modelyard.data.inputs import load_training
from modelyard.params.project import EstimatorExperiment, NetworkExperiment, TransferExperiment
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
) -> None:
    """Fit an experiment's model to the rows of folder `training`; write folder `model` and table `history`.

    A transfer starts from the network in folder `backbone`.
    """
    data = load_training(training)
    run.log_inputs(flat(experiment.model_dump(mode="json")), data.description, training)
    progress = Progress(_epochs(experiment), run)
    with whole_folder(model) as folder:
        context = models.TrainingContext(folder, runtime, progress, backbone)
        fitted, table = models.fit(experiment.model, experiment.training, data, context)
        progress.finish()
        fitted.save(folder)
        write_table(history, table)
    run.log_model(fitted)


class Progress:
    """Tells each epoch to the run, and about one a second to the person."""

    def __init__(self, epochs: int | None, run: Run) -> None:
        self._epochs = epochs
        self._run = run
        self._last = 0.0
        self._untold: dict[str, float] = {}

    def __call__(self, figures: dict[str, float]) -> None:
        self._run.log_epoch(figures)
        self._untold = figures
        if time.monotonic() - self._last >= SECONDS_BETWEEN_LINES:
            self.finish()

    def finish(self) -> None:
        """Tell the last epoch, unless it was told already."""
        if self._untold:
            of_all = f"/{self._epochs}" if self._epochs else ""
            shown = "  ".join(f"{name} {value:.4g}" for name, value in self._untold.items() if name != "epoch")
            print(f"epoch {int(self._untold['epoch'])}{of_all}  {shown}", flush=True)  # noqa: T201
            self._last, self._untold = time.monotonic(), {}


def _epochs(experiment: AnyExperiment) -> int | None:
    """How many epochs there will be at most, those of a fine tuning included; an estimator does not say."""
    tuning = getattr(experiment.model, "fine_tuning", None)
    epochs = getattr(experiment.training, "epochs", None)
    return epochs + tuning.epochs if tuning else epochs
