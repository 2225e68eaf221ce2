"""A person's own CSV table: what is read, and what is refused with advice."""

import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from modelyard.core.errors import ModelyardError
from modelyard.data.readers import RawData, table
from modelyard.data.sources import Source

GOOD = "age,height,kind\n1,2.5,pear\n3,4,apple\n5,6,pear\n7,8,apple\n"


@pytest.fixture
def read(tmp_path: Path):
    """What the reader makes of a CSV file with this content."""

    def written(content: str | bytes, task: str = "classification", target: str = "kind", **more: object) -> RawData:
        (tmp_path / "mine.csv").write_bytes(content.encode() if isinstance(content, str) else content)
        files = {"mine.csv": Source(text="")}
        settings = table.TableDataset(
            reader="table", task=task, description="Mine.", target=target, files=files, **more
        )  # fmt: skip
        return table.read(tmp_path, settings)

    return written


@pytest.fixture
def refusal(read, tmp_path: Path):
    """What a person reads when such a file is refused; it begins with the file."""

    def refuse(*arguments: object, **more: object) -> str:
        with pytest.raises(ModelyardError) as raised:
            read(*arguments, **more)
        message = str(raised.value)
        assert message.startswith(f"{tmp_path / 'mine.csv'}: ")
        return message

    return refuse


def test_a_classification_has_numbers_and_classes_in_the_order_of_their_names(read):
    raw = read(GOOD)
    np.testing.assert_array_equal(raw.samples.x, [[1, 2.5], [3, 4], [5, 6], [7, 8]])
    assert raw.samples.x.dtype == np.float64
    assert (raw.samples.y.tolist(), raw.samples.y.dtype) == ([1, 0, 1, 0], np.int64)
    assert (raw.features, raw.classes, raw.test) == (("age", "height"), ("apple", "pear"), None)


def test_named_classes_keep_their_order_even_if_one_does_not_occur(read):
    raw = read(GOOD, classes=("pear", "plum", "apple"))
    assert raw.classes == ("pear", "plum", "apple")
    assert raw.samples.y.tolist() == [0, 2, 0, 2]


def test_a_regression_has_numbers_for_targets(read):
    raw = read("a,b,y\n1,2,0.5\n3,4,-1\n", task="regression", target="y")
    assert (raw.samples.y.tolist(), raw.samples.y.dtype, raw.classes) == ([0.5, -1.0], np.float64, ())


@pytest.mark.parametrize("content", ["\ufeff" + GOOD, GOOD.replace("\n", "\r\n"), GOOD.replace(",", ", ")])
def test_a_file_from_a_spreadsheet_is_read_the_same(read, content: str):
    assert read(content).features == ("age", "height")
    assert read(content).classes == ("apple", "pear")


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        pytest.param(
            GOOD.replace("pear", ""), ("2 row(s)", "row 1 below", "column 'kind'"), id="missing class"
        ),
        pytest.param(
            GOOD.replace("4,", "tall,"),
            ("row 2 below the header: 'tall' in column 'height', where a number", "missing: {height: [tall]}"),
            id="text",
        ),
        pytest.param(GOOD.replace("4,", "inf,"), ("row 2 below the header: 'inf' in",), id="infinite"),
        pytest.param(GOOD.replace("apple", "pear"), ("only one class, 'pear', in column 'kind'",), id="one class"),
        pytest.param("age,kind\n1,pear\n", ("1 row(s)", "at least two rows"), id="one row"),
        pytest.param("age,kind\n", ("0 row(s)", "at least two rows"), id="no row"),
        pytest.param("kind\npear\nplum\n", ("1 column(s)", "one feature and the target"), id="no feature"),
        pytest.param(
            GOOD + "9,9,plum\n", ("1 of 3 classes", "one row only, such as 'plum'", "under `classes`"), id="rare class"
        ),
        pytest.param(GOOD.replace("pear", "Apple", 1), ("'Apple' and 'apple' are probably one",), id="case"),
        pytest.param(GOOD.replace("pear", "ap\u200bple"), ("are probably one",), id="invisible character"),
        pytest.param(
            GOOD.replace("apple", "1").replace("pear", "01"), ("classes '01' and '1' are probably",), id="one number"
        ),
        pytest.param("a,kind,kind.1\n1,0,0\n2,1,1\n3,0,0\n4,1,1\n", ("'kind.1' is a copy",), id="copy of the target"),
    ],
)  # fmt: skip
def test_an_unusable_table_is_refused_with_row_and_column(refusal, content: str | bytes, expected: tuple):
    message = refusal(content)
    for part in expected:
        assert part in message


