"""One entry of `claims`: a sentence, and the comparison that can settle it."""

from collections.abc import Mapping
from typing import Any, Literal

from pydantic import Field, model_validator

from modelyard.core.config import Settings

Changes = dict[str, Any]

_CHANGES = (
    "dotted keys with their values: model.*, training.*, input (another entry of `inputs`), split.* and scaling (of "
    "the input), and backbone.* before any of these for the network that a transfer starts from"
)


def format_changes(changes: Changes) -> str:
    """Changes as a person says them: training.epochs 4, split.first 5000."""
    return ", ".join(f"{key} {value}" for key, value in changes.items())


class Side(Settings):
    """One side of a comparison: an experiment, with changes that need no entry of their own."""

    experiment: str
    changes: Changes = Field(default={}, description=_CHANGES)

    def __str__(self) -> str:
        return f"{self.experiment} with {format_changes(self.changes)}" if self.changes else self.experiment


class ClaimSettings(Settings):
    """One claim: what is said of `first` beside `second`, seed by seed."""

    says: str = Field(description="the sentence, in a few words")
    notebook: str = Field(default="", description="where it stands; empty for a question of our own")
    first: Side
    second: Side
    changes: Changes = Field(default={}, description="of both sides")
    metric: str = Field(
        description="of the test rows; val_*: as the last epoch told it; gap: validation loss less training loss"
    )
    direction: Literal["higher", "lower", "equal", "different"] = Field(description="of the first beside the second")
    smallest: float = Field(gt=0, description="the smallest difference that matters, in the metric's unit")
    seeds: int = Field(ge=2, description="how many times both sides are trained")
    splits: bool = Field(default=False, description="each seed draws its own test rows as well")

    @property
    def sides(self) -> tuple[Side, Side]:
        """First and second, each with the changes of both."""
        first, second = (
            Side(experiment=side.experiment, changes={**self.changes, **side.changes})
            for side in (self.first, self.second)
        )
        return first, second

    @property
    def shared_changes(self) -> str:
        """What both sides are given, in words."""
        return ", ".join(filter(None, [format_changes(self.changes), "a split for each seed" if self.splits else ""]))

    @model_validator(mode="after")
    def _compares_two_things(self) -> "ClaimSettings":
        if self.first == self.second:
            raise ValueError("first and second are the same; give one of them `changes`")
        return self


def claim_from_report(entry: Mapping[str, Any]) -> ClaimSettings:
    """The claim that an entry of reports/claims.json is about, as it was when it was put to the test."""
    sides = {side: {key: entry[side][key] for key in Side.model_fields} for side in ("first", "second")}
    return ClaimSettings(**{key: entry[key] for key in ClaimSettings.model_fields if key in entry} | sides)
