"""The headline metric of an experiment on the slices of its test samples."""

from dataclasses import dataclass

from modelyard.data.contract import SMALLEST_CATEGORY
from modelyard.params.results import ExperimentResults, SliceResult
from modelyard.reporting.interval_bars import BarAxis, IntervalBar
from modelyard.reporting.tables import interval_text

FEW = 30  # samples; with fewer, the metric of a slice says little


@dataclass(frozen=True)
class SliceRow:
    """A slice; of the first row, which is of all test samples, column and name are empty."""

    column: str
    name: str
    metric: str
    rows: int
    text: str
    bar: IntervalBar

    @property
    def is_small(self) -> bool:
        """Whether it has too few samples to conclude much."""
        return self.rows < FEW


def describe_rare_slices(results: ExperimentResults) -> str:
    """Say how many slices `slice_rows` leaves out, and why; empty if none."""
    columns = results.slices.columns if results.slices else {}
    count = sum(result.rows < SMALLEST_CATEGORY for values in columns.values() for result in values.values())
    if not count:
        return ""
    values = "value" if count == 1 else "values"
    return f"Not shown: {count} {values} of fewer than {SMALLEST_CATEGORY} samples, which may reveal who they are."


def slice_rows(results: ExperimentResults) -> list[SliceRow]:
    """All test samples, then each slice of each column; none where the input asks for no slices.

    A slice of fewer than SMALLEST_CATEGORY samples is left out: its name may be what a person wrote about themselves.
    """
    found = results.slices
    if found is None:
        return []
    value, low, high = results.compared([found.metric])[found.metric]
    whole = SliceResult(rows=results.rows, value=value, low=low, high=high)
    slices = {("", ""): whole} | {
        (column, name): result
        for column, values in found.columns.items()
        for name, result in values.items()
        if result.rows >= SMALLEST_CATEGORY
    }
    axis = BarAxis.of(end for result in slices.values() for end in (result.low, result.high, result.value))
    return [
        SliceRow(
            column,
            name,
            found.metric,
            result.rows,
            interval_text(result.value, result.low, result.high),
            axis.bar(result.low, result.high, result.value),
        )
        for (column, name), result in slices.items()
    ]
