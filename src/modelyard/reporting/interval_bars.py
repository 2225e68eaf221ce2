"""Confidence intervals as horizontal bars: positions in percent of the width of their axis."""

from collections.abc import Iterable
from dataclasses import dataclass

MARGIN = 3.0  # percent of the width, left free at both ends


@dataclass(frozen=True)
class IntervalBar:
    """The left end and width of an interval, the value in it and a published value, if any; in percent of the axis."""

    left: float
    width: float
    value: float
    published: float | None


@dataclass(frozen=True)
class BarAxis:
    """The axis that all bars of a table share, from the smallest to the largest value."""

    low: float
    high: float

    @classmethod
    def of(cls, values: Iterable[float]) -> "BarAxis":
        """The axis that spans all values."""
        values = list(values)
        return cls(min(values), max(values))

    def position(self, value: float) -> float:
        """The position of a value in percent; the middle if the axis has no length."""
        share = (value - self.low) / (self.high - self.low) if self.high > self.low else 0.5
        return round(MARGIN + (100 - 2 * MARGIN) * share, 2)

    def bar(self, low: float, high: float, value: float, published: float | None = None) -> IntervalBar:
        """The bar from `low` to `high` with a dot at `value`."""
        left, right = self.position(low), self.position(high)
        published_position = None if published is None else self.position(published)
        return IntervalBar(left, round(right - left, 2), self.position(value), published_position)
