"""One entry of `studies` in params.yaml: which settings of an experiment a search varies, and within which bounds."""

import json
from collections.abc import Iterator, Mapping
from operator import not_
from typing import Annotated, Any, Literal

from pydantic import Discriminator, Field, FiniteFloat, Tag, ValidationError, model_validator

from modelyard.core.config import Mistake, Settings, all_values, flatten, suggest, suggest_setting, with_changes
from modelyard.data.inputs import InputSettings
from modelyard.params.fold_evaluation import EVALUATE

Number = int | FiniteFloat
Keys = tuple[str | int, ...]
"""The keys that lead to a value of the file, and the index in a list."""

PARAMETERS = "parameters"
"""What can be minimized beside the score. Not the latency: with it, no search could be repeated."""

EPOCHS = "training.epochs"
SEED = "training.seed"

START_UP_TRIALS = 5  # before TPE has a model; Optuna's default of 10 needed more compute (benchmarks/search)

DEFAULT_LEARNING_RATES = {"adam": 0.001, "adamw": 0.001, "rmsprop": 0.001, "sgd": 0.01}
"""The defaults of Keras, where an experiment has null."""


class Range(Settings):
    """Every number from `low` to `high`; integers only where all of low, high and step are integers."""

    low: Number
    high: Number = Field(description="included")
    step: Number | None = Field(default=None, gt=0, description="only low, low + step, low + 2 step, ...")
    log: bool = Field(default=False, description="sample on a logarithmic scale")

    @model_validator(mode="after")
    def _is_not_empty(self) -> "Range":
        if self.low >= self.high:
            raise ValueError(f"low {self.low} is not below high {self.high}")
        if self.log and self.low <= 0:
            raise ValueError(f"a logarithmic range needs low above 0, given {self.low}")
        if self.log and self.step is not None:
            raise ValueError("a logarithmic range has no step: leave out `log` or `step`")
        if self.step is not None and self.step > self.high - self.low:
            raise ValueError(f"a step of {self.step} is wider than the range from {self.low} to {self.high}")
        return self

    @property
    def is_integer(self) -> bool:
        """Whether it holds integers only."""
        return all(isinstance(number, int) for number in (self.low, self.high, self.step) if number is not None)

    def holds(self, value: Any) -> bool:
        """Whether a value lies within the range, and on one of its steps."""
        if not isinstance(value, int | float) or not self.low <= value <= self.high:
            return False
        step = self.step or (1 if self.is_integer else None)
        steps = (value - self.low) / step if step else 0.0
        return abs(steps - round(steps)) < 1e-9

    def extremes(self) -> Iterator[tuple[Keys, Any]]:
        """The values to try on the experiment, each with its keys: both ends, and a step above the lower one."""
        yield ("low",), self.low
        yield ("high",), self.high
        if self.step is not None:
            yield ("step",), self.low + self.step


