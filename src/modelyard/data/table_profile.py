"""What each column of a table holds, in a few words, and what has changed between two versions of a table."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from modelyard.data.columns import Column, Kind, as_text, is_text, to_numbers, type_error, without_gaps
from modelyard.data.readers.csv_table import RawTable, TableError
from modelyard.data.readers.table import TableDataset, find_column
from modelyard.data.samples import TARGET_KINDS

if TYPE_CHECKING:
    import pyarrow as pa

FEW = 3  # categories that are named

Role = Literal["target", "feature", "index", "dropped"]


@dataclass(frozen=True)
class ColumnProfile:
    """What a column holds.

    Attributes:
        kind: that of `Column`; `text` for text of many values, `empty`, or the type of values that no model takes.
        gaps: the number of rows without a value.
        distinct: the number of different values.
        low: the smallest number, or the first day of dates since 1970.
        high: the largest.
        whole: whether all numbers are whole.
        categories: the number of rows of each category, the most frequent first.
        errors: what is wrong with values that do not fit the kind, by row from 0.
        column: how its values become numbers; None for what no model takes.
    """

    name: str
    role: Role
    kind: str
    gaps: int
    distinct: int
    low: float | None = None
    high: float | None = None
    whole: bool = False
    categories: dict[str, int] | None = None
    errors: dict[int, str] | None = None
    column: Column | None = None

    @property
    def values(self) -> str:
        """The range or the first categories, in a few words."""
        if self.low is not None and self.high is not None:
            low, high = as_shown(self.low, self.kind), as_shown(self.high, self.kind)
            return low if low == high else f"{low} to {high}"
        if self.categories is None:
            return f"{self.distinct} different" if self.distinct else ""
        counted = [f"{name} ({count})" for name, count in self.categories.items()]
        if len(counted) > FEW:
            return f"{len(counted)} categories, most of all {counted[0]}"
        return ", ".join(counted)


def as_shown(value: float, kind: str) -> str:
    """Return a number, or days since 1970, in a short form."""
    if kind == "boolean":
        return str(bool(value))
    if kind == "date":
        return str((np.datetime64(0, "s") + round(value * 86400) * np.timedelta64(1, "s")).astype("datetime64[D]"))
    return f"{value:.0f}" if value == round(value) and abs(value) < 1e15 else f"{value:.6g}"


def profile(table: RawTable, settings: TableDataset) -> tuple[ColumnProfile, ...]:
    """Return what each column holds, read as the settings say."""
    return tuple(profile_column(name, raw, settings) for name, raw in table.columns.items())


def profile_column(name: str, raw: "pa.ChunkedArray", settings: TableDataset) -> ColumnProfile:
    """Return what one column holds."""
    import pyarrow.compute as pc

    missing = settings.missing.get(name, ())
    values, role = without_gaps(raw, missing), _role(name, settings)
    column = find_any_column(name, raw, settings)
    if column is None:
        kind = "empty" if values.null_count == len(values) else "text" if is_text(values) else str(values.type)
        distinct = pc.count_distinct(values).as_py() if kind == "text" else 0
        return ColumnProfile(name, role, kind, values.null_count, distinct)
    if column.kind == "category":
        counts = _counts(raw, missing)
        column = column.model_copy(update={"categories": tuple(counts)})
        return ColumnProfile(name, role, "category", values.null_count, len(counts), categories=counts, column=column)
    found = to_numbers(raw, column, settings.decimal)
    numbers = found.values[:, -1]
    present = numbers[~np.isnan(numbers)]
    return ColumnProfile(
        name,
        role,
        column.kind,
        gaps=int(found.gaps.sum()),
        distinct=len(np.unique(present)),
        low=float(present.min()) if len(present) else None,
        high=float(present.max()) if len(present) else None,
        whole=bool(np.all(present == np.round(present))),
        errors=found.errors or None,
        column=column,
    )


def find_any_column(name: str, raw: "pa.ChunkedArray", settings: TableDataset) -> Column | None:
    """Return what `find_column` does, for the target as well; None for all that no model takes."""
    if _role(name, settings) == "target":
        kind: Kind = "category" if TARGET_KINDS[settings.task] == "class" else "number"
        column = Column(name=name, kind=kind, missing=settings.missing.get(name, ()), is_target=True)
        return None if type_error(raw, column) else column
    try:
        return find_column(name, raw, settings)
    except TableError:
        return None


def compare(old: tuple[ColumnProfile, ...], new: tuple[ColumnProfile, ...]) -> Iterator[tuple[str, str]]:
    """Yield the name of each column that differs, and how."""
    before = {column.name: column for column in old}
    after = {column.name: column for column in new}
    for name in before:
        if name not in after:
            yield name, f"gone; it was a {before[name].role}"
    for name, column in after.items():
        if name not in before:
            yield name, f"new: {column.kind}, {column.values}; it is a {column.role}"
        elif changes := list(_changes(before[name], column)):
            yield name, "; ".join(changes)


def _changes(old: ColumnProfile, new: ColumnProfile) -> Iterator[str]:
    if old.kind != new.kind:
        yield f"was {old.kind}, is {new.kind}"
    elif old.categories is not None and new.categories is not None:
        for what, some, others in (("new", new, old), ("gone", old, new)):
            names = [name for name in some.categories or () if name not in (others.categories or ())]
            if names:
                more = f" and {len(names) - FEW} more" if len(names) > FEW else ""
                yield f"{what}: {', '.join(names[:FEW])}{more}"
    elif old.values != new.values:
        yield f"{old.values}, now {new.values}"
    if old.gaps != new.gaps:
        yield f"{old.gaps} gaps, now {new.gaps}"


def _role(name: str, settings: TableDataset) -> Role:
    if name == settings.target.strip():
        return "target"
    if name == settings.index:
        return "index"
    return "dropped" if settings.columns.get(name) == "drop" else "feature"


def _counts(raw: "pa.ChunkedArray", missing: tuple[str, ...]) -> dict[str, int]:
    """The number of rows of each text, the most frequent first."""
    import pyarrow.compute as pc

    counted = pc.value_counts(as_text(without_gaps(raw, missing)).drop_null())
    pairs = [(entry["values"], entry["counts"]) for entry in counted.to_pylist()]
    return dict(sorted(pairs, key=lambda pair: (-pair[1], pair[0])))
