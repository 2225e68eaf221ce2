"""The columns of a table that the models of an input take, from its description and contract."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from modelyard.data.columns import ISO, SMALLEST_CATEGORY, Column
from modelyard.data.contract import FeatureSummary, Reference, value_text
from modelyard.data.inputs import load_description
from modelyard.data.preprocessing import by_feature
from modelyard.serving.batch import SampleKind, kind_of

NAMED = 20  # categories of a column


@dataclass(frozen=True)
class InputColumn:
    """A column as text: what it holds, its values in the training samples, and whether it may have gaps.

    `categories` has the names of those that may be published.
    """

    name: str
    kind: str
    values: str
    gaps: str
    categories: tuple[str, ...] = ()


@dataclass(frozen=True)
class InputFiles:
    """What files of new samples are; `columns` has those of a table, with their names."""

    kind: SampleKind | None = None
    columns: tuple[InputColumn, ...] = ()


def read_input_files(folder: Path) -> InputFiles:
    """Read what the stages `normalise` and `contract` have written of an input; nothing where they did not run.

    Raises:
        ModelyardError: another version has written it.
        ValueError: the two do not belong together.
    """
    try:
        description, contract = load_description(folder / "training"), Reference.load(folder / "contract")
    except FileNotFoundError:
        return InputFiles()
    if not description.column_names:
        return InputFiles(kind_of(description))
    columns = description.columns or tuple(Column(name=name, kind="number") for name in description.features)
    pairs = list(zip(by_feature(columns), contract.features, strict=True))
    return InputFiles(
        kind_of(description),
        tuple(
            _column(column, {feature.part: summary for feature, summary in pairs if feature.column is column})
            for column in columns
        ),
    )


def _column(column: Column, summaries: dict[str | None, FeatureSummary]) -> InputColumn:
    """A column by the summaries of its features: one, or one for each part of a date."""
    first = next(iter(summaries.values()))
    named = tuple(first.categories) if column.kind == "category" else ()
    kind = f"date, as {'2024-01-31' if column.date_format == ISO else column.date_format}"
    return InputColumn(
        name=column.name,
        kind=kind if column.kind == "date" else column.kind,
        values=_values(column, named, summaries.get("days" if column.kind == "date" else None)),
        gaps="no" if first.gaps is None else "yes",
        categories=named,
    )


def _values(column: Column, named: tuple[str, ...], summary: FeatureSummary | None) -> str:
    if column.kind == "boolean":
        return "true, false"
    if column.kind == "category":
        return f"{len(column.categories)} categories: {', '.join(_categories(column, named))}"
    if summary is None or summary.low is None or summary.high is None:
        return ""
    return f"{value_text(summary.low, summary.kind)} to {value_text(summary.high, summary.kind)}"


def _categories(column: Column, named: tuple[str, ...]) -> Iterator[str]:
    yield from named[:NAMED]
    if (more := len(named) - NAMED) > 0:
        yield f"{more} more"
    if rare := len(column.categories) - len(named):
        yield f"{rare} of fewer than {SMALLEST_CATEGORY} samples"
