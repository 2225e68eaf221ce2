"""Positions of intervals on the axis of their table."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelyard.reporting.interval_bars import MARGIN, BarAxis

FINITE = st.floats(-1e6, 1e6)


@given(st.lists(FINITE, min_size=1))
def test_every_value_lies_on_its_axis(values: list[float]) -> None:
    axis = BarAxis.of(values)
    assert all(MARGIN <= axis.position(value) <= 100 - MARGIN for value in values)


@given(st.lists(st.integers(-1000, 1000), min_size=2, max_size=9, unique=True))
def test_larger_values_are_further_right(values: list[int]) -> None:
    axis = BarAxis.of(values)
    positions = [axis.position(value) for value in sorted(values)]
    assert positions == sorted(positions)


def test_a_bar_spans_its_interval() -> None:
    bar = BarAxis(0.0, 2.0).bar(0.5, 1.5, 1.2, 1.9)
    assert (bar.left, bar.width, bar.value, bar.published) == (26.5, 47.0, 59.4, 92.3)


def test_without_a_published_value_there_is_no_mark() -> None:
    assert BarAxis(0.0, 1.0).bar(0.1, 0.2, 0.15).published is None


@pytest.mark.parametrize("value", [0.0, 1.0, -3.0])
def test_a_single_value_is_in_the_middle(value: float) -> None:
    assert BarAxis.of([value, value]).position(value) == 50
