"""The search spaces: finite grids, so that every configuration can be trained once and any search be replayed."""

import itertools
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from modelyard.core.errors import ModelyardError
from modelyard.metrics.definitions import find_metric
from modelyard.params.study import storage_label

RATES = (0.0003, 0.001, 0.003, 0.01)
ORDERED = ("training.learning_rate", "model.dropout", "model.convolution_dropout")
"""Settings whose values have an order; the others are categories, as `choices` of a study are."""

Values = dict[str, Any]


@dataclass(frozen=True)
class Space:
    """A finite search space.

    Attributes:
        experiment: the experiment of params.yaml that it varies.
        grid: the values of each setting, by its dotted key; the last one changes from row to row of the table.
        baseline: the configuration that every search trains first, as `modelyard tune` does.
        metric: that scores a configuration, on validation samples.
        epochs: of a full training.
        fixed: other settings that differ from the experiment, which are not searched.
        split: what differs in the split of the input, to have fewer samples.
        folds: of the cross-validation that scores a configuration; 0: one training, scored on validation samples.
    """

    experiment: str
    grid: Mapping[str, tuple[Any, ...]]
    baseline: Values
    metric: str
    epochs: int
    fixed: Values = field(default_factory=dict)
    split: Values = field(default_factory=dict)
    folds: int = 0

    @property
    def fits(self) -> int:
        """The number of trainings that score a configuration."""
        return self.folds or 1

    @property
    def sign(self) -> int:
        """1 if a higher value is better, else -1: signed values are scores, of which the highest is best."""
        return 1 if find_metric(self.metric).higher_is_better else -1

    @property
    def configurations(self) -> list[Values]:
        """Every configuration, in the order of the table's rows."""
        return [dict(zip(self.grid, values, strict=True)) for values in itertools.product(*self.grid.values())]

    def row(self, values: Values) -> int:
        """The row of a configuration."""
        row = 0
        for key, choices in self.grid.items():
            row = row * len(choices) + choices.index(values[key])
        return row

    def labels(self, values: Values) -> Values:
        """The values as a study's storage holds them: lists as JSON."""
        return {key: storage_label(value) for key, value in values.items()}


SPACES = {
    "digits_cnn": Space(
        experiment="digits_cnn",
        grid={
            "model.filters": ((8, 16), (16, 32), (32, 64)),
            "model.convolution_dropout": (0.0, 0.25, 0.5),
            "training.batch_size": (32, 64, 128),
            "training.learning_rate": RATES,
            "training.optimizer": ("adam", "rmsprop"),
        },
        baseline={  # not that of params.yaml, which only three configurations equal and none beats
            "model.filters": (16, 32),
            "model.convolution_dropout": 0.25,
            "training.batch_size": 64,
            "training.learning_rate": 0.001,
            "training.optimizer": "adam",
        },
        metric="accuracy",
        epochs=27,
    ),
    "fashion_ann": Space(
        experiment="fashion_ann",
        grid={
            "model.units": ((32,), (128,), (128, 64)),
            "model.dropout": (0.0, 0.25, 0.5),
            "training.batch_size": (32, 64, 128),
            "training.learning_rate": RATES,
            "training.optimizer": ("adam", "rmsprop"),
        },
        baseline={
            "model.units": (128,),
            "model.dropout": 0.0,
            "training.batch_size": 64,
            "training.learning_rate": 0.001,
            "training.optimizer": "adam",
        },
        metric="accuracy",
        epochs=27,
        split={"first": 4500, "validation": 1 / 3},  # 3,000 training and 1,500 validation samples
    ),
    "boston_mlp": Space(
        experiment="boston_mlp",
        grid={
            "input": ("boston", "boston_standard"),
            "model.units": ((32,), (64, 32), (128, 64)),
            "model.dropout": (0.0, 0.1, 0.2),
            "training.batch_size": (16, 32, 64),
            "training.learning_rate": RATES,
        },
        baseline={
            "input": "boston",
            "model.units": (64, 32),
            "model.dropout": 0.0,
            "training.batch_size": 32,
            "training.learning_rate": 0.001,
        },
        metric="mae",
        epochs=54,
        folds=3,
    ),
}


def find_space(name: str) -> Space:
    """Return a space by its name.

    Raises:
        ModelyardError: there is none.
    """
    if name not in SPACES:
        raise ModelyardError(f"no such space: {name}; allowed: {', '.join(SPACES)}.")
    return SPACES[name]
