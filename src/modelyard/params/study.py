"""What a study may vary in an experiment, and by how much: one entry of `studies`."""

import json
from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Literal

from pydantic import Discriminator, Field, Tag, ValidationError, model_validator

from modelyard.core.config import Mistake, Settings, changed, flat, nearest
from modelyard.data.inputs import InputSettings

Number = int | float
DEFAULT_LEARNING_RATES = {"adam": 0.001, "rmsprop": 0.001, "sgd": 0.01}  # Keras's own, where an experiment says null


class Range(Settings):
    """Every number from `low` to `high`; whole numbers where both are."""

    low: Number
    high: Number = Field(description="itself included")
    step: Number | None = Field(default=None, gt=0, description="only low, low + step, ...")
    log: bool = Field(default=False, description="every order of magnitude alike")

    @model_validator(mode="after")
    def _is_not_empty(self) -> "Range":
        if self.low >= self.high:
            raise ValueError(f"from low {self.low} to high {self.high} there is no room: low must be below high")
        if self.log and self.low <= 0:
            raise ValueError(f"a logarithmic range begins above 0, this one at {self.low}")
        if self.log and self.step is not None:
            raise ValueError("a logarithmic range has no step: leave out `log` or `step`")
        if self.step is not None and self.step > self.high - self.low:
            raise ValueError(f"a step of {self.step} is wider than the range from {self.low} to {self.high}")
        return self

    @property
    def is_integer(self) -> bool:
        """Whether it holds whole numbers only."""
        return all(isinstance(each, int) for each in (self.low, self.high, self.step) if each is not None)

    def holds(self, value: Any) -> bool:
        """Whether a value lies in it, and on one of its steps."""
        if not isinstance(value, int | float) or not self.low <= value <= self.high:
            return False
        step = self.step or (1 if self.is_integer else None)
        steps = (value - self.low) / step if step else 0.0
        return abs(steps - round(steps)) < 1e-9

    def examples(self) -> Iterator[tuple[tuple, Any]]:
        """Its ends, each with the keys that lead to it."""
        yield ("low",), self.low
        yield ("high",), self.high


