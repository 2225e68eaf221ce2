"""What looks wrong in a table, and what settings to propose for it: gaps, dates, ids, and the target in disguise."""

import re
import time
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from shlex import quote
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, get_args

import numpy as np
import numpy.typing as npt

from modelyard.data.columns import ISO, THOUSANDS, Column, Kind, is_text, to_numbers, type_error, without_gaps
from modelyard.data.readers.csv_table import RawTable
from modelyard.data.readers.table import ISO_DATE, DateColumn, TableDataset
from modelyard.data.samples import TARGET_KINDS, Task
from modelyard.data.table_profile import FEW, ColumnProfile, find_any_column, profile, profile_column

if TYPE_CHECKING:
    import pyarrow as pa

MARKERS = ("?", "-", "--", ".", "na", "n/a", "nan", "null", "none", "nil", "missing")  # that mean no value
NUMBERS_FOR_GAPS = (-99, -999, -9999, -99999, 999, 9999, 99999)  # that often mean no value
EXACT = 2**53  # the whole numbers up to it are exact as float64
VALUE = re.compile(r"[-+]?\d*[.,]?\d+([eE][-+]?\d+)?|\d{4}-\d\d-\d\d.*|true|false", re.IGNORECASE)
DATE_FORMATS = tuple(
    date + time
    for date in ("%d.%m.%Y", "%d/%m/%Y", "%m/%d/%Y", "%Y/%m/%d", "%d-%m-%Y", "%d.%m.%y", "%d/%m/%y", "%m/%d/%y")
    for time in ("", " %H:%M", " %H:%M:%S")
)
ID_NAME = re.compile(r"(^|_|\b|(?<=[a-z]))(id|ID|Id|index|Index|nr|no|No|number|row)$")

NEARLY_ALL = 0.9  # of the values; then the others are errors, and the column is no text
DECIMAL_COMMA = re.compile(r"-?[\d.]*,\d+")
MOST_WRONG = 5  # different values that do not fit a column; with more it is text and numbers mixed

MOST_CLASSES = 10  # of whole numbers; more are a regression
ROWS_PER_VALUE = 10  # fewer rows than that of each value are no class, and no code
FEW_ROWS = 10  # of a class, from which little is learnt
FEW_CODES = range(3, 21)  # so many whole numbers may be codes of categories

OFFSET = r":\d\d(\.\d+)? ?[+-]\d\d:?\d\d\s*$"  # of a time from UTC
SAME = 0.999  # a correlation from which a column is the target in other words
ENOUGH_ROWS = 50  # to measure how well a column predicts
MOST_ROWS = 10_000  # that it is measured with
SUSPECT_R2 = 0.95
SUSPECT_ACCURACY = 0.97
SUSPECT_GAIN = 0.9  # of the share of rows that the most frequent class leaves


@dataclass(frozen=True)
class Examination:
    """A table as it would be read.

    Attributes:
        settings: the given ones, with the kinds, missing values and index that were found.
        columns: what each column holds, read so.
        remarks: what looks wrong with a column, by its name, and with the rows, by "".
    """

    settings: TableDataset
    columns: tuple[ColumnProfile, ...]
    remarks: dict[str, list[str]]

    @property
    def features(self) -> list[ColumnProfile]:
        """The columns that models take."""
        return [column for column in self.columns if column.role == "feature"]


Columns = Mapping[str, ColumnProfile]


class _Finding(NamedTuple):
    """A remark on a column, and what to write for it in the settings, unless they have something there."""

    column: str
    remark: str
    key: Literal["columns", "missing", "index"] | None = None
    value: Any = None


