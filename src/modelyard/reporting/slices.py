"""The headline metric of an experiment on the slices of its test samples."""

from dataclasses import dataclass

from modelyard.data.columns import RARE, SMALLEST_CATEGORY
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


def slice_rows(results: ExperimentResults) -> list[SliceRow]:
    """All test samples, then each slice of each column; none where the input asks for no slices."""
    found = results.slices
    if found is None:
        return []
    value, low, high = results.compared([found.metric])[found.metric]
    whole = SliceResult(rows=results.rows, value=value, low=low, high=high)
    slices = {("", ""): whole} | {
        (column, name): result
        for column, values in found.columns.items()
        for name, result in values.items()
        if name == RARE or result.rows >= SMALLEST_CATEGORY  # results of earlier versions name small slices
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
