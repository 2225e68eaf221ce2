"""Trains configurations of a space as a trial does: the project's own engine, its runtime settings, its folds."""

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks.search.spaces import Space, Values
from modelyard import models, params
from modelyard.core.config import with_changes
from modelyard.data import inputs, readers
from modelyard.data.cross_validation import split_folds
from modelyard.data.inputs import TrainingInput
from modelyard.data.samples import Samples
from modelyard.experiments.tasks import TASKS

FOLD_SEED = 777

OnEpoch = Callable[[float], None]
"""Is called with the validation metric after each epoch."""


class Prepared(NamedTuple):
    """The training input of each fit, and the test samples."""

    fits: list[TrainingInput]
    test: Samples


class Trainer:
    """Trains configurations of a space; its inputs are prepared once, in memory."""

    def __init__(self, space: Space) -> None:
        self.space = space
        self._project = params.load()
        self._prepared: dict[str, Prepared] = {}

    @property
    def samples(self) -> int:
        """The number of training samples of the first fit; those of other folds differ by one at most."""
        return self._input(self._settings(self.space.baseline).input).fits[0].description.training_samples

    def fit(self, values: Values, number: int, epochs: int, on_epoch: OnEpoch) -> models.Model:
        """Run one fit of a configuration.

        Raises:
            ModelyardError: the loss is no longer finite.
        """
        experiment = with_changes(self._settings(values), {"training.epochs": epochs})
        data = self._input(experiment.input).fits[number]
        with tempfile.TemporaryDirectory() as folder:
            context = models.TrainingContext(
                Path(folder), self._project.runtime, lambda found: on_epoch(float(found[f"val_{self.space.metric}"]))
            )
            model, _ = models.fit(experiment.model, experiment.training, data, context)
        return model

    def test_score(self, values: Values, model: models.Model) -> float:
        """The metric of a model on the test samples."""
        test = self._input(self._settings(values).input).test
        scored = TASKS[model.description.task].score(model, test, model.predict(test.x))
        return scored.bound_metrics[self.space.metric].value

    def _settings(self, values: Values) -> Any:
        return with_changes(self._project.experiments[self.space.experiment], {**self.space.fixed, **values})

    def _input(self, name: str) -> Prepared:
        if name not in self._prepared:
            self._prepared[name] = self._prepare(name)
        return self._prepared[name]

    def _prepare(self, name: str) -> Prepared:
        entry = self._project.inputs[name]
        entry = entry.model_copy(update={"split": entry.split.model_copy(update=self.space.split)})
        dataset = self._project.datasets[entry.dataset]
        with tempfile.TemporaryDirectory() as folder:
            self._project.files_of(entry.dataset, Path.cwd()).fetch(Path(folder))
            training, test = inputs.prepare(readers.read(dataset, Path(folder)), dataset.task, entry)
        fits = list(split_folds(training, self.space.folds or None, FOLD_SEED))
        return Prepared(fits, test)
