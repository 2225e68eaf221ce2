"""Imputation and one-hot encoding of a table's columns, learnt from training samples only; the models apply it."""

from collections.abc import Mapping, Sequence
from typing import Literal, NamedTuple

import numpy as np
import numpy.typing as npt
from pydantic import Field

from modelyard.core.config import Settings, in_yaml, suggest
from modelyard.core.errors import ModelyardError
from modelyard.data import scaling
from modelyard.data.columns import Column, DatePart
from modelyard.data.scaling import Scaler

Strategy = Literal["refuse", "keep", "median", "most_frequent"]
Array = npt.NDArray[np.float64]

GAP = -2.0  # the code of a gap that is a category of its own
WITHOUT_MEDIAN = ("category", "boolean")
EXAMPLES = 5  # rows or columns that a message names


class Imputation(Settings):
    """What stands for a gap of a column."""

    strategy: Strategy
    add_indicator: bool = Field(default=False, description="whether a feature says where the gaps are")


class OneHot(Settings):
    """The one-hot features of a column of categories.

    Attributes:
        feature: the position of its codes among the features.
        codes: the categories with a feature of their own.
        has_other: whether one more feature stands for rare categories, and for those that training never saw.
    """

    feature: int
    codes: tuple[float, ...]
    has_other: bool


class Preprocessing(Settings):
    """How raw features (n, features) become the encoded features that a model computes with.

    Encoded are, in this order: the numbers, the indicators of gaps, and the one-hot features of each category column.

    Attributes:
        imputation: of each feature.
        min_frequency: the number of training samples below which a category is rare.
        fill: what stands for a gap of each feature; null where gaps stay, or are refused.
        numbers: the positions of the numbers among the features.
        indicators: the positions of the features with an indicator.
        one_hot: the columns of categories.
    """

    imputation: tuple[Imputation, ...]
    min_frequency: int
    fill: tuple[float | None, ...] = ()
    numbers: tuple[int, ...] = ()
    indicators: tuple[int, ...] = ()
    one_hot: tuple[OneHot, ...] = ()

    @property
    def keeps_gaps(self) -> bool:
        """Whether a number may be missing in what the model computes with."""
        return any(self.imputation[feature].strategy == "keep" for feature in self.numbers)

    def takes_gaps(self, feature: int) -> bool:
        """Whether a feature may have no value."""
        return self.imputation[feature].strategy != "refuse"

    def encoded_names(self, features: Sequence[str], columns: Sequence[Column]) -> tuple[str, ...]:
        """The names of the encoded features."""
        categories = {feature.position: feature.column.categories for feature in by_feature(columns)}
        names = [features[feature] for feature in self.numbers]
        names += [f"{features[feature]} is missing" for feature in self.indicators]
        for encoded in self.one_hot:
            name, values = features[encoded.feature], categories[encoded.feature]
            names += [f"{name} = {'(missing)' if code == GAP else values[int(code)]}" for code in encoded.codes]
            names += [f"{name} = (other)"] if encoded.has_other else []
        return tuple(names)


class Feature(NamedTuple):
    """A feature: its position, the column that it stands for, and which part of it, for a date."""

    position: int
    column: Column
    part: DatePart | None


def by_feature(columns: Sequence[Column]) -> list[Feature]:
    """The features of columns, in order."""
    each = [(column, part) for column in columns for part in column.parts or (None,)]
    return [Feature(position, column, part) for position, (column, part) in enumerate(each)]


def choose_imputation(
    columns: Sequence[Column], settings: Imputation | Strategy | Mapping[str, Imputation | Strategy]
) -> tuple[Imputation, ...]:
    """Return the imputation of each feature, from one for all columns or one for each by its name.

    One for all that takes the median takes the most frequent value of categories and booleans, which have no median.

    Raises:
        ModelyardError: a column that does not exist, or the median of one that has none.
    """
    names = {column.name: column.kind for column in columns}
    if isinstance(settings, Mapping):
        for name, given in settings.items():
            if name not in names:
                raise ModelyardError(f"imputation.{name}: no such column among the features; {suggest(name, names)}")
            if names[name] in WITHOUT_MEDIAN and _as_imputation(given).strategy == "median":
                raise ModelyardError(f"imputation.{name}: a {names[name]} has no median; take most_frequent or keep")
        chosen = {name: _as_imputation(settings.get(name, "refuse")) for name in names}
    else:
        general = _as_imputation(settings)
        of_categories = general.model_copy(
            update={"strategy": {"median": "most_frequent"}.get(general.strategy, general.strategy)}
        )
        chosen = {name: of_categories if kind in WITHOUT_MEDIAN else general for name, kind in names.items()}
    return tuple(chosen[feature.column.name] for feature in by_feature(columns))


