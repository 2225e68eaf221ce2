"""A person's own CSV table: what is read, and what is refused with advice."""

from pathlib import Path

import numpy as np
import pytest

from modelyard.core.errors import ModelyardError
from modelyard.data.readers import RawData, table
from modelyard.data.sources import Source

GOOD = "age,height,kind\n1,2.5,pear\n3,4,apple\n5,6,pear\n"


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
    np.testing.assert_array_equal(raw.samples.x, [[1, 2.5], [3, 4], [5, 6]])
    assert raw.samples.x.dtype == np.float64
    assert (raw.samples.y.tolist(), raw.samples.y.dtype) == ([1, 0, 1], np.int64)
    assert (raw.features, raw.classes, raw.test) == (("age", "height"), ("apple", "pear"), None)


def test_named_classes_keep_their_order_even_if_one_does_not_occur(read):
    raw = read(GOOD, classes=("pear", "plum", "apple"))
    assert raw.classes == ("pear", "plum", "apple")
    assert raw.samples.y.tolist() == [0, 2, 0]


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
            GOOD.replace("4,", ","),
            ("1 missing value(s)", "row 2 below the header, column 'height'", "Fill them in"), id="missing",
        ),
        pytest.param(
            GOOD.replace("pear", ""), ("2 missing value(s)", "row 1 below", "column 'kind'"), id="missing class"
        ),
        pytest.param(
            GOOD.replace("4,", "tall,"),
            ("'tall' in row 2 below the header, column 'height'", "instead of a number", "Encode the column"),
            id="text",
        ),
        pytest.param(GOOD.replace("4,", "inf,"), ("'inf' in row 2", "instead of a number"), id="infinite"),
        pytest.param(GOOD.replace("apple", "pear"), ("only one class, 'pear', in column 'kind'",), id="one class"),
        pytest.param("age,kind\n1,pear\n", ("1 row(s)", "at least two rows"), id="one row"),
        pytest.param("age,kind\n", ("0 row(s)", "at least two rows"), id="no row"),
        pytest.param("kind\npear\nplum\n", ("1 column(s)", "one feature and the target"), id="no feature"),
        pytest.param(GOOD.replace(",", ";"), ("1 column(s)", "one feature and the target"), id="semicolons"),
        pytest.param("", ("not a CSV table with a header in UTF-8",), id="empty"),
        pytest.param(GOOD.replace("pear", "für").encode("latin-1"), ("in UTF-8",), id="not UTF-8"),
        pytest.param(GOOD + "1,2,pear,4\n", ("not a CSV table", "line 5"), id="ragged"),
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


def test_text_for_a_target_of_a_regression_is_refused(refusal):
    assert "'pear' in row 1 below the header, column 'kind'" in refusal(GOOD, task="regression")


def test_an_unknown_class_is_refused_with_the_known_ones(refusal):
    assert "class 'apple' is not among `classes`: pear, plum" in refusal(GOOD, classes=("pear", "plum"))


@pytest.mark.parametrize("names", [[], ["a.csv", "b.csv"]])
def test_a_table_is_one_file(names: list[str]):
    files = {name: Source(text="") for name in names}
    with pytest.raises(ValueError, match=f"one CSV file; {len(names)} files are given"):
        table.TableDataset(reader="table", task="regression", description="Mine.", target="y", files=files)


def test_blank_lines_are_no_rows(refusal):
    assert "row 2 below the header" in refusal("age,height,kind\n\n1,2,pear\n\n3,,apple\n\n")


@pytest.mark.parametrize("word", ["NA", "None", "null"])
def test_a_class_may_be_called_none(read, word: str):
    assert word in read(GOOD.replace("apple", word)).classes


def test_a_row_with_more_values_than_the_header_is_refused(refusal):
    refusal("age,height,kind\n9,1,2,pear\n9,3,4,apple\n")


def test_a_message_names_the_user_s_own_file_before_its_copy(tmp_path: Path):
    (tmp_path / "a.csv").write_text(GOOD)
    files = {"a.csv": Source(path="../home/pears.csv", sha256="0" * 64)}
    settings = table.TableDataset(reader="table", task="regression", description="Mine.", target="knd", files=files)
    with pytest.raises(ModelyardError) as raised:
        table.read(tmp_path, settings)
    assert str(raised.value).startswith(f"../home/pears.csv (copied to {tmp_path}/a.csv): no column 'knd'")
