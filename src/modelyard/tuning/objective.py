"""One trial: an experiment with other settings, trained, scored on validation samples, and pruned if it lags behind."""

import math
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import optuna
from optuna.trial import FrozenTrial, TrialState

from modelyard import models
from modelyard.core.config import with_changes
from modelyard.core.errors import ModelyardError
from modelyard.data.cross_validation import first_training_samples, split_folds
from modelyard.data.inputs import TrainingInput, load_training
from modelyard.models.engine.training_settings import trained_epoch, without_checkpoint
from modelyard.params.study import EPOCHS, Choices, Range
from modelyard.params.variants import digest
from modelyard.tuning.plan import Plan
from modelyard.tuning.results import READ_OFF
from modelyard.tuning.retries import enqueued_values
from modelyard.tuning.trial_code import code_checksums

CODE = "code"  # the attribute of a trial with a hash of the code that scored it
OnEpoch = Callable[[int, int, float], None]


@dataclass
class Objective:
    """The objective function that Optuna calls for each trial; input arrays stay memory-mapped over all of them.

    `on_epoch` is called after each epoch with its number over all folds, the largest number of epochs that this trial
    can have, and the score.
    """

    plan: Plan
    on_epoch: OnEpoch
    _inputs: dict[str, TrainingInput] = field(default_factory=dict)

    def __call__(self, trial: optuna.Trial) -> list[float]:
        """Return the validation metric of the last epoch, with folds its mean over them, and the study's sizes.

        A trial that is given no number of epochs, though the study varies it, is trained for the largest one, and has
        the score of the best one on its learning curve.

        Raises:
            TrialPruned: the pruner stops the trial.
        """
        started, progress = time.monotonic(), TrialProgress(self.plan, trial, self.on_epoch)
        trial.set_user_attr(CODE, digest(self.plan.code))
        try:
            self._refuse_other_code()
            values = suggest_values(trial, self.plan)
            if duplicate := finished_duplicate(trial):
                trial.set_user_attr("repeats", duplicate.number)
                if READ_OFF in duplicate.user_attrs:
                    trial.set_user_attr(READ_OFF, duplicate.user_attrs[READ_OFF])
                return list(duplicate.values)
            compared = () if EPOCHS in values else self.plan.epochs_to_compare
            longest = {EPOCHS: compared[-1]} if compared else {}
            return self._score(with_changes(self.plan.experiment, values | longest), trial, progress, compared)
        except optuna.TrialPruned:
            raise
        except Exception as error:  # whatever these settings cause is the trial's result
            trial.set_user_attr("reason", _reason(error))
            raise
        finally:
            trial.set_user_attr("seconds", round(time.monotonic() - started, 3))
            trial.set_user_attr("epochs", progress.epochs)

    def _refuse_other_code(self) -> None:
        """A process that replaces another one during a search imports what has been edited since."""
        code = code_checksums(self.plan.experiment.model.family)
        edited = [name for name, checksum in self.plan.code.items() if code.get(name) != checksum]
        if edited:
            raise ModelyardError(f"edited since the search began: {', '.join(edited)}")

    def _score(
        self, experiment: Any, trial: optuna.Trial, progress: "TrialProgress", compared: tuple[int, ...]
    ) -> list[float]:
        progress.start(experiment)
        scores: list[list[float]] = []  # of each fit, after each number of epochs that is compared
        study = self.plan.study
        for fold in split_folds(self._input(experiment.input), study.folds, study.seed):
            with tempfile.TemporaryDirectory() as folder:
                context = models.TrainingContext(Path(folder), self.plan.runtime, progress.on_epoch)
                model, history = models.fit(experiment.model, without_checkpoint(experiment.training), fold, context)
            curve = history[self.plan.metric].tolist()
            ends = [epochs - 1 for epochs in compared] or [trained_epoch(experiment.training, history)]
            scores.append([curve[end] for end in ends])
            progress.on_fit_end({self.plan.metric: scores[-1][-1]})
            means = [sum(each) / len(each) for each in zip(*scores, strict=True)]
            score = max(means) if self.plan.direction == "maximize" else min(means)
            if not math.isfinite(sum(means)):
                raise ModelyardError(f"{self.plan.metric} became {sum(means)}")
            if study.folds:
                progress.report_or_prune(score, len(scores), study.folds)
        if compared:
            trial.set_user_attr(READ_OFF, compared[means.index(score)])
        return [score, *(float(sum(layer.parameters for layer in model.layers)) for _ in study.sizes)]

    def _input(self, name: str) -> TrainingInput:
        if name not in self._inputs:
            data = load_training(self.plan.training_folder(name))
            self._inputs[name] = first_training_samples(data, self.plan.study.training_samples)
        return self._inputs[name]


