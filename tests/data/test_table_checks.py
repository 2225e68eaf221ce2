"""What looks wrong in a table: found where it is, and not found where it is not."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from modelyard.data.readers import table_file
from modelyard.data.readers.csv_table import CsvFormat
from modelyard.data.readers.table import DateColumn, TableDataset
from modelyard.data.table_checks import Examination, examine, guess_task

ROWS = 200
RANDOM = np.random.default_rng(0)
PRICE = RANDOM.uniform(1, 9, ROWS).round(3)
NOISE = RANDOM.normal(size=ROWS).round(3)


def examined(file: Path, target: str, **changes: object) -> Examination:
    table = table_file.read(file, CsvFormat())
    given = {
        "reader": "table",
        "task": guess_task(table.columns[target], (), ".")[0],
        "description": "",
        "target": target,
    }
    return examine(table, TableDataset.model_validate(given | {"files": {file.name: {"text": ""}}} | changes))


@pytest.fixture
def look(tmp_path: Path) -> Callable[..., Examination]:
    """Examines a table of these columns, noise and a price, of a regression."""

    def look(target: object = PRICE, settings: dict | None = None, **columns: object) -> Examination:
        pd.DataFrame({"noise": NOISE, **columns, "price": target}).to_csv(tmp_path / "a.csv", index=False)
        return examined(tmp_path / "a.csv", "price", **(settings or {}))

    return look


@pytest.mark.parametrize(
    "values, remark",
    [
        ([f"text {row}" for row in range(ROWS)], "text of 200 values in 200 rows: dropped"),
        ([""] * ROWS, "no value in any row: dropped"),
        (["x"] * ROWS, "the same in every row: dropped"),
        (PRICE, "equal to the target: dropped"),
        (3 - 2 * PRICE, "correlation -1.0000 with the target: dropped"),
        (np.exp(PRICE), "rank correlation 1.0000 with the target: dropped"),
        ([f"{row}" if row % 2 else f"A{row}" for row in range(ROWS)], "text of 200 values in 200 rows: dropped"),
        (
            [f"{row}" if row % 9 else f"A{row}" for row in range(ROWS)],
            "23 values are no number, such as 'A0' in row 1: dropped",
        ),
    ],
)
def test_a_column_that_is_no_feature_is_dropped_with_the_reason(look, values, remark) -> None:
    found = look(odd=values)
    assert found.remarks == {"odd": [remark]}
    assert found.settings.columns == {"odd": "drop"}
    assert [column.name for column in found.features] == ["noise"]


def test_a_number_of_the_row_is_the_index(look) -> None:
    found = look(row=range(ROWS), customer_id=RANDOM.permutation(ROWS) + 5000)
    assert (found.settings.index, found.settings.columns) == ("row", {"customer_id": "drop"})
    assert found.remarks["row"] == ["numbers the rows: taken as the index, no feature"]
    assert look(year=range(1800, 1800 + ROWS)).settings.index is None  # may well be a feature


@pytest.mark.parametrize(
    "values, remark",
    [
        (range(1800, 2000), "one more with each row; if an id: --drop odd"),
        (RANDOM.integers(0, 5, ROWS), "5 whole numbers; if codes: --column odd=category"),
        ([f"{row % 40:03}" for row in range(ROWS)], "leading zeros; if a code: --column odd=category"),
        (PRICE + NOISE / 5, "predicts the target alone (R² 0.9"),
        (["1,5"] * 9 + ["1.5"] * 191, "'1,5'; if a decimal comma: --decimal ,"),
        (["7,110"] * 9 + ["0,125"] + ["1.5"] * 190, "'7,110'; if a decimal comma: --decimal ,"),
        (["7,110"] * 9 + ["950"] * 191, "'7,110'; if commas stand between thousands, write the numbers without them"),
        (["1,234,567.5"] * 9 + ["1.5"] * 191, "'1,234,567.5'; if commas stand between thousands, write the numbers"),
        (["x"] * 9 + ["1.5"] * 191, "9 values are no number, such as 'x' in row 1; if no value: --missing odd=x"),
        (["?"] * 20 + ["a", "b"] * 90, "'?' in 20 rows; if no value: --missing 'odd=?'"),
    ],
)
def test_a_suspicion_is_a_remark_and_the_column_stays(look, values, remark) -> None:
    found = look(odd=values)
    assert found.remarks["odd"][0].startswith(remark)
    assert [column.name for column in found.features] == ["noise", "odd"]


def test_an_option_is_proposed_as_a_shell_takes_it(look) -> None:
    found = look(**{"living area": range(1800, 2000)})
    assert found.remarks["living area"] == ["one more with each row; if an id: --drop 'living area'"]


def test_what_the_settings_say_of_a_column_is_kept(look) -> None:
    found = look(odd=PRICE, settings={"columns": {"odd": "number"}})
    assert found.settings.columns == {"odd": "number"}
    assert found.remarks == {"odd": ["equal to the target"]}


def test_words_for_a_gap_and_dates_of_other_forms_are_found(look) -> None:
    days = pd.date_range("2024-01-01", periods=ROWS)
    found = look(size=["N/A", "-", *NOISE[2:]], day=days.strftime("%d.%m.%Y"), other=days.strftime("%m/%d/%Y"))
    assert found.settings.missing == {"size": ("-", "N/A")}
    assert found.settings.columns == {
        "day": DateColumn(kind="date", format="%d.%m.%Y"),
        "other": DateColumn(kind="date", format="%m/%d/%Y"),
    }
    assert {column.name: column.kind for column in found.features}["size"] == "number"
    ambiguous = look(day=["01/02/2024", "03/04/2024"] * 100).remarks["day"][0]
    assert ambiguous == "dates like %d/%m/%Y (%m/%d/%Y fits as well)"


@pytest.mark.parametrize("date_format", ["%Y-%m-%d", "%d.%m.%Y", "%m/%d/%y"])
def test_a_few_values_that_are_no_date_leave_a_column_of_dates(look, date_format: str) -> None:
    days = [*pd.date_range("2024-01-03", periods=ROWS - 2).strftime(date_format), "unknown", "2024-13-45"]
    found, is_iso = look(odd=days), date_format == "%Y-%m-%d"
    assert found.settings.columns["odd"] == ("date" if is_iso else DateColumn(kind="date", format=date_format))
    wrong = "2 values are no date, such as 'unknown' in row 199; if no value: --missing odd=unknown"
    assert found.remarks["odd"] == [f"dates like {'2024-01-31' if is_iso else date_format}", wrong]


def test_dates_among_many_other_values_are_dropped_with_an_example(look) -> None:
    days = [*pd.date_range("2024-01-03", periods=ROWS - 6).strftime("%d.%m.%Y"), *(f"day {row}" for row in range(6))]
    assert look(odd=days).remarks["odd"] == ["6 values are no date, such as 'day 0' in row 195: dropped"]
    few = ["31.01.2024"] * (ROWS - 12) + [f"day {row % 6}" for row in range(12)]
    assert "odd" not in look(odd=few).remarks  # categories


def test_years_of_two_digits_that_lie_in_the_future_are_told(look) -> None:
    days = [f"{1 + row % 28:02}.03.{68 - row % 60:02}" for row in range(ROWS)]
    remarks = ["dates like %d.%m.%y", "dates in the future: years 00 to 68 are taken as 2000 to 2068"]
    for found, expected in zip(look(born=days).remarks["born"], remarks, strict=True):
        assert found.startswith(expected)
    born = DateColumn(kind="date", format="%d.%m.%y")
    assert look(born=days, settings={"columns": {"born": born}}).remarks["born"][0].startswith(remarks[1])
    assert look(born=[day[:-2] + "99" for day in days]).remarks["born"] == remarks[:1]


def test_classes_in_other_words_few_rows_and_copies(look) -> None:
    classes = np.where(PRICE > 5, "high", "low")
    classes[:4] = "odd"
    found = look(target=classes, code=pd.factorize(classes)[0] + 7, near=np.where(NOISE > 2.4, 0, PRICE))
    assert found.remarks["code"] == ["each value stands for one of the target: dropped"]
    assert found.remarks["price"] == ["classes with few rows: odd (4)"]
    assert "right): if it is not known beforehand" in look(target=PRICE > 5, near=PRICE).remarks["near"][0]
    noise = [*NOISE[:100], *NOISE[:100]]
    twice = look(target=[*PRICE[:100], *PRICE[:100]], noise=noise, **{".noise": noise})
    assert twice.remarks[""][0].startswith("100 of 200 rows are equal to an earlier one")


@pytest.mark.parametrize(
    "name, target, dropped, suspects",
    [
        ("penguins", "species", [], []),
        ("titanic", "Survived", ["Name", "Ticket", "Cabin"], []),
        ("california_housing", "median_house_value", [], []),
        ("california_housing", "households", [], []),
        ("taxis", "fare", [], ["total"]),
        ("taxis", "tip", [], []),
        ("taxis", "color", [], []),
    ],
)
def test_real_tables_have_no_false_alarms(name, target, dropped, suspects, real_file: Callable[..., Path]) -> None:
    found = examined(real_file(f"tables/{name}.csv"), target)
    assert [column.name for column in found.columns if column.role == "dropped"] == dropped
    assert [name for name, remarks in found.remarks.items() if "alone" in "".join(remarks)] == suspects
    assert found.settings.index == ("PassengerId" if name == "titanic" else None)


@pytest.mark.parametrize(
    "values, task",
    [
        (["a", "b"] * 50, "classification"),
        ([0, 1] * 50, "classification"),
        ([True, False] * 50, "classification"),
        (list(range(100)), "regression"),
        ([0, 1, 2], "regression"),
        ([5] * 100, "regression"),
        ([0.5, 1] * 50, "regression"),
        (["1", "n/a", "3.5"], "regression"),
        (["64932,69", "1.250,00", "n/a"], "regression"),
        (["1,234", "12,345,678"], "classification"),
        (["1,2", "b", "c"], "classification"),
    ],
)
def test_the_task_is_guessed_from_the_target(values: list, task: str) -> None:
    import pyarrow as pa

    assert guess_task(pa.chunked_array([pa.array(values)]), (), ".")[0] == task


@pytest.mark.parametrize("marker", [-999, 9999])
def test_a_number_that_is_repeated_far_from_all_others_may_mean_no_value(look, marker: int) -> None:
    ages = RANDOM.integers(18, 80, ROWS)
    ages[::20] = marker
    assert f"{marker} in 10 rows; if no value: --missing odd={marker}" in look(odd=ages).remarks["odd"]


def test_a_number_among_the_others_means_what_it_says(look) -> None:
    distances = np.concatenate([RANDOM.integers(0, 3000, ROWS - 10), [999] * 10])
    assert not any("if no value" in remark for remark in look(odd=distances).remarks.get("odd", []))


def test_a_word_for_a_gap_in_the_target_is_told(look) -> None:
    target = np.where(np.arange(ROWS) % 20 == 0, "NA", np.where(NOISE > 0, "high", "low"))
    assert "'NA' in 10 rows; if no value: leave these rows out" in look(target=target).remarks["price"]


def test_whole_numbers_that_lose_digits_are_told(look) -> None:
    remarks = look(odd=[10**17 + int(row) for row in RANDOM.permutation(ROWS)]).remarks["odd"]
    assert any(remark.startswith("digits beyond 2^53 are lost") for remark in remarks)


def test_names_that_look_like_values_are_told(look) -> None:
    (remark,) = look(**{"70": NOISE + 1, "2024-01-31": NOISE + 2}).remarks[""]
    assert remark == "column names that look like values: 70, 2024-01-31: is the header missing?"


def test_a_constant_target_is_not_said_to_be_predicted(look) -> None:
    found = look(target=np.ones(ROWS))
    assert not any("predicts the target" in remark for remarks in found.remarks.values() for remark in remarks)
