"""The input contract: what the training samples of an input were like, for whoever compares new samples with them.

It is kept and registered with models, so it has no raw text, and names no category of fewer than SMALLEST_CATEGORY
samples: these are counted together.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from operator import not_
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from pydantic import Field, ValidationError

from modelyard.core.config import Settings
from modelyard.core.errors import ModelyardError
from modelyard.core.files import read_text, write_json
from modelyard.data.columns import SMALLEST_CATEGORY, Column, Kind
from modelyard.data.inputs import InputDescription
from modelyard.data.preprocessing import by_feature
from modelyard.data.readers.reuters import RARER, START

KEPT = 1000  # values of a feature
MOST_VALUES = 100_000  # of all features together; of a wider table fewer of each are kept
CHUNK = 1024  # images at a time, to bound the memory
FLAGS = ("False", "True")
FILE, VALUES = "contract.json", "values.npy"
INPUTS = "inputs"  # the folder of a contract in what is kept with a registered model

Array = npt.NDArray[np.float64]


class FeatureSummary(Settings):
    """What a feature was like in some samples."""

    name: str
    kind: Kind
    rows: int = Field(description="samples with a value")
    gaps: int | None = Field(default=None, description="samples without a value; null where these are refused")
    low: float | None = Field(default=None, description="the smallest number; of dates in days since 1970")
    high: float | None = Field(default=None, description="the largest number")
    quantiles: dict[str, float] = Field(default={}, exclude_if=not_, description="of numbers, by percent")
    categories: dict[str, int] = Field(
        default={}, exclude_if=not_, description=f"samples of each category that has {SMALLEST_CATEGORY} or more"
    )
    rarer: int = Field(default=0, exclude_if=not_, description="samples of all other categories together")

    @property
    def is_coded(self) -> bool:
        """Whether it has categories, of which measured values are the numbers."""
        return self.kind in ("category", "boolean")


class _Contract(Settings):
    """The content of contract.json."""

    rows: int
    features: tuple[FeatureSummary, ...]


class Measured(NamedTuple):
    """Features of samples as numbers.

    Attributes:
        columns: what each feature is; of categories, the names of the codes.
        values: float64 (n, features), NaN for a gap.
        takes_gaps: whether each feature may have a gap.
    """

    columns: tuple[Column, ...]
    values: Array
    takes_gaps: tuple[bool, ...]

    def take(self, indices: npt.NDArray[np.integer[Any]]) -> "Measured":
        """Return the features of the samples at these indices."""
        return self._replace(values=self.values[indices])


@dataclass(frozen=True)
class Reference:
    """What samples were like, to compare others with.

    Attributes:
        rows: their number.
        features: each feature.
        values: of each feature of numbers up to KEPT values, evenly spaced in rank, in ascending order (kept, features)
            with NaN below. The columns are sorted by themselves, so that no row is a sample.
    """

    rows: int
    features: tuple[FeatureSummary, ...]
    values: Array

    @classmethod
    def of(cls, measured: Measured) -> "Reference":
        """Summarize the features of samples."""
        count = min(KEPT, max(1, MOST_VALUES // max(1, len(measured.columns))), len(measured.values))
        values = np.full((count, len(measured.columns)), np.nan)
        features = []
        for number, column in enumerate(measured.columns):
            of_feature = measured.values[:, number]
            present = np.sort(of_feature[~np.isnan(of_feature)])
            gaps = len(of_feature) - len(present) if measured.takes_gaps[number] else None
            summary = FeatureSummary(name=column.name, kind=column.kind, rows=len(present), gaps=gaps)
            if summary.is_coded:
                features.append(summary.model_copy(update=_count(present, column)))
                continue
            features.append(summary.model_copy(update=_describe(present)))
            kept = _evenly_spaced(present, count)
            values[: len(kept), number] = kept
        return cls(len(measured.values), tuple(features), values)

    def kept(self, number: int) -> Array:
        """The kept values of a feature of numbers."""
        values: Array = self.values[:, number]
        return values[~np.isnan(values)]

    def save(self, folder: Path) -> None:
        """Write contract.json, and the kept values beside it."""
        folder.mkdir(parents=True, exist_ok=True)
        write_json(folder / FILE, _Contract(rows=self.rows, features=self.features).model_dump(mode="json"))
        np.save(folder / VALUES, self.values, allow_pickle=False)

    @classmethod
    def load(cls, folder: Path) -> "Reference":
        """Read what `save` has written.

        Raises:
            ModelyardError: it has other keys, because another version wrote it.
        """
        try:
            content = _Contract.model_validate_json(read_text(folder / FILE), strict=False)
        except ValidationError:
            raise ModelyardError(
                f"{folder / FILE} was written by another version of Modelyard: build it again with `modelyard run`, "
                "and a registered model also with `modelyard promote`."
            ) from None
        return cls(content.rows, content.features, np.load(folder / VALUES, allow_pickle=False))


def measure(x: npt.NDArray[Any], description: InputDescription) -> Measured:
    """Return what is compared of samples (n, ...): the columns of a table, or a few properties of an image or text."""
    if description.words:
        return _numbers({"words": _lengths(x), "share of unknown words": _unknown_shares(x)})
    if len(description.shape) == 3:
        return _numbers(_image_properties(x))
    values = np.asarray(x, dtype=np.float64).reshape(len(x), -1)
    if not description.columns:
        names = description.features or [f"feature {number}" for number in range(1, values.shape[1] + 1)]
        columns = tuple(Column(name=name, kind="number") for name in names)
    else:
        columns = tuple(
            Column(
                name=description.features[feature.position],
                kind="number" if feature.part not in (None, "days") else feature.column.kind,
                categories=feature.column.categories,
            )
            for feature in by_feature(description.columns)
        )
    return Measured(columns, values, tuple(map(description.takes_gaps, range(len(columns)))))


def describe_training(x: npt.NDArray[Any], description: InputDescription) -> Reference:
    """Return the contract of an input from its training and validation samples, of which it uses the former."""
    return Reference.of(measure(x[: description.training_samples], description))


def value_text(value: float, kind: Kind, digits: int = 6) -> str:
    """Return a number with so many significant digits, or days since 1970 as a date."""
    return str(np.datetime64(int(np.floor(value)), "D")) if kind == "date" else f"{value:.{digits}g}"


def categories_of(column: Column) -> tuple[str, ...]:
    """Return the names of the codes 0, 1, ... of a feature with categories."""
    return FLAGS if column.kind == "boolean" else column.categories


def count_categories(codes: Array, column: Column) -> Counter[str]:
    """Return the number of values of each category, of those that the column does not have under ""."""
    names = categories_of(column)
    found: Counter[str] = Counter()
    for code, count in zip(*np.unique(codes, return_counts=True), strict=True):
        found[names[int(code)] if 0 <= code < len(names) else ""] += int(count)
    return found


def _count(codes: Array, column: Column) -> Mapping[str, object]:
    counts = count_categories(codes, column)
    named = {name: counts[name] for name in categories_of(column) if counts[name] >= SMALLEST_CATEGORY}
    return {"categories": named, "rarer": counts.total() - sum(named.values())}


def _describe(ascending: Array) -> Mapping[str, object]:
    if not len(ascending):
        return {}
    percents = (5, 25, 50, 75, 95)
    quantiles = np.percentile(ascending, percents, method="nearest").tolist()
    return {
        "low": float(ascending[0]),
        "high": float(ascending[-1]),
        "quantiles": dict(zip(map(str, percents), quantiles, strict=True)),
    }


def _evenly_spaced(ascending: Array, count: int) -> Array:
    """Values evenly spaced in rank, the ends among them: nearer to all values than as many random ones."""
    if len(ascending) <= count:
        return ascending
    chosen: Array = ascending[np.rint(np.linspace(0, len(ascending) - 1, count)).astype(int)]
    return chosen


def _numbers(properties: Mapping[str, Array]) -> Measured:
    columns = tuple(Column(name=name, kind="number") for name in properties)
    return Measured(columns, np.column_stack(list(properties.values())), (False,) * len(columns))


def _lengths(x: npt.NDArray[Any]) -> Array:
    """The number of words that are read of each text."""
    return np.asarray(((x != 0) & (x != START)).sum(axis=1), dtype=np.float64)


def _unknown_shares(x: npt.NDArray[Any]) -> Array:
    return np.asarray((x == RARER).sum(axis=1) / np.maximum(_lengths(x), 1))


def _image_properties(x: npt.NDArray[Any]) -> Mapping[str, Array]:
    """Mean and standard deviation of the pixels; of colour images also how far the channels are from each other."""
    parts: list[Sequence[Array]] = []
    for start in range(0, max(1, len(x)), CHUNK):
        pixels = np.asarray(x[start : start + CHUNK], dtype=np.float64)
        colour = [np.ptp(pixels, axis=-1).mean(axis=(1, 2))] if x.shape[-1] > 1 else []
        parts.append([pixels.mean(axis=(1, 2, 3)), pixels.std(axis=(1, 2, 3)), *colour])
    names = ("brightness", "contrast", "colour")
    return {name: np.concatenate(each) for name, each in zip(names, zip(*parts, strict=True), strict=False)}