@dataclass
class TrialProgress:
    """Counts and reports a trial's epochs, and prunes it between two; a scikit-learn fit counts as one epoch."""

    plan: Plan
    trial: optuna.Trial
    report: OnEpoch
    epochs: int = 0
    planned: int = 0
    has_epochs: bool = False
    can_be_pruned: bool = False

    def start(self, experiment: Any) -> None:
        """Store how many epochs this experiment has at most, and whether it can be pruned.

        Optuna prunes by one value only, and never the baseline, with which every comparison is.
        """
        trials = self.trial.study.get_trials(deepcopy=False)
        is_baseline = enqueued_values(trials[self.trial.number]) == enqueued_values(trials[0])
        self.can_be_pruned = not (self.plan.study.sizes or is_baseline)
        self.has_epochs = hasattr(experiment.training, "epochs")
        self.planned = getattr(experiment.training, "epochs", 1) * (self.plan.study.folds or 1)
        self.trial.set_user_attr("epochs_planned", self.planned)

    def on_epoch(self, metrics: Mapping[str, float]) -> None:
        """Handle an epoch; those of an estimator are ignored: it reports them after its fit, too late to prune."""
        if self.has_epochs:
            self._count(metrics)

    def on_fit_end(self, metrics: Mapping[str, float]) -> None:
        """Handle the end of a fit."""
        if not self.has_epochs:
            self._count(metrics)

    def _count(self, metrics: Mapping[str, float]) -> None:
        self.epochs += 1
        score = float(metrics[self.plan.metric])
        self.report(self.epochs, self.planned, score)
        if not self.plan.study.folds:
            self.report_or_prune(score, self.epochs, self.planned)

    def report_or_prune(self, score: float, step: int, last: int) -> None:
        """Report an intermediate score; a trial at its last step is not pruned any more.

        Raises:
            TrialPruned: the pruner stops the trial.
        """
        if not self.plan.study.sizes:
            self.trial.report(score, step)
        if step < last and self.can_be_pruned and self.trial.should_prune():
            raise optuna.TrialPruned(f"{score:.4g} after step {step} of {last}")


def suggest_values(trial: optuna.Trial, plan: Plan) -> dict[str, Any]:
    """Sample a value for each dotted key that the study varies, but no number of epochs that can be read off.

    One that the trial is given, as the baseline is, is taken.
    """
    read_off = plan.epochs_to_compare and EPOCHS not in enqueued_values(
        trial.study.get_trials(deepcopy=False)[trial.number]
    )
    return {
        key: _suggest_value(trial, key, variation)
        for key, variation in plan.study.search_space.items()
        if not (key == EPOCHS and read_off)
    }


def finished_duplicate(trial: optuna.Trial) -> FrozenTrial | None:
    """Return the first finished trial with the same values and code, if any: trained again, it would score the same."""
    finished = trial.study.get_trials(deepcopy=False, states=[TrialState.COMPLETE])
    code = trial.user_attrs[CODE]
    return next((each for each in finished if each.params == trial.params and each.user_attrs.get(CODE) == code), None)


def _suggest_value(trial: optuna.Trial, key: str, variation: Range | Choices) -> Any:
    if isinstance(variation, Choices):
        return variation.by_label[trial.suggest_categorical(key, list(variation.by_label))]
    low, high, step, log = variation.low, variation.high, variation.step, variation.log
    if variation.is_integer:
        return trial.suggest_int(key, int(low), int(high), step=int(step or 1), log=log)
    return trial.suggest_float(key, low, high, step=step, log=log)


def _reason(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return f"{type(error).__name__}: {lines[0] if lines else 'without a message'}"
