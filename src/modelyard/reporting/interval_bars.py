"""Intervals as bars: where each stands on the scale of its table."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

MARGIN = 3.0  # percent of the scale's length, free at both ends


@dataclass(frozen=True)
class Bar:
    """An interval, its figure and perhaps a published one, each in percent of the scale's length."""

    left: float
    width: float
    figure: float
    published: float | None


@dataclass(frozen=True)
class Scale:
    """What all bars of a table have in common: the least and the greatest value on it."""

    low: float
    high: float

    @classmethod
    def of(cls, values: Iterable[float]) -> "Scale":
        """The scale that just holds all values."""
        values = list(values)
        return cls(min(values), max(values))

    def at(self, value: float) -> float:
        """Where a value stands, in percent; in the middle where all values are equal."""
        share = (value - self.low) / (self.high - self.low) if self.high > self.low else 0.5
        return round(MARGIN + (100 - 2 * MARGIN) * share, 2)

    def bar(self, interval: Sequence[float], figure: float, published: float | None = None) -> Bar:
        """The bar of an interval (low, high) around a figure."""
        low, high = map(self.at, interval)
        return Bar(low, round(high - low, 2), self.at(figure), None if published is None else self.at(published))
