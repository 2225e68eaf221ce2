"""Columns of a table: what their raw values become."""

from datetime import date, datetime, timedelta

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelyard.data.columns import UNKNOWN, Column, as_text, number, to_numbers, type_error, without_gaps

PARTS = ("year", "month", "weekday", "hour", "days")


def values(*raw: object, kind: str = "number", decimal: str = ".", **settings: object) -> np.ndarray:
    found = to_numbers(pa.chunked_array([list(raw)]), Column(name="a", kind=kind, **settings), decimal)
    assert found.errors == {}
    return found.values


def errors(*raw: object, kind: str = "number", decimal: str = ".", **settings: object) -> dict[int, str]:
    return to_numbers(pa.chunked_array([list(raw)]), Column(name="a", kind=kind, **settings), decimal).errors


@given(st.lists(st.floats(allow_nan=False, width=32), min_size=1))
def test_numbers_in_text_are_those_that_python_reads(numbers: list[float]):
    finite = [each for each in numbers if np.isfinite(each)] or [1.0]
    np.testing.assert_array_equal(values(*map(repr, finite))[:, 0], finite)


def test_an_empty_field_and_a_value_that_means_none_are_gaps():
    np.testing.assert_array_equal(values("1", " ", "?", "", missing=("?",))[:, 0], [1, np.nan, np.nan, np.nan])
    np.testing.assert_array_equal(values(1, None, -999, missing=("-999",))[:, 0], [1, np.nan, np.nan])
    np.testing.assert_array_equal(values(1.5, np.nan, None)[:, 0], [1.5, np.nan, np.nan])


def test_a_number_that_means_no_value_does_so_however_it_is_written():
    written = ("1", "-999", "-999.0", "-9.99e2", "-999.5")
    np.testing.assert_array_equal(values(*written, missing=("-999", "?"))[:, 0], [1, *[np.nan] * 3, -999.5])
    np.testing.assert_array_equal(values(1.5, -999.0, missing=("-999.0",))[:, 0], [1.5, np.nan])
    np.testing.assert_array_equal(values("1,5", "-0,50", decimal=",", missing=("-0,5",))[:, 0], [1.5, np.nan])
    np.testing.assert_array_equal(
        values("01", "1", kind="category", categories=("01", "1"), missing=("1",))[:, 0], [0, np.nan]
    )


def test_what_means_no_value_in_one_way_is_an_error_without_it():
    assert 'if it means no value, add `missing: {a: ["?"]}`' in errors("1", "?")[1]


@pytest.mark.parametrize(
    "text, thousands, decimal_comma",
    [("7,110", True, True), ("1,234,567", True, False), ("7,110.5", True, False), ("0,125", False, True)],
)
def test_commas_between_thousands_are_told_from_decimal_commas(text: str, thousands: bool, decimal_comma: bool):
    error = errors("950", text)[1]
    assert ("if a comma stands between thousands, write the numbers without it" in error) == thousands
    assert ("decimal comma, add `decimal: ','` to the data set" in error) == decimal_comma


@pytest.mark.parametrize("raw", [("1", "n/a"), ("1", "nan"), ("True", "n/a")])
def test_a_target_without_a_value_is_told_to_leave_the_row_out(raw: tuple[str, ...]):
    (error,) = errors(*raw, is_target=True).values()
    assert error.endswith("; if it means no value, leave the row out")
    assert "`missing:" not in error and "`columns:" not in error


def test_lines_of_settings_in_errors_are_yaml_whatever_the_name_of_the_column():
    found = to_numbers(pa.chunked_array([["1", "- #"]]), Column(name="price, USD", kind="number")).errors[1]
    assert 'add `missing: {"price, USD": ["- #"]}`' in found
    assert 'add `columns: {"price, USD": category}`' in found
    found = to_numbers(pa.chunked_array([["x"]]), Column(name="a: b", kind="boolean")).errors[0]
    assert 'add `missing: {"a: b": [x]}`' in found


def test_a_decimal_comma_is_read_where_it_is_given_and_then_a_point_is_none():
    np.testing.assert_array_equal(values("0,5", "2", decimal=",")[:, 0], [0.5, 2])
    assert list(errors("0,5", "1.5", decimal=",")) == [1]


@pytest.mark.parametrize("text", ["nan", "inf", "1e39", "0x10", "1_000", "5%", "\u0665", "x"])
def test_what_is_no_number_of_float32_is_refused(text: str):
    with pytest.raises(ValueError, match="where a number belongs"):
        number(text, Column(name="a", kind="number"))
    assert list(errors("1", text)) == [1]


@pytest.mark.parametrize(
    "text, advice", [("nan", "missing: {a: [nan]}"), ("inf", "missing:"), ("1e39", "at most 3.4e+38")]
)
def test_what_a_network_cannot_take_as_a_number_has_its_own_advice(text: str, advice: str):
    assert advice in errors("1", text)[1]
    assert "category" not in errors("1", text)[1]


@pytest.mark.parametrize("wrong", [2, 0.5, -1])
def test_a_boolean_is_true_false_1_or_0_and_no_other_number(wrong: float):
    np.testing.assert_array_equal(values(1, 0, None, kind="boolean")[:, 0], [1, 0, np.nan])
    assert "where True or False belongs, or 1 or 0" in errors(1.0, float(wrong), kind="boolean")[1]
    assert "where True or False belongs" in errors("1", str(wrong), kind="boolean")[1]


