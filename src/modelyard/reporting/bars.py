"""Intervals as bars: where each stands on the scale of its table."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

MARGIN = 0.03  # of the scale, free at both ends


@dataclass(frozen=True)
class Bar:
    """An interval, its figure and perhaps a published one, each in percent of the scale's length."""

    left: float
    width: float
    figure: float
    published: float | None


@dataclass(frozen=True)
class Scale:
    """What all bars of a table have in common: the values at its two ends."""

    low: float
    high: float

    @classmethod
    def of(cls, values: Iterable[float]) -> "Scale":
        """The scale that holds all values; of equal ones, a scale around them."""
        values = list(values)
        low, high = min(values), max(values)
        margin = MARGIN * (high - low) or abs(low) / 2 or 0.5
        return cls(low - margin, high + margin)

    def at(self, value: float) -> float:
        """Where a value stands, in percent."""
        return round(100 * (value - self.low) / (self.high - self.low), 2)

    def bar(self, interval: Sequence[float], figure: float, published: float | None = None) -> Bar:
        """The bar of an interval (low, high) around a figure."""
        low, high = map(self.at, interval)
        return Bar(low, round(high - low, 2), self.at(figure), None if published is None else self.at(published))