def test_a_target_that_is_not_a_column_is_refused_with_the_nearest_name(refusal):
    message = refusal(GOOD, target="knid")
    assert "no column 'knid' (target)" in message
    assert "did you mean kind?" in message


def test_a_constant_target_of_a_regression_is_refused(refusal):
    message = refusal("a,y\n1,5\n2,5.0\n", task="regression", target="y")
    assert "column 'y' (target) is 5 in every row" in message


def test_labels_of_mixed_look_in_a_long_table_stay_what_they_are(read, recwarn):
    names = ",".join(f"f{number}" for number in range(520))
    labels = ["01", "02", "03"] * 400 + ["A1"] * 400  # pandas reads a table of this width in chunks of 1024 rows
    raw = read(f"{names},label\n" + "".join("1," * 520 + f"{label}\n" for label in labels), target="label")
    assert raw.classes == ("01", "02", "03", "A1")
    assert np.bincount(raw.samples.y).tolist() == [400] * 4
    assert not recwarn.list


def test_blanks_around_names_labels_and_listed_classes_are_no_part_of_them(read):
    raw = read(GOOD.replace(",", " , ").replace("\n", " \n"), target=" kind", classes=("pear ", "apple"))
    assert (raw.features, raw.classes) == (("age", "height"), ("pear", "apple"))
    assert raw.samples.y.tolist() == [0, 1, 0, 1]


def test_classes_that_differ_in_case_or_are_rare_are_read_if_they_are_listed(read):
    raw = read(GOOD.replace("pear", "Apple", 1), classes=("apple", "Apple", "pear"))
    assert raw.samples.y.tolist() == [1, 0, 2, 0]


def test_a_class_is_listed_once(read):
    with pytest.raises(ValueError, match="classes: 'pear' is listed twice"):
        read(GOOD, classes=("pear", "apple", "pear "))


def test_text_for_a_target_of_a_regression_is_refused(refusal):
    assert "row 1 below the header: 'pear' in column 'kind'" in refusal(GOOD, task="regression")


def test_an_unknown_class_is_refused_with_the_known_ones(refusal):
    assert "class 'apple' is not among `classes`; allowed: pear, plum" in refusal(GOOD, classes=("pear", "plum"))


def test_blank_lines_are_no_rows(refusal):
    assert "row 2 below the header" in refusal("age,height,kind\n\n1,2,pear\n\n3,4,\n\n")


@pytest.mark.parametrize("word", ["NA", "None", "null"])
def test_a_class_may_be_called_none(read, word: str):
    assert word in read(GOOD.replace("apple", word)).classes


def test_a_row_with_more_values_than_the_header_is_refused(refusal):
    message = refusal("age,height,kind\n9,1,2,pear\n9,3,4,apple\n")
    assert "row 1 below the header: 4 values, the header has 3 columns (line 2)" in message


def test_a_message_names_the_user_s_own_file_before_its_copy(tmp_path: Path):
    (tmp_path / "a.csv").write_text(GOOD)
    files = {"a.csv": Source(path="../home/pears.csv", sha256="0" * 64)}
    settings = table.TableDataset(reader="table", task="regression", description="Mine.", target="knd", files=files)
    with pytest.raises(ModelyardError) as raised:
        table.read(tmp_path, settings)
    assert str(raised.value).startswith(f"../home/pears.csv (copied to {tmp_path}/a.csv): no column 'knd'")