class Choices(Settings):
    """One of several values."""

    choices: tuple[Any, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _says_nothing_twice(self) -> "Choices":
        labels = [repr(storage_label(each)) for each in self.choices]
        twice = next((label for label in labels if labels.count(label) > 1), None)
        if twice:
            raise ValueError(f"{twice} stands here twice")
        return self

    @property
    def by_label(self) -> dict[Any, Any]:
        """The values by what a study's storage has for them."""
        return {storage_label(each): each for each in self.choices}

    def holds(self, value: Any) -> bool:
        """Whether a value is one of them."""
        return storage_label(value) in self.by_label

    def examples(self) -> Iterator[tuple[tuple, Any]]:
        """Each, with the keys that lead to it."""
        yield from ((("choices", number), value) for number, value in enumerate(self.choices))


def _kind(given: Any) -> str:
    return "choices" if isinstance(given, Choices) or (isinstance(given, dict) and "choices" in given) else "range"


Variation = Annotated[Annotated[Range, Tag("range")] | Annotated[Choices, Tag("choices")], Discriminator(_kind)]


class StudySettings(Settings):
    """A search for better values of an experiment's settings; only training and validation rows are read."""

    experiment: str
    vary: dict[str, Variation] = Field(
        min_length=1, description="dotted keys of the experiment, such as training.epochs, and what each may be"
    )
    trials: int = Field(ge=1, description="how many there are in all")
    seconds: float | None = Field(default=None, gt=0, description="after these no trial begins")
    folds: int | None = Field(default=None, ge=2, description="k-fold validation, the scaling fitted anew for each")
    training_rows: int | None = Field(
        default=None, ge=2, description="a trial learns from the first so many; it is judged by all validation rows"
    )
    pruner: Literal["median", "hyperband", "none"] = "median"
    seed: int = Field(ge=0, lt=2**32)

    @model_validator(mode="after")
    def _folds_all_rows(self) -> "StudySettings":
        if self.folds and self.training_rows:
            raise ValueError("folds are made of all rows: leave out `training_rows` or `folds`")
        return self


def tuned_name(experiment: str) -> str:
    """What the winner of a study is called beside the experiment that it began from."""
    return f"{experiment}_tuned"


def storage_label(value: Any) -> Any:
    """What a study's storage has for a value: itself, or JSON where it is a list."""
    return value if value is None or isinstance(value, bool | int | float | str) else json.dumps(value)


def baseline_values(study: StudySettings, experiment: Any) -> dict[str, Any]:
    """The experiment's own values of what a study varies; an optimizer's default learning rate as a number."""
    given = flat(experiment.model_dump())
    values = {key: given[key] for key in study.vary}
    rate = "training.learning_rate"
    if rate in values and values[rate] is None and not study.vary[rate].holds(None):
        values[rate] = DEFAULT_LEARNING_RATES[given["training.optimizer"]]
    return values


def study_mistakes(
    study: StudySettings, experiments: Mapping[str, Any], inputs: Mapping[str, InputSettings]
) -> Iterator[Mistake]:
    """What a study names that is not there, and what its experiment refuses; keys within the study's entry."""
    if study.experiment not in experiments:
        yield Mistake(("experiment",), f"no such experiment; {nearest(study.experiment, experiments)}")
        return
    experiment = experiments[study.experiment]
    known = flat(experiment.model_dump())
    for key, variation in study.vary.items():
        if key not in known:
            yield Mistake(("vary", key), f"{study.experiment} has no such key; {nearest(key, known)}")
        else:
            yield from _refused(key, variation, experiment)
    if study.vary.keys() <= known.keys():
        yield from _left_outside(study, experiment)
        yield from _mistakes_of_inputs(study, experiment.input, inputs)


def inputs_of(study: StudySettings, own: str) -> tuple[str, ...]:
    """The inputs that a study's trials see; `own` is the experiment's."""
    return study.vary["input"].choices if "input" in study.vary else (own,)


def _refused(key: str, variation: Range | Choices, experiment: Any) -> Iterator[Mistake]:
    for keys, value in variation.examples():
        try:
            changed(experiment, {key: value})
        except ValidationError as refusal:
            reason = refusal.errors(include_url=False)[0]["msg"]
            yield Mistake(("vary", key, *keys), f"the experiment refuses it: {reason[0].lower()}{reason[1:]}")


def _left_outside(study: StudySettings, experiment: Any) -> Iterator[Mistake]:
    for key, value in baseline_values(study, experiment).items():
        if not study.vary[key].holds(value):
            reason = f"the experiment's own {storage_label(value)} is not in it, and trial 0 is the experiment as it is"
            yield Mistake(("vary", key), f"{reason}: widen it")


def _mistakes_of_inputs(study: StudySettings, own: str, inputs: Mapping[str, InputSettings]) -> Iterator[Mistake]:
    if "input" in study.vary and not isinstance(study.vary["input"], Choices):
        yield Mistake(("vary", "input"), "inputs are named: give `choices`")
        return
    for number, name in enumerate(inputs_of(study, own)):
        keys = ("vary", "input", "choices", number) if "input" in study.vary else ("experiment",)
        if name not in inputs:
            yield Mistake(keys, f"no such input; {nearest(name, inputs)}")
        elif own in inputs and _rows(inputs[name]) != _rows(inputs[own]):
            # The training rows of the one may be test rows of the other.
            yield Mistake(keys, f"it divides its rows otherwise than {own}, so that scores cannot be compared")
        elif not study.folds and not inputs[name].split.validation:
            yield Mistake(keys, f"input {name} has no validation rows to judge by: give the study `folds`, such as 5")


def _rows(given: InputSettings) -> tuple:
    return given.dataset, given.split