def guess_task(raw: "pa.ChunkedArray", missing: tuple[str, ...], decimal: str) -> tuple[Task, str]:
    """Return the task that a target asks for, and why."""
    import pyarrow as pa
    import pyarrow.compute as pc

    values, number = without_gaps(raw, missing), Column(name="", kind="number")
    if pa.types.is_boolean(values.type):
        return "classification", "True and False"
    if type_error(values, number):
        return "classification", str(values.type)
    numbers = to_numbers(values, number, decimal).values
    numbers = numbers[~np.isnan(numbers)]
    half = (len(values) - values.null_count) / 2
    if len(numbers) < half:
        commas = is_text(values) and pc.sum(pc.match_substring_regex(values, f"^(?:{DECIMAL_COMMA.pattern})$")).as_py()
        return ("regression", "numbers with commas") if commas and commas > half else ("classification", "text")
    distinct = len(np.unique(numbers))
    if np.all(numbers == np.round(numbers)) and 2 <= distinct <= min(MOST_CLASSES, len(numbers) / ROWS_PER_VALUE):
        return "classification", f"{distinct} different whole numbers"
    return "regression", f"{distinct} different numbers"


def examine(table: RawTable, settings: TableDataset) -> Examination:
    """Find what looks wrong; what the settings say of a column is kept."""
    remarks = defaultdict[str, list[str]](list)
    columns = {column.name: column for column in profile(table, settings)}
    for step in (_gaps_in_words, _gaps_in_numbers, _dates, _future, _useless, _ids, _rare_classes, _leaks, _codes):
        for finding in list(step(table, settings, columns)):
            changed, effect = _with(settings, finding)
            if changed is not settings:
                settings, name = changed, finding.column
                columns[name] = profile_column(name, table.columns[name], settings)
            remarks[finding.column].append(finding.remark + effect)
    if copies := _copies(table):
        remarks[""].append(
            f"{copies} of {len(table.rows)} rows are equal to an earlier one: the same may be in the training and "
            "the test samples"
        )
    if values := [name for name in table.columns if VALUE.fullmatch(name)]:
        remarks[""].append(f"column names that look like values: {', '.join(values[:FEW])}: is the header missing?")
    return Examination(settings, tuple(columns.values()), dict(remarks))


def _with(settings: TableDataset, finding: _Finding) -> tuple[TableDataset, str]:
    """The settings with what a finding proposes, and how the remark says so."""
    name, key, value = finding.column, finding.key, finding.value
    if key == "index":
        if settings.index is None and name not in settings.columns:
            return settings.model_copy(update={"index": name}), ": taken as the index, no feature"
        key, value = "columns", "drop"
    if key is None or name in getattr(settings, key):
        return settings, ""
    settings = settings.model_copy(update={key: {**getattr(settings, key), name: value}})
    return settings, ": dropped" if value == "drop" else ""


def _gaps_in_words(table: RawTable, settings: TableDataset, columns: Columns) -> Iterator[_Finding]:
    """Words such as n/a that stand for a gap of what are else numbers or dates."""
    import pyarrow as pa
    import pyarrow.compute as pc

    for name, column in columns.items():
        raw = table.columns[name]
        if not is_text(raw) or name in settings.missing:
            continue
        values = without_gaps(raw, ())
        found = values.filter(pc.is_in(pc.utf8_lower(values), value_set=pa.array(MARKERS)))
        if not len(found):
            continue
        spelt = tuple(sorted(found.unique().to_pylist()))
        cleared = settings.model_copy(update={"missing": {**settings.missing, name: spelt}})
        cleared_column = find_any_column(name, raw, cleared)
        quoted = ", ".join(map(repr, spelt))
        if column.role == "target":  # nothing can stand for a gap there
            yield _Finding(name, f"{quoted} in {len(found)} rows; if no value: leave these rows out")
        elif cleared_column is None or cleared_column.kind == "category":
            yield _Finding(name, f"{quoted} in {len(found)} rows; if no value: {_as_missing(name, *spelt)}")
        else:
            yield _Finding(name, f"{quoted} in {len(found)} rows, taken as no value", "missing", spelt)


