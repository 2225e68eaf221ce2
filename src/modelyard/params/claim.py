"""One entry of claims.yaml: a statement about two experiments, and the comparison that tests it."""

from collections.abc import Mapping
from operator import not_
from typing import Any, Literal

from pydantic import Field, FiniteFloat, model_validator

from modelyard.core.config import Settings
from modelyard.params.project import Name

Direction = Literal["higher", "lower", "not_lower", "not_higher", "equal", "different"]

FEWEST_PAIRS = 5  # with fewer, the spread is not known well enough for a verdict

Changes = dict[str, Any]
"""New values of settings by their dotted keys."""

_CHANGES = (
    "dotted keys and their values: model.*, training.*, input (another entry of `inputs`), split.* and scaling (of the "
    "input), dataset.* (how its files are read); with backbone. before any of these, a setting of the experiment that "
    "a transfer starts from"
)


def format_changes(changes: Changes) -> str:
    """Changes as text, such as "training.epochs 4, split.first 5000"."""
    return ", ".join(f"{key} {value}" for key, value in changes.items())


class Side(Settings):
    """One side of a comparison: an experiment of params.yaml, with some settings changed."""

    experiment: str
    changes: Changes = Field(default={}, description=_CHANGES)

    def __str__(self) -> str:
        return f"{self.experiment} with {format_changes(self.changes)}" if self.changes else self.experiment


class ClaimSettings(Settings):
    """A claim: how the metric of `first` compares with that of `second`, paired by seed."""

    says: str = Field(description="the statement in a few words")
    notebook: str = Field(default="", description="the notebook that makes it; empty for a question of our own")
    first: Side
    second: Side
    changes: Changes = Field(default={}, description="changes of both sides")
    metric: str = Field(
        description="a metric on test samples; val_*: on validation samples, of the epoch whose weights the model has; "
        "gap: validation loss minus training loss"
    )
    direction: Direction = Field(
        description="how the metric of `first` compares with that of `second`; not_lower and not_higher: by less than "
        "`smallest`"
    )
    smallest: FiniteFloat = Field(gt=0, description="the smallest difference that matters, in the unit of the metric")
    seeds: int = Field(ge=FEWEST_PAIRS, description="how many seeds both sides are trained with")
    second_look: int | None = Field(
        default=None,
        exclude_if=not_,
        description="how many seeds in all, if the first `seeds` do not settle it; each look has a share of the error",
    )
    splits: bool = Field(default=False, description="whether each seed draws its own test samples as well")
    crossed: bool = Field(
        default=False,
        exclude_if=not_,
        description="whether the test samples, which all seeds share, are resampled as well: the verdict is then about "
        "samples of this kind, not about this test set",
    )
    on_request: bool = Field(
        default=False,
        exclude_if=not_,
        description="it takes long: `modelyard replicate` trains it only where it is named",
    )

    @property
    def sides(self) -> tuple[Side, Side]:
        """First and second, each with the changes of both sides added."""
        first, second = (
            Side(experiment=side.experiment, changes={**self.changes, **side.changes})
            for side in (self.first, self.second)
        )
        return first, second

    @property
    def looks(self) -> tuple[int, ...]:
        """The numbers of seeds after which it is tested."""
        return (self.seeds,) if self.second_look is None else (self.seeds, self.second_look)

    @property
    def shared_changes(self) -> str:
        """What both sides have changed, as text."""
        design = "a split for each seed" if self.splits else "test samples resampled" if self.crossed else ""
        return ", ".join(filter(None, [format_changes(self.changes), design]))

    @model_validator(mode="after")
    def _sides_differ(self) -> "ClaimSettings":
        if self.first == self.second:
            raise ValueError("first and second are the same; give one of them `changes`")
        return self

    @model_validator(mode="after")
    def _has_test_samples_to_resample(self) -> "ClaimSettings":
        if not self.crossed:
            return self
        if self.splits:
            raise ValueError("with `splits` each seed draws its own test samples: leave out `crossed`, or `splits`")
        if self.metric == "gap" or self.metric.startswith("val_"):
            raise ValueError(f"`crossed` resamples test samples, and {self.metric} is measured on others: leave it out")
        if self.second_look is not None:
            raise ValueError("`crossed` and `second_look` exclude each other: plan `seeds` large enough")
        return self

    @model_validator(mode="after")
    def _looks_grow(self) -> "ClaimSettings":
        if self.second_look is not None and self.second_look <= self.seeds:
            raise ValueError(f"second_look is the number of seeds in all: give more than the {self.seeds} of `seeds`")
        return self


Claims = dict[Name, ClaimSettings]
"""The whole of claims.yaml."""


def claim_from_report(entry: Mapping[str, Any]) -> ClaimSettings:
    """The settings of a claim at the time it was tested, from its entry in reports/claims.json."""
    sides = {side: {key: entry[side][key] for key in Side.model_fields} for side in ("first", "second")}
    return ClaimSettings(**{key: entry[key] for key in ClaimSettings.model_fields if key in entry} | sides)