def fit(columns: Sequence[Column], imputation: Sequence[Imputation], min_frequency: int, x: Array) -> Preprocessing:
    """Learn what the training samples x (n, features) have, in NaN for a gap.

    Raises:
        ModelyardError: a column has no value at all.
    """
    features = by_feature(columns)
    fill = tuple(_fill(each.column, imputation[each.position], x[:, each.position]) for each in features)
    return Preprocessing(
        imputation=tuple(imputation),
        fill=fill,
        numbers=tuple(each.position for each in features if each.column.kind != "category"),
        indicators=tuple(
            each.position
            for each in features
            if imputation[each.position].add_indicator and each.part == next(iter(each.column.parts), None)
        ),
        one_hot=tuple(
            _one_hot(each.position, _filled(x[:, each.position], fill[each.position]), min_frequency)
            for each in features
            if each.column.kind == "category"
        ),
        min_frequency=min_frequency,
    )


def fit_scaler(method: scaling.Method, preprocessing: Preprocessing, columns: Sequence[Column], x: Array) -> Scaler:
    """Fit the scaling of the numbers, imputed; `none` only counts days from the first training date."""
    parts = {feature.position: feature.part for feature in by_feature(columns)}
    fitted = []
    for position in preprocessing.numbers:
        values = _filled(x[:, position], preprocessing.fill[position])
        present = values[~np.isnan(values), np.newaxis]  # gaps may stay, for the families that take them
        if not len(present):
            fitted.append(Scaler())
        elif method == "none" and parts[position] == "days":
            fitted.append(Scaler(offset=(float(present.min()),)))
        else:
            fitted.append(scaling.fit(method, present))
    return Scaler(offset=tuple(each.offset[0] for each in fitted), scale=tuple(each.scale[0] for each in fitted))


def refuse_gaps(columns: Sequence[Column], imputation: Sequence[Imputation], x: Array) -> None:
    """Refuse gaps for which there is no strategy.

    Raises:
        ModelyardError: it names the columns, and has the line to write.
    """
    gaps = {
        column.name: (column, rows)
        for position, column, _ in by_feature(columns)
        if imputation[position].strategy == "refuse" and len(rows := np.flatnonzero(np.isnan(x[:, position])))
    }
    if not gaps:
        return
    named = [
        f"{name!r} in {len(rows)} (row {rows[0] + 1} below the header is the first)"
        for name, (_, rows) in list(gaps.items())[:EXAMPLES]
    ]
    lines = ", ".join(
        f"{in_yaml(name)}: {'most_frequent' if column.kind in WITHOUT_MEDIAN else 'median'}"
        for name, (column, _) in gaps.items()
    )
    entry, shown = "this entry of `inputs`", f"imputation: {{{lines}}}"
    if any(each.strategy != "refuse" for each in imputation):  # a second `imputation` would be an error
        entry, shown = f"`imputation` of {entry}", lines
    raise ModelyardError(
        f"there are rows without a value in {len(gaps)} column(s): {', '.join(named)}. Fill them in or drop these "
        f"rows, or add to {entry} what stands for them, such as\n  {shown}"
    )


def _as_imputation(given: Imputation | Strategy) -> Imputation:
    return given if isinstance(given, Imputation) else Imputation(strategy=given)


def _fill(column: Column, imputation: Imputation, values: Array) -> float | None:
    present = values[~np.isnan(values)]
    if imputation.strategy == "refuse":
        return None
    if imputation.strategy == "keep":
        return GAP if column.kind == "category" else None
    if not len(present):
        raise ModelyardError(
            f"column {column.name!r} has no value in any training sample: drop it with "
            f"`columns: {{{in_yaml(column.name)}: drop}}` of the data set"
        )
    if imputation.strategy == "median":
        return float(np.median(present))
    unique, counts = np.unique(present, return_counts=True)
    return float(unique[np.argmax(counts)])


def _filled(values: Array, fill: float | None) -> Array:
    return values if fill is None else np.where(np.isnan(values), fill, values)


def _one_hot(position: int, codes: Array, min_frequency: int) -> OneHot:
    unique, counts = np.unique(codes, return_counts=True)
    kept = unique[counts >= min_frequency]
    return OneHot(feature=position, codes=tuple(kept.tolist()), has_other=len(kept) < len(unique))
