"""Evaluation of an experiment by repeated k-fold over its training and validation samples; it sees no test sample."""

import logging
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from modelyard import models
from modelyard.core.errors import ModelyardError
from modelyard.data.cross_validation import evaluation_folds
from modelyard.data.inputs import TrainingInput, evaluation_samples
from modelyard.data.samples import Samples
from modelyard.experiments.tasks import TASKS
from modelyard.metrics.bootstrap import CONFIDENCE
from modelyard.metrics.definitions import shown_metrics
from modelyard.metrics.fold_statistics import fold_statistics
from modelyard.models.engine.training_settings import without_checkpoint
from modelyard.params.project import AnyExperiment, EstimatorExperiment, NetworkExperiment, TransferExperiment

METHOD = "corrected resampled t test (Nadeau and Bengio 2003)"


def evaluate_folds(experiment: AnyExperiment, data: TrainingInput, runtime: models.Runtime) -> dict[str, Any]:
    """Fit an experiment anew for each fold, scalings included, and measure it on the samples of the fold.

    Where validation samples steer the training, as in early stopping, they are taken from those that a fit may see.

    Returns:
        The entry `folds` of details.json; nothing where the experiment has no `evaluate`.

    Raises:
        ModelyardError: the samples do not suffice for so many folds.
    """
    if isinstance(experiment, TransferExperiment) or experiment.evaluate is None:
        return {}
    logging.getLogger("tensorflow").setLevel(logging.ERROR)  # it warns that every network is traced again
    folds, repeats = experiment.evaluate.folds, experiment.evaluate.repeats
    total, rows, ratios = folds * repeats, [], []
    for fitted_on, held_out, seed in _folds(experiment, data, folds, repeats):
        rows.append(_fit_and_measure(experiment, fitted_on, held_out, seed, runtime))
        if not np.isfinite(list(rows[-1].values())).all():
            raise ModelyardError(
                f"fold {len(rows)} of {total} has no finite metrics, {rows[-1]}: its training diverged"
            )
        ratios.append(len(held_out) / len(fitted_on.samples))
        shown = "  ".join(f"{name} {value:.4g}" for name, value in rows[-1].items())
        print(f"fold {len(rows)}/{total}  {shown}", flush=True)  # noqa: T201
    found = {name: _statistics([row[name] for row in rows], float(np.mean(ratios))) for name in rows[0]}
    interval = {"confidence": CONFIDENCE, "method": METHOD}
    return {"folds": {"folds": folds, "repeats": repeats, "metrics": found, "interval": interval}}


def _folds(
    experiment: NetworkExperiment | EstimatorExperiment, data: TrainingInput, folds: int, repeats: int
) -> Iterator[tuple[TrainingInput, Samples, int]]:
    """What each fit is trained on and measured on, and its seed, which differs between the repeats."""
    for repeat in range(repeats):
        seed = (experiment.training.seed + repeat) % 2**32
        for fitted_on, held_out in evaluation_folds(data, folds, seed, validation_share(experiment, data)):
            yield fitted_on, held_out, seed


def _fit_and_measure(
    experiment: NetworkExperiment | EstimatorExperiment,
    fitted_on: TrainingInput,
    held_out: Samples,
    seed: int,
    runtime: models.Runtime,
) -> dict[str, float]:
    model = fit_fold(experiment, fitted_on, seed, runtime)
    samples, task = evaluation_samples(held_out, model.description), model.description.task
    bound = TASKS[task].score(model, samples, model.predict(samples.x)).bound_metrics
    return {name: bound[name].value for name in shown_metrics(task, bound)}


def fit_fold(
    experiment: NetworkExperiment | EstimatorExperiment, fitted_on: TrainingInput, seed: int, runtime: models.Runtime
) -> models.Model:
    """Fit the model of an experiment to a part of its samples, with another seed; nothing is kept."""
    training = without_checkpoint(experiment.training).model_copy(update={"seed": seed})
    with TemporaryDirectory() as folder:
        context = models.TrainingContext(Path(folder), runtime, lambda _: None)
        return models.fit(experiment.model, training, fitted_on, context)[0]


def validation_share(experiment: NetworkExperiment | EstimatorExperiment, data: TrainingInput) -> float:
    """The share of the samples that each fit gets for validation: none if they do not steer it."""
    is_steered = experiment.training.is_steered_by_validation
    return data.description.validation_samples / len(data.samples) if is_steered else 0.0


def _statistics(values: list[float], test_ratio: float) -> dict[str, Any]:
    return {"values": values, **fold_statistics(np.array(values), test_ratio)._asdict()}
