"""One trial: an experiment with other settings, trained, judged by its validation rows, and given up if it lags."""

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
from modelyard.data.inputs import TrainingInput, load_training
from modelyard.params.study import Range
from modelyard.tuning.cross_validation import parts, shortened
from modelyard.tuning.plan import Plan

Tell = Callable[[int, int, float], None]


@dataclass
class Objective:
    """What Optuna calls for each trial; the rows stay open, and so memory-mapped, over all of them.

    `tell` hears of each epoch: its number over all folds, how many there will be at most, and the score.
    """

    plan: Plan
    tell: Tell
    _open: dict[str, TrainingInput] = field(default_factory=dict)

    def __call__(self, trial: optuna.Trial) -> float:
        """The validation metric at the last epoch, the mean over the folds.

        Raises:
            TrialPruned: the pruner gives it up.
        """
        began, progress = time.monotonic(), Progress(self.plan, trial, self.tell)
        try:
            values = suggest(trial, self.plan)
            if alike := finished_alike(trial):
                trial.set_user_attr("repeats", alike.number)
                return alike.value
            return self._score(with_changes(self.plan.experiment, values), trial, progress)
        except optuna.TrialPruned:
            raise
        except Exception as error:  # whatever these settings bring about is the trial's result
            trial.set_user_attr("reason", _reason(error))
            raise
        finally:
            trial.set_user_attr("seconds", round(time.monotonic() - began, 3))
            trial.set_user_attr("epochs", progress.epochs)

    def _score(self, experiment: Any, trial: optuna.Trial, progress: "Progress") -> float:
        progress.expect(experiment)
        scores: list[float] = []
        study = self.plan.study
        for part in parts(self._rows(experiment.input), study.folds, study.seed):
            with tempfile.TemporaryDirectory() as folder:
                context = models.TrainingContext(Path(folder), self.plan.runtime, progress.hear)
                _, history = models.fit(experiment.model, _training(experiment), part, context)
            progress.hear_of_end(history.iloc[-1])
            scores.append(float(history[self.plan.metric].iloc[-1]))
            score = sum(scores) / len(scores)
            if not math.isfinite(score):
                raise ModelyardError(f"{self.plan.metric} became {score}")
            if study.folds:
                report(trial, score, len(scores), study.folds)
        return score

    def _rows(self, name: str) -> TrainingInput:
        if name not in self._open:
            given = load_training(self.plan.training_of(name))
            self._open[name] = shortened(given, self.plan.study.training_rows)
        return self._open[name]


@dataclass
class Progress:
    """Hears of each epoch, tells it on, and gives a trial up between two of them; an estimator's fit is one epoch."""

    plan: Plan
    trial: optuna.Trial
    tell: Tell
    epochs: int = 0
    most: int = 0
    in_epochs: bool = False

    def expect(self, experiment: Any) -> None:
        """Note how many epochs there will be at most."""
        self.in_epochs = hasattr(experiment.training, "epochs")
        self.most = getattr(experiment.training, "epochs", 1) * (self.plan.study.folds or 1)
        self.trial.set_user_attr("epochs_planned", self.most)

    def hear(self, figures: Mapping[str, float]) -> None:
        """Take in an epoch; the stages of an estimator are told when it is fitted, too late to give it up."""
        if self.in_epochs:
            self._note(figures)

    def hear_of_end(self, figures: Mapping[str, float]) -> None:
        """Take in that a fit has ended with these figures."""
        if not self.in_epochs:
            self._note(figures)

    def _note(self, figures: Mapping[str, float]) -> None:
        self.epochs += 1
        score = float(figures[self.plan.metric])
        self.tell(self.epochs, self.most, score)
        if not self.plan.study.folds:
            report(self.trial, score, self.epochs, self.most)


def report(trial: optuna.Trial, score: float, step: int, last: int) -> None:
    """Report an intermediate score; what has come to its last step is no longer given up.

    Raises:
        TrialPruned: the pruner gives the trial up.
    """
    trial.report(score, step)
    if step < last and trial.should_prune():
        raise optuna.TrialPruned(f"{score:.4g} after step {step} of {last}")


def suggest(trial: optuna.Trial, plan: Plan) -> dict[str, Any]:
    """A value for each dotted key that the study varies."""
    return {key: _suggested(trial, key, variation) for key, variation in plan.study.vary.items()}


def finished_alike(trial: optuna.Trial) -> FrozenTrial | None:
    """The first finished trial of the same values: trained again, they would score the same."""
    finished = trial.study.get_trials(deepcopy=False, states=[TrialState.COMPLETE])
    return next((each for each in finished if each.params == trial.params), None)


def _suggested(trial: optuna.Trial, key: str, variation: Any) -> Any:
    if not isinstance(variation, Range):
        return variation.by_label[trial.suggest_categorical(key, list(variation.by_label))]
    low, high, step, log = variation.low, variation.high, variation.step, variation.log
    if variation.is_integer:
        return trial.suggest_int(key, low, high, step=step or 1, log=log)
    return trial.suggest_float(key, low, high, step=step, log=log)


def _training(experiment: Any) -> Any:
    """How to train, without the weights of the best epoch: a trial keeps no model."""
    training = experiment.training
    return training.model_copy(update={"checkpoint": None}) if hasattr(training, "checkpoint") else training


def _reason(error: Exception) -> str:
    told = str(error).strip().splitlines()
    return f"{type(error).__name__}: {told[0] if told else 'without a word'}"