def _gaps_in_numbers(table: RawTable, settings: TableDataset, columns: Columns) -> Iterator[_Finding]:
    """Numbers such as -999 that are repeated, far from all others; and whole numbers that lose digits."""
    for column in _features(columns):
        name = column.name
        if column.kind != "number" or column.errors or name in settings.missing:
            continue
        numbers = _numbers(column, table, settings)
        numbers = numbers[~np.isnan(numbers)]
        if not len(numbers):
            continue
        for value in NUMBERS_FOR_GAPS:
            others = numbers[numbers != value]
            count = len(numbers) - len(others)
            if count > 1 and len(others) > 1 and np.abs(others - value).min() > np.ptp(others):
                yield _Finding(name, f"{value} in {count} rows; if no value: {_as_missing(name, value)}")
        if column.whole and np.abs(numbers).max() > EXACT:
            yield _Finding(name, f"digits beyond 2^53 are lost; if an id: --drop {quote(name)}")


def _dates(table: RawTable, settings: TableDataset, columns: Columns) -> Iterator[_Finding]:
    """Dates in another form than 2024-01-31, or with a few values that are none."""
    import pandas as pd

    for column in _features(columns):
        raw = table.columns[column.name]
        if column.kind == "date" and _has_time_zone(raw):
            yield _Finding(column.name, "times with an offset from UTC: taken in UTC, as those without an offset are")
        if column.kind not in ("text", "category") or not is_text(raw) or column.name in settings.columns:
            continue
        values = without_gaps(raw, settings.missing.get(column.name, ())).to_pandas().dropna()
        looks = values.str.match(r"\d{1,4}[./-]\d{1,2}[./-]\d{1,4}([T ]|$)")
        if looks.mean() < NEARLY_ALL:
            continue
        patterns = {ISO: values.str.match(ISO_DATE)} | dict.fromkeys(DATE_FORMATS, looks)
        fits = {
            form: pattern & pd.to_datetime(values, format=form, errors="coerce", utc=True).notna()
            for form, pattern in patterns.items()
        }
        most = max(fit.sum() for fit in fits.values())
        form, *others = (form for form, fit in fits.items() if fit.sum() == most)
        wrong = values[~fits[form]]
        if most < NEARLY_ALL * len(values) or (wrong.nunique() > MOST_WRONG and column.kind == "category"):
            continue
        if wrong.nunique() > MOST_WRONG:
            example = f"{wrong.iloc[0]!r} in row {table.rows[wrong.index[0]]}"
            yield _Finding(column.name, f"{len(wrong)} values are no date, such as {example}", "columns", "drop")
            continue
        other = f" ({others[0]} fits as well)" if others else ""
        kind = "date" if form == ISO else DateColumn(kind="date", format=form)
        yield _Finding(column.name, f"dates like {'2024-01-31' if form == ISO else form}{other}", "columns", kind)


def _future(_table: RawTable, _settings: TableDataset, columns: Columns) -> Iterator[_Finding]:
    """Dates with years of two digits that lie in the future."""
    for column in _features(columns):
        has_short_years = column.kind == "date" and column.column and "%y" in column.column.date_format
        if has_short_years and column.high is not None and column.high > time.time() / 86400:
            yield _Finding(
                column.name,
                "dates in the future: years 00 to 68 are taken as 2000 to 2068; if others are meant, write four digits",
            )


def _has_time_zone(raw: "pa.ChunkedArray") -> bool:
    import pyarrow.compute as pc

    if is_text(raw):
        return bool(pc.any(pc.match_substring_regex(raw, OFFSET)).as_py())
    return getattr(raw.type, "tz", None) not in (None, "UTC")


def _useless(table: RawTable, _settings: TableDataset, columns: Columns) -> Iterator[_Finding]:
    """Columns that cannot be read, or that say nothing."""
    for column in _features(columns):
        name, rows = column.name, len(table.rows)
        if column.kind == "empty":
            yield _Finding(name, "no value in any row", "columns", "drop")
        elif column.kind == "text":
            yield _Finding(name, f"text of {column.distinct} values in {rows - column.gaps} rows", "columns", "drop")
        elif column.kind not in get_args(Kind):
            yield _Finding(name, "no model takes such values", "columns", "drop")
        elif column.errors:
            yield _explain_errors(column, table)
        elif column.distinct == 1 and not column.gaps:
            yield _Finding(name, "the same in every row", "columns", "drop")