MIXED = "age,sex,seen,smoker,y\n30,f,2024-01-31 10:00,True,1\n,m,2024-02-01 12:30,False,2\n50,f,,True,3\n"


def kinds(raw: RawData) -> dict[str, str]:
    return {column.name: column.kind for column in raw.columns}


def test_kinds_of_columns_are_found_out(read):
    raw = read(MIXED, task="regression", target="y")
    assert kinds(raw) == {"age": "number", "sex": "category", "seen": "date", "smoker": "boolean"}
    assert raw.features == ("age", "sex", "seen year", "seen month", "seen weekday", "seen hour", "seen days", "smoker")
    np.testing.assert_array_equal(raw.samples.x[:, :2], [[30, 0], [np.nan, 1], [50, 0]])
    assert np.isnan(raw.samples.x[2, 2:7]).all()


def test_true_and_false_with_gaps_are_booleans(read):
    raw = read("a,smoker,y\n1,True,1\n2,,2\n3,false,3\n", task="regression", target="y")
    assert kinds(raw) == {"a": "number", "smoker": "boolean"}
    np.testing.assert_array_equal(raw.samples.x[:, 1], [1, np.nan, 0])


def test_dates_without_a_time_have_no_hour(read):
    raw = read("seen,y\n2024-01-31,1\n2024-02-01,2\n", task="regression", target="y")
    assert raw.features == ("seen year", "seen month", "seen weekday", "seen days")


def test_a_column_that_is_called_like_a_part_of_another_one_s_dates_is_refused(refusal):
    message = refusal("seen,seen year,y\n2024-01-31,1,1\n2024-02-01,2,2\n", task="regression", target="y")
    assert "'seen year' has the name of a feature that another column's dates become: rename the column" in message


def test_columns_are_what_the_settings_say(read):
    raw = read(
        "code,id,when,y\n1,7,31.01.2024,1\n2,8,01.02.2024,2\n1,9,NA,3\n",
        task="regression",
        target="y",
        columns={"code": "category", "when": table.DateColumn(kind="date", format="%d.%m.%Y")},
        missing={"when": ["NA"]},
        index="id",
    )
    assert kinds(raw) == {"code": "category", "when": "date"}
    assert raw.columns[0].categories == ("1", "2")
    assert raw.columns[1].date_format == "%d.%m.%Y"


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({"columns": {"agee": "drop"}}, "no column 'agee'; did you mean age?"),
        ({"missing": {"se": ["?"]}}, "no column 'se'"),
        ({"index": "nr"}, "no column 'nr'"),
        ({"columns": {"sex": "number"}}, "row 1 below the header: 'f' in column 'sex', where a number belongs"),
        ({"columns": {"age": "date"}}, "row 1 below the header: '30' in column 'age' is no date"),
        ({"columns": dict.fromkeys(["age", "sex", "seen", "smoker"], "drop")}, "no column is left for a feature"),
    ],
)
def test_settings_that_do_not_fit_the_table_are_refused(refusal, settings: dict, expected: str):
    assert expected in refusal(MIXED, task="regression", target="y", **settings)


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({"columns": {"y": "drop"}}, "columns.y: it is the target"),
        ({"columns": {"y": "number"}}, "columns.y: it is the target"),
        ({"index": "y"}, "index: 'y' is the target"),
    ],
)
def test_settings_that_contradict_the_target_are_refused(read, settings: dict, expected: str):
    with pytest.raises(ValueError, match=re.escape(expected)):
        read(MIXED, task="regression", target="y", **settings)


@pytest.mark.parametrize(
    "setting",
    [{"columns": {"day": "date", "part": "drop"}}, {"target": "part"}, {"target": "part", "task": "regression"}],
)
def test_a_typed_column_that_cannot_be_what_the_settings_say_is_refused(setting: dict, tmp_path: Path):
    values = {"day": [20240131, 20240201], "part": [{"a": 1}, {"a": 2}], "kind": ["pear", "apple"]}
    pd.DataFrame(values).to_parquet(tmp_path / "mine.parquet")
    settings = table.TableDataset(
        **{"reader": "table", "task": "classification", "description": "Mine.", "target": "kind"}
        | {"files": {"mine.parquet": Source(text="")}}
        | setting
    )  # fmt: skip
    with pytest.raises(ModelyardError, match="has values of the type "):
        table.read(tmp_path, settings)