@pytest.mark.parametrize("kind", ["boolean", "number"])
def test_a_word_among_flags_is_told_that_flags_belong_there(kind: str):
    found = errors("True", "false", "yes", kind=kind)
    assert list(found) == [2]
    assert "'yes' in column 'a', where True or False belongs" in found[2]


@pytest.mark.parametrize(
    "kind, value",
    [
        ("number", datetime(2024, 1, 31)),
        ("number", timedelta(1)),
        ("number", [1]),
        ("boolean", b"1"),
        ("category", {"b": 1}),
        ("date", 1_700_000_000),
        ("date", 2024.0),
        ("date", True),
    ],
)
def test_a_type_that_a_column_cannot_have_is_told_with_its_name(kind: str, value: object):
    error = type_error(pa.chunked_array([[value]]), Column(name="a", kind=kind))
    assert error.startswith("column 'a' has values of the type ")
    assert ("give its dates as text" in error) == (kind == "date")


@pytest.mark.parametrize(
    "kind, value",
    [("number", True), ("boolean", 1), ("category", 1.5), ("category", date(2024, 1, 31)), ("date", date(2024, 1, 31))]
    + [(kind, value) for kind in ("number", "boolean", "category", "date") for value in ("x", None)],
)
def test_a_type_that_can_be_converted_has_no_error(kind: str, value: object):
    raw = pa.chunked_array([[value]])
    assert type_error(raw, Column(name="a", kind=kind)) == ""
    assert type_error(raw.dictionary_encode(), Column(name="a", kind=kind)) == ""


def test_a_typed_number_too_large_for_float32_is_an_error():
    assert list(errors(1.0, 1e39)) == [1]


def test_categories_have_codes_in_their_order_and_unknown_ones_are_told():
    found = to_numbers(
        pa.chunked_array([["b", "a", "", "c"]]), Column(name="a", kind="category", categories=("a", "b"))
    )
    np.testing.assert_array_equal(found.values[:, 0], [1, 0, np.nan, UNKNOWN])
    assert found.unknown == {3: "c"}
    assert found.gaps.tolist() == [False, False, True, False]


@pytest.mark.parametrize("decimal", [".", ","])
def test_a_number_is_the_same_category_with_a_zero_after_its_decimal_sign(decimal: str):
    raw = pa.chunked_array([[text.replace(".", decimal) for text in ("1.0", "2", "3.0", "1", "2.0")]])
    found = to_numbers(raw, Column(name="a", kind="category", categories=("1", f"2{decimal}0")), decimal)
    np.testing.assert_array_equal(found.values[:, 0], [0, 1, UNKNOWN, 0, 1])
    assert found.unknown == {2: f"3{decimal}0"}


def test_whole_numbers_are_the_same_category_whatever_their_type():
    for raw in (["3"], [3], [3.0], [3.0, None]):
        assert as_text(pa.chunked_array([raw])).to_pylist()[0] == "3"


@given(st.datetimes(datetime(1900, 1, 1), datetime(2100, 1, 1)))
def test_a_date_becomes_its_parts_in_text_and_with_a_type(moment: datetime):
    whole = moment.replace(microsecond=0)
    days = (whole - datetime(1970, 1, 1)).total_seconds() / 86400
    expected = [[whole.year, whole.month, whole.weekday(), whole.hour, days]]
    np.testing.assert_allclose(values(whole.isoformat(), kind="date", parts=PARTS), expected, rtol=1e-12)
    np.testing.assert_allclose(values(whole, kind="date", parts=PARTS), expected, rtol=1e-12)


def test_a_date_of_another_form_is_read_with_its_format():
    np.testing.assert_array_equal(
        values("31.01.2024", kind="date", parts=("month", "year"), date_format="%d.%m.%Y"), [[1, 2024]]
    )


def test_what_is_no_date_is_told_with_its_row():
    assert errors("2024-01-31", "2024-02-31", "", kind="date", parts=("year",)) == {
        1: "'2024-02-31' in column 'a' is no date such as 2024-01-31 or 2024-01-31 09:30"
    }


@pytest.mark.parametrize("date, date_format", [("2024-01-31", "ISO8601"), ("31.01.2024", "%d.%m.%Y")])
def test_now_and_today_are_no_dates(date: str, date_format: str):
    found = errors(date, "now", "today", kind="date", parts=("year",), date_format=date_format)
    assert list(found) == [1, 2]
    assert found[1].startswith("'now' in column 'a' is no date such as")


def test_a_column_has_a_feature_for_each_part_of_its_dates():
    assert Column(name="a", kind="date", parts=("year", "days")).features == ("a year", "a days")
    assert Column(name="a", kind="number").features == ("a",)


def test_settings_that_are_not_set_are_not_written():
    assert Column(name="a", kind="number").model_dump() == {"name": "a", "kind": "number"}


@given(st.lists(st.sampled_from(["a", " b ", "", "?"])))
def test_gaps_are_what_is_empty_without_blanks(raw: list[str]):
    cleaned = without_gaps(pa.chunked_array([raw], pa.string()), ("?",)).to_pylist()
    assert cleaned == [None if text.strip() in ("", "?") else text.strip() for text in raw]