def _ids(table: RawTable, settings: TableDataset, columns: Columns) -> Iterator[_Finding]:
    """Columns that number or name the rows."""
    rows = len(table.rows)
    for column in _features(columns):
        if column.distinct != rows or rows < ROWS_PER_VALUE:
            continue
        if column.kind == "category":
            yield _Finding(column.name, f"one value for each row; if an id: --drop {quote(column.name)}")
        elif column.kind == "number" and column.whole:
            steps = np.diff(_numbers(column, table, settings))
            if (np.all(steps == 1) and column.low in (0, 1)) or ID_NAME.search(column.name):
                yield _Finding(column.name, "numbers the rows", "index")
            elif np.all(steps > 0):
                yield _Finding(column.name, f"one more with each row; if an id: --drop {quote(column.name)}")


def _rare_classes(_table: RawTable, _settings: TableDataset, columns: Columns) -> Iterator[_Finding]:
    for column in columns.values():
        counts = column.categories or {} if column.role == "target" else {}
        rare = [f"{name} ({count})" for name, count in counts.items() if count < FEW_ROWS]
        if rare:
            more = f" and {len(rare) - FEW} more" if len(rare) > FEW else ""
            yield _Finding(column.name, f"classes with few rows: {', '.join(rare[:FEW])}{more}")


def _leaks(table: RawTable, settings: TableDataset, columns: Columns) -> Iterator[_Finding]:
    """Columns that are the target in other words, or predict it so well that they may not be known beforehand."""
    target = settings.target.strip()
    if target not in table.columns or columns[target].column is None:  # reading the table says what is wrong with it
        return
    y = _numbers(columns[target], table, settings)
    is_class = TARGET_KINDS[settings.task] == "class"
    for column in _features(columns):
        if column.errors:
            continue
        x, known = _numbers(column, table, settings), ~np.isnan(y)
        both = known & ~np.isnan(x)
        same = _same(x[both], y[both], ordered=not is_class and column.kind in ("number", "boolean"))
        if same:
            yield _Finding(column.name, same, "columns", "drop")
        elif known.sum() >= ENOUGH_ROWS and (measured := _predicts(x[known], y[known], is_class)):
            remark = f"predicts the target alone ({measured}): if it is not known beforehand"
            yield _Finding(column.name, f"{remark}: --drop {quote(column.name)}")


def _codes(table: RawTable, settings: TableDataset, columns: Columns) -> Iterator[_Finding]:
    """Numbers that may be codes of categories: their kind is written, to be changed."""
    for column in _features(columns):
        name = column.name
        if name in settings.columns or column.kind != "number":
            continue
        if _has_leading_zeros(table.columns[name]):
            yield _Finding(name, f"leading zeros; if a code: --column {quote(f'{name}=category')}", "columns", "number")
        elif column.whole and _are_few(column, len(table.rows)):
            remark = f"{column.distinct} whole numbers; if codes: --column {quote(f'{name}=category')}"
            yield _Finding(name, remark, "columns", "number")


def _as_missing(name: str, *values: object) -> str:
    return " ".join(f"--missing {quote(f'{name}={value}')}" for value in values)


def _features(columns: Columns) -> list[ColumnProfile]:
    return [column for column in columns.values() if column.role == "feature"]


def _numbers(column: ColumnProfile, table: RawTable, settings: TableDataset) -> npt.NDArray[np.float64]:
    """One number for each row: the value, the days since 1970, or the code of the category; NaN for gaps."""
    if column.column is None:
        raise ValueError(f"column {column.name!r} has no numbers")
    return to_numbers(table.columns[column.name], column.column, settings.decimal).values[:, -1]


def _are_few(column: ColumnProfile, rows: int) -> bool:
    return column.distinct in FEW_CODES and column.distinct * ROWS_PER_VALUE <= rows