def test_text_of_many_values_is_refused_with_the_line_to_write(refusal):
    rows = "".join(f"person {number},{number % 7},{number}\n" for number in range(100))
    message = refusal("name,a,y\n" + rows, task="regression", target="y")
    assert "'name' (100 different values in 100 rows)" in message
    assert "columns: {name: drop}" in message


def test_lines_of_settings_in_refusals_are_yaml_whatever_the_names(refusal):
    rows = "".join(f"person {number},,{number}\n" for number in range(100))
    message = refusal('"name: first, last",a,y\n' + rows, "regression", "y", columns={"a": "drop"})
    assert 'columns: {"name: first, last": drop}' in message
    message = refusal('"- b",a,y\n,1,1\n,2,2\n', task="regression", target="y")
    assert 'add `columns: {"- b": drop}`' in message


def test_ten_thousand_categories_are_refused_even_if_they_are_asked_for(refusal):
    rows = "".join(f"c{number % 10_000},{number}\n" for number in range(10_500))
    message = refusal("a,y\n" + rows, task="regression", target="y", columns={"a": "category"})
    assert "column 'a' has 10000 categories; at most 1000" in message


def test_a_column_without_any_value_is_refused(refusal):
    message = refusal("a,b,y\n1,,1\n2,,2\n", task="regression", target="y")
    assert "column 'b' has no value in any row: add `columns: {b: drop}`" in message


def test_keys_identify_the_values_of_each_column_dropped_ones_too(read):
    raw = read("who,a,seen,y\nx,1,2024-01-01,1\ny,2,2024-01-02,2\nx,,,3\n", "regression", "y", columns={"who": "drop"})
    assert raw.keys["who"].tolist() == [0, 1, 0]
    np.testing.assert_array_equal(raw.keys["a"], [1, 2, np.nan])
    np.testing.assert_array_equal(raw.keys["seen"], [19723, 19724, np.nan])
    assert set(raw.keys) == {"who", "a", "seen", "y"}


def test_keys_of_a_column_with_numbers_and_texts_are_those_of_texts(read):
    rows = "".join(f"{ticket},2024-01-{day},{day},{day}\n" for day, ticket in enumerate(["10", "9", "", "A7"], 29))
    raw = read(f"ticket,seen,a,y\n{rows}", "regression", "y", columns={"ticket": "drop", "seen": "drop"})
    assert raw.keys["ticket"].tolist() == [0, 1, -1, 2]
    assert raw.keys["seen"].tolist() == [0, 1, 2, 3]  # there is no 32nd of January


@pytest.mark.parametrize("ending", ["parquet", "feather"])
def test_a_file_with_types_is_read_as_the_same_csv_file(ending: str, read, tmp_path: Path):
    expected = read(MIXED, task="regression", target="y")
    frame = pd.read_csv(tmp_path / "mine.csv", parse_dates=["seen"])
    getattr(frame, f"to_{ending}")(tmp_path / f"mine.{ending}")
    settings = table.TableDataset(
        reader="table", task="regression", description="Mine.", target="y", files={f"mine.{ending}": Source(text="")}
    )
    raw = table.read(tmp_path, settings)
    assert raw.columns == expected.columns
    np.testing.assert_array_equal(raw.samples.x, expected.samples.x)


def test_a_table_of_numbers_keeps_its_encoding_for_prediction(read):
    content = "größe,b,y\n1,2,3\n4,5,6\n7,8,10\n"
    raw = read(content.encode("cp1252"), "regression", "y", encoding="cp1252")
    assert (raw.columns, raw.csv_format.encoding) == ((), "cp1252")
    assert read(content, "regression", "y").csv_format is None
