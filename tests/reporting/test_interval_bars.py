"""Where intervals stand on the scale of their table."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelyard.reporting.interval_bars import MARGIN, Scale

FINITE = st.floats(-1e6, 1e6)


@given(st.lists(FINITE, min_size=1))
def test_every_value_of_a_scale_lies_on_it(values: list[float]) -> None:
    scale = Scale.of(values)
    assert all(MARGIN <= scale.at(value) <= 100 - MARGIN for value in values)


@given(st.lists(st.integers(-1000, 1000), min_size=2, max_size=9, unique=True))
def test_greater_values_stand_further_right(values: list[int]) -> None:
    scale = Scale.of(values)
    places = [scale.at(value) for value in sorted(values)]
    assert places == sorted(places)


def test_a_bar_reaches_from_the_lower_to_the_upper_end_of_its_interval() -> None:
    bar = Scale(0.0, 2.0).bar((0.5, 1.5), 1.2, 1.9)
    assert (bar.left, bar.width, bar.figure, bar.published) == (26.5, 47.0, 59.4, 92.3)


def test_what_was_not_published_has_no_place() -> None:
    assert Scale(0.0, 1.0).bar((0.1, 0.2), 0.15).published is None


@pytest.mark.parametrize("value", [0.0, 1.0, -3.0])
def test_one_value_alone_stands_in_the_middle(value: float) -> None:
    assert Scale.of([value, value]).at(value) == 50