def _explain_errors(column: ColumnProfile, table: RawTable) -> _Finding:
    raw = table.columns[column.name]
    values = {row: str(raw[row].as_py()) for row in column.errors or {}}
    row = min(values)
    value, different = values[row], set(values.values())
    with_comma = [each for each in different if "," in each]
    if column.kind == "number" and "," in value and all(map(THOUSANDS.fullmatch, with_comma)):
        return _Finding(column.name, f"{value!r}; if commas stand between thousands, write the numbers without them")
    if column.kind == "number" and DECIMAL_COMMA.fullmatch(value):
        return _Finding(column.name, f"{value!r}; if a decimal comma: --decimal ,")
    remark = f"{len(values)} values are no {column.kind}, such as {value!r} in row {table.rows[row]}"
    if len(different) > MOST_WRONG:
        return _Finding(column.name, remark, "columns", "drop")
    return _Finding(column.name, f"{remark}; if no value: {_as_missing(column.name, value)}")


def _has_leading_zeros(raw: "pa.ChunkedArray") -> bool:
    import pyarrow.compute as pc

    return is_text(raw) and bool(pc.any(pc.match_substring_regex(raw, r"^0\d")).as_py())


def _same(x: npt.NDArray[np.float64], y: npt.NDArray[np.float64], ordered: bool) -> str:
    """How a column is the target in other words, or "" if it is not."""
    if len(x) < ROWS_PER_VALUE:
        return ""
    if ordered and np.array_equal(x, y):
        return "equal to the target"
    pairs, ones, others = (len(np.unique(each, axis=0)) for each in (np.column_stack([x, y]), x, y))
    if pairs == ones == others and 1 < ones <= len(x) / 2:
        return "each value stands for one of the target"
    if ordered and min(ones, others) > 2:
        from scipy.stats import rankdata

        for called, (a, b) in {"": (x, y), "rank ": (rankdata(x), rankdata(y))}.items():
            if abs(correlation := np.corrcoef(a, b)[0, 1]) > SAME:
                return f"{called}correlation {correlation:.4f} with the target"
    return ""


def _predicts(x: npt.NDArray[np.float64], y: npt.NDArray[np.float64], is_class: bool) -> str:
    """How well a tree predicts the target from one column, on rows that it was not fitted on; "" if that is usual."""
    from sklearn.model_selection import KFold, cross_val_predict
    from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

    chosen = np.random.RandomState(0).permutation(len(x))[:MOST_ROWS]
    x, y = x[chosen], y[chosen]
    if np.ptp(y) == 0 or (is_class and 2 * len(np.unique(y)) > len(y)):
        return ""
    x = np.nan_to_num(x, nan=np.nanmin(x) - 1)  # a gap may be what gives the target away
    tree = (DecisionTreeClassifier if is_class else DecisionTreeRegressor)(min_samples_leaf=2, random_state=0)
    predicted = cross_val_predict(tree, x[:, np.newaxis], y, cv=KFold(3))
    if is_class:
        accuracy, usual = np.mean(predicted == y), np.unique(y, return_counts=True)[1].max() / len(y)
        is_suspect = accuracy >= SUSPECT_ACCURACY and accuracy - usual >= SUSPECT_GAIN * (1 - usual)
        return f"{accuracy:.1%} of the rows right" if is_suspect and usual < 1 else ""
    r2 = 1 - np.mean((predicted - y) ** 2) / max(np.var(y), np.finfo(float).tiny)
    return f"R² {r2:.3f}" if r2 >= SUSPECT_R2 else ""


def _copies(table: RawTable) -> int:
    """The number of rows that are equal to an earlier one."""
    import pyarrow as pa

    # Names by position: group_by would take `.rate` for a nested field.
    whole = pa.table(list(table.columns.values()), names=[str(number) for number in range(len(table.columns))])
    try:
        return len(whole) - len(whole.group_by(whole.column_names).aggregate([]))
    except pa.ArrowNotImplementedError:  # of values that no model takes either
        return 0