class Choices(Settings):
    """One of several values."""

    choices: tuple[Any, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _is_unique(self) -> "Choices":
        labels = [repr(storage_label(value)) for value in self.choices]
        twice = next((label for label in labels if labels.count(label) > 1), None)
        if twice:
            raise ValueError(f"{twice} is listed twice")
        return self

    @property
    def by_label(self) -> dict[Any, Any]:
        """The values by their labels in a study's storage."""
        return {storage_label(value): value for value in self.choices}

    def holds(self, value: Any) -> bool:
        """Whether a value is one of the choices."""
        return storage_label(value) in self.by_label

    def extremes(self) -> Iterator[tuple[Keys, Any]]:
        """The values to try on the experiment, each with its keys: all of them."""
        yield from ((("choices", number), value) for number, value in enumerate(self.choices))


def _kind(value: Any) -> str:
    return "choices" if isinstance(value, Choices) or (isinstance(value, dict) and "choices" in value) else "range"


Variation = Annotated[Annotated[Range, Tag("range")] | Annotated[Choices, Tag("choices")], Discriminator(_kind)]


class StudySettings(Settings):
    """A search for better settings of an experiment; trials see training and validation samples only."""

    experiment: str
    search_space: dict[str, Variation] = Field(
        min_length=1, description="the range or choices of settings by their dotted keys, such as training.epochs"
    )
    n_trials: int = Field(ge=1, description="how many trials in all, the experiment itself included as trial 0")
    timeout: float | None = Field(default=None, gt=0, description="start no trial after this many seconds")
    folds: int | None = Field(
        default=None, ge=2, description="k-fold cross-validation; the scaling is fitted for each fold"
    )
    training_samples: int | None = Field(
        default=None, ge=2, description="train each trial on so many samples only; all validation samples score it"
    )
    pruner: Literal["median", "hyperband", "none"] | None = Field(
        default=None,
        description="median: after a third of the epochs or folds, stops a trial whose best score so far is worse than "
        "the median of the finished trials' scores at the same step; null: median with folds or where the number of "
        "epochs is read off the learning curve, else none",
    )
    metrics: tuple[str, ...] = Field(
        default=(),
        exclude_if=not_,
        description="[accuracy, parameters]: the search also minimizes the number of parameters, and finds the trials "
        "that no other beats in both. The first is the metric that trials are scored by in any case. Nothing is pruned",
    )
    max_stagnation_trials: int | None = Field(
        default=None,
        ge=1,
        exclude_if=lambda trials: trials is None,
        description="end the search when so many trials in a row brought no better score; null: run all of n_trials",
    )
    warm_start: str | None = Field(
        default=None,
        exclude_if=lambda name: name is None,
        description="the study whose best trials are tried after the baseline; its own name: the study before this one",
    )
    seed: int = Field(ge=0, lt=2**32)

    @model_validator(mode="after")
    def _folds_use_all_samples(self) -> "StudySettings":
        if self.folds and self.training_samples:
            raise ValueError("folds use all samples: leave out `training_samples` or `folds`")
        return self

    @model_validator(mode="after")
    def _can_stagnate(self) -> "StudySettings":
        trials = self.max_stagnation_trials
        if trials and trials < START_UP_TRIALS:
            raise ValueError(
                f"max_stagnation_trials {trials} is too few: the first {START_UP_TRIALS} trials are drawn at random. "
                f"Give at least {START_UP_TRIALS}; 20 lost little (docs/tuning.md)"
            )
        if trials and self.metrics:
            raise ValueError("several metrics have no one best score: leave out `max_stagnation_trials` or `metrics`")
        return self

    @model_validator(mode="after")
    def _has_one_metric_to_prune_by(self) -> "StudySettings":
        if self.sizes and self.pruner not in (None, "none"):
            raise ValueError("`pruner` has one metric to prune by, not several: leave out `pruner` or `metrics`")
        return self

    @property
    def sizes(self) -> tuple[str, ...]:
        """What is minimized beside the score."""
        return self.metrics[1:]


def numbers_of_epochs(variation: Range | Choices) -> tuple[int, ...]:
    """Every number of epochs that a study allows, sorted."""
    if isinstance(variation, Choices):
        return tuple(sorted(variation.choices))
    return tuple(range(int(variation.low), int(variation.high) + 1, int(variation.step or 1)))


def tuned_name(experiment: str) -> str:
    """The name under which the best trial of a study is written beside its experiment."""
    return f"{experiment}_tuned"


def storage_label(value: Any) -> Any:
    """How a study's storage holds a value: as it is, or as JSON where it is a list."""
    return value if value is None or isinstance(value, bool | int | float | str) else json.dumps(value)


def baseline_values(study: StudySettings, experiment: Any) -> dict[str, Any]:
    """The experiment's own values of what a study varies: trial 0.

    A learning rate of null is the optimizer's default as a number, unless null is among the choices.
    """
    settings = flatten(all_values(experiment))
    values = {key: settings[key] for key in study.search_space}
    rate = "training.learning_rate"
    if rate in values and values[rate] is None and not study.search_space[rate].holds(None):
        values[rate] = DEFAULT_LEARNING_RATES[settings["training.optimizer"]]
    return values


def inputs_of(study: StudySettings, own: str) -> tuple[str, ...]:
    """The inputs that a study's trials read; `own` is that of the experiment."""
    variation = study.search_space.get("input")
    return variation.choices if isinstance(variation, Choices) else (own,)


def study_mistakes(
    study: StudySettings, experiments: Mapping[str, Any], inputs: Mapping[str, InputSettings]
) -> Iterator[Mistake]:
    """Names that do not exist, and values that the experiment does not allow; keys start within the study's entry."""
    if study.experiment not in experiments:
        yield Mistake(("experiment",), f"no such experiment; {suggest(study.experiment, experiments)}")
        return
    experiment = experiments[study.experiment]
    known = flatten({key: value for key, value in all_values(experiment).items() if key not in EVALUATE})
    for key, variation in study.search_space.items():
        if key not in known:
            yield Mistake(("search_space", key), f"{study.experiment} has no such key; {suggest_setting(key, known)}")
        elif key == SEED:
            reason = "the seed is chance, not a setting: `modelyard tune STUDY --confirm` trains with several"
            yield Mistake(("search_space", key), reason)
        else:
            yield from _refused_values(key, variation, experiment)
        if key == EPOCHS and isinstance(variation, Range) and int(variation.step or 1) != (variation.step or 1):
            yield Mistake(("search_space", key, "step"), "epochs are counted: give an integer")
    if study.search_space.keys() <= known.keys():
        yield from _input_mistakes(study, experiment.input, inputs)


def _refused_values(key: str, variation: Range | Choices, experiment: Any) -> Iterator[Mistake]:
    for keys, value in variation.extremes():
        try:
            with_changes(experiment, {key: value})
        except ValidationError as refusal:
            reason = refusal.errors(include_url=False)[0]["msg"]
            yield Mistake(("search_space", key, *keys), f"the experiment refuses it: {reason[0].lower()}{reason[1:]}")


def missing_baseline(study: StudySettings, experiment: Any) -> Iterator[Mistake]:
    """The experiment's own values that a search space does not hold; keys start within the study's entry."""
    for key, value in baseline_values(study, experiment).items():
        if not study.search_space[key].holds(value):
            own = storage_label(value)
            reason = f"it must hold the experiment's own value {own}, because trial 0 is the experiment itself: add it"
            yield Mistake(("search_space", key), reason)


def _input_mistakes(study: StudySettings, own: str, inputs: Mapping[str, InputSettings]) -> Iterator[Mistake]:
    if isinstance(study.search_space.get("input"), Range):
        yield Mistake(("search_space", "input"), "inputs are names: give `choices`")
        return
    for number, name in enumerate(inputs_of(study, own)):
        keys: Keys = ("search_space", "input", "choices", number) if "input" in study.search_space else ("experiment",)
        if not isinstance(name, str) or name not in inputs:
            yield Mistake(keys, f"no such input; {suggest(str(name), inputs)}")
        elif own in inputs and _split_of(inputs[name]) != _split_of(inputs[own]):
            # Training samples of the one may be test samples of the other.
            yield Mistake(keys, f"its samples are split differently from {own}, so that scores cannot be compared")
        elif not study.folds and not inputs[name].split.validation:
            yield Mistake(keys, f"input {name} has no validation samples: give the study `folds`, such as 5")


def _split_of(settings: InputSettings) -> tuple[object, ...]:
    return settings.dataset, settings.split
