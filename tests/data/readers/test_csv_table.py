"""The rules for CSV tables: what is read, what is refused, and that training and prediction do both alike."""

import csv
import gzip
import zipfile
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyarrow import feather
from support.batches import join
from support.inputs import describe

from modelyard.core.errors import ModelyardError
from modelyard.data.inputs import InputDescription
from modelyard.data.readers import table
from modelyard.data.samples import Samples
from modelyard.data.sources import Source
from modelyard.serving import tables

GOOD = "a,b,y\n1,2,3\n4,5,6\n7,8,10\n"


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("tables") / "mine.csv"


def read_to_train(file: Path, **more: object) -> tuple[Samples, tuple[str, ...]] | str:
    """Samples and features as training reads them, or why it refuses the file."""
    settings = table.TableDataset(
        reader="table", task="regression", description="Mine.", target="y", files={file.name: Source(text="")}, **more
    )
    try:
        raw = table.read(file.parent, settings)
    except ModelyardError as error:
        return str(error)
    return raw.samples, raw.features


def description(*features: str) -> InputDescription:
    return describe(Samples(np.zeros((1, len(features))), np.zeros(1)), features=features)


@pytest.mark.parametrize(
    ("content", "refusal"),
    [
        pytest.param(",a,b,y\n0,1,2,3\n1,4,5,6\n", "column 1 of 4 has no name: name it, or remove it", id="index"),
        pytest.param(GOOD.replace("a,", "Unnamed: 0,"), "no name but the placeholder 'Unnamed: 0'", id="placeholder"),
        pytest.param(GOOD.replace("\n", ",\n"), "column 4 of 4 has no name", id="comma at the end of each line"),
        pytest.param(GOOD.replace("b,", "y,"), "the header names column 'y' 2 times: rename", id="equal names"),
        pytest.param(GOOD.replace("b,", "a ,"), "the header names column 'a' 2 times", id="equal without blanks"),
        pytest.param("\ufeff\ufeff" + GOOD, "'\\ufeffa', has invisible characters", id="invisible character"),
        pytest.param(GOOD.replace(",", "  "), "separated by blanks, into 3 columns", id="blanks"),
        pytest.param(GOOD.replace("a,", "ö,").encode("cp1252"), "line 1 is not text in UTF-8 (byte 0xf6)", id="cp1252"),
        pytest.param(GOOD.encode("utf-16"), "add `encoding: utf-16`", id="UTF-16"),
        pytest.param(b"PK\x03\x04\x14\x00\x06\x00\xff", "save a spreadsheet as CSV UTF-8", id="a spreadsheet"),
        pytest.param("\n", "it is empty; a header", id="empty"),
        pytest.param(GOOD.partition("\n")[2], "the first line, 1, 2, 3, has numbers and no names", id="no header"),
        pytest.param("a,b,a,b,y\n1,2,3,4,5\n", "names column 'a' 2 times, 'b' 2 times", id="two equal names"),
        pytest.param(GOOD + '1,2,"3\n', "not a CSV table: line 5: unexpected end", id="open quote"),
    ],
)  # fmt: skip
def test_training_and_prediction_refuse_a_table_with_the_same_words(content: str | bytes, refusal: str, file: Path):
    file.write_bytes(content if isinstance(content, bytes) else content.encode())
    batch = join(tables.read([file], description("a", "b")))
    assert refusal in batch.errors[0]
    assert (read_to_train(file), len(batch)) == (batch.errors[0], 0)


@pytest.mark.parametrize("text", ["four", "nan", "inf", "1e39", "0x10", "1_000", '"1,000"', "5%", "\u0665"])
def test_training_and_prediction_refuse_a_value_with_the_same_words(text: str, file: Path):
    file.write_text(GOOD.replace("4,", f"{text},"), encoding="utf-8")
    (error,) = join(tables.read([file], description("a", "b"))).errors
    refusal = read_to_train(file)
    assert isinstance(refusal, str)
    assert refusal.endswith(error.removeprefix(f"{file}: "))


@pytest.mark.parametrize("text", ["4.0", " 4 ", "+4.", "4e0", '"4"', "\u00a04"])
def test_a_number_may_be_written_in_several_ways(text: str, file: Path):
    file.write_text(GOOD.replace("4,", f"{text},"), encoding="utf-8")
    samples, _ = read_to_train(file)
    assert samples.x.tolist() == [[1, 2], [4, 5], [7, 8]]


def test_true_and_false_are_one_and_zero(file: Path):
    file.write_text("a,b,y\n1,True,3\n4,FALSE,6\n")
    samples, features = read_to_train(file)
    assert samples.x.tolist() == [[1, 1], [4, 0]]
    assert join(tables.read([file], description(*features))).x.tolist() == samples.x.tolist()


@pytest.mark.parametrize(("first", "second"), [("True", "1"), ("2", "false")])
def test_a_column_of_both_numbers_and_flags_is_refused(first: str, second: str, file: Path):
    file.write_text(f"a,b\n{first},1\n{second},2\n")
    (error,) = join(tables.read([file], description("a", "b"))).errors
    assert f"row 2 below the header: '{second}' in column 'a' is " in error
    assert "write 1 for True, 0 for False" in error


@pytest.mark.parametrize("separator", [";", "\t", "|"])
def test_another_separator_than_the_comma_is_found_out(separator: str, file: Path):
    file.write_text(GOOD.replace(",", separator))
    samples, features = read_to_train(file)
    assert (features, samples.x.tolist()) == (("a", "b"), [[1, 2], [4, 5], [7, 8]])
    assert join(tables.read([file], description("a", "b"))).x.tolist() == samples.x.tolist()


@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
def test_the_separator_is_found_where_a_row_has_a_line_break_in_quotes(separator: str, file: Path):
    file.write_text('a,"kind of\nfruit, or none",y\n1,"red\nand blue",3\n2,green,4\n'.replace(",", separator))
    samples, features = read_to_train(file)
    assert features == ("a", f"kind of\nfruit{separator} or none")
    assert samples.x.tolist() == [[1, 1], [2, 0]]


@pytest.mark.parametrize("line", ["sep=;\r\n", '"sep=;"\n'])
def test_the_separator_is_the_one_that_a_line_of_excel_names(line: str, file: Path):
    file.write_text(f"{line}a;b,c;y\n1;2;3\n4;5;6\n", newline="")
    samples, features = read_to_train(file)
    assert (features, samples.x.tolist()) == (("a", "b,c"), [[1, 2], [4, 5]])
    assert read_to_train(file, separator=";")[1] == features
    file.write_text(f"{line}a;y\n1;2\n4;5;6\n", newline="")
    assert "(line 4)" in read_to_train(file)


def test_a_decimal_comma_is_told_with_the_line_to_write_and_then_read(file: Path):
    file.write_text("a;b;y\n0,5;1;2\n1,25;2;3\n")
    assert "row 1 below the header: '0,5' in column 'a'" in read_to_train(file)
    assert "add `decimal: ','` to the data set" in read_to_train(file)
    samples, _ = read_to_train(file, decimal=",")
    assert samples.x.tolist() == [[0.5, 1], [1.25, 2]]


def test_text_in_another_encoding_is_read_with_it(file: Path):
    file.write_bytes(GOOD.replace("a,", "grö,").encode("cp1252"))
    assert read_to_train(file, encoding="cp1252")[1] == ("grö", "b")
    assert "`encoding: cp9999` is unknown" in read_to_train(file, encoding="cp9999")


@pytest.mark.parametrize("ending", [".gz", ".zip"])
def test_a_compressed_file_is_read_as_the_file_in_it(ending: str, tmp_path: Path):
    file = tmp_path / f"mine.csv{ending}"
    if ending == ".gz":
        file.write_bytes(gzip.compress(GOOD.encode()))
    else:
        with zipfile.ZipFile(file, "w") as archive:
            archive.writestr("folder/mine.csv", GOOD)
    samples, _ = read_to_train(file)
    assert samples.x.tolist() == [[1, 2], [4, 5], [7, 8]]


@pytest.mark.parametrize(
    ("names", "refusal"),
    [(["a.csv", "b.csv"], "the archive has 2 files (a.csv, b.csv)"), (["../a.csv"], "has a path that leads outside")],
)
def test_an_archive_of_anything_but_one_table_is_refused(names: list[str], refusal: str, tmp_path: Path):
    with zipfile.ZipFile(tmp_path / "mine.zip", "w") as archive:
        for name in names:
            archive.writestr(name, GOOD)
    assert refusal in read_to_train(tmp_path / "mine.zip")


@pytest.mark.parametrize("ending", [".gz", ".zip", ".parquet", ".feather"])
def test_a_file_that_is_cut_off_is_refused(ending: str, tmp_path: Path):
    file = tmp_path / f"mine{ending}"
    table = pd.DataFrame({"a": range(1000), "y": range(1000)}).set_index("a")
    {".parquet": table.to_parquet, ".feather": table.to_feather}.get(ending, table.to_csv)(file)
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])
    assert any(words in read_to_train(file) for words in ("not a whole", "is broken"))


def test_a_damaged_or_encrypted_file_is_refused(tmp_path: Path):
    damaged = bytearray(gzip.compress(GOOD.encode() * 1000))
    damaged[20:30] = bytes(10)
    (tmp_path / "mine.gz").write_bytes(damaged)
    assert "the file is broken" in read_to_train(tmp_path / "mine.gz")
    with zipfile.ZipFile(tmp_path / "mine.zip", "w") as archive:
        archive.writestr("mine.csv", GOOD)
    encrypted = bytearray((tmp_path / "mine.zip").read_bytes())
    encrypted[6] |= 1
    encrypted[encrypted.index(b"PK\x01\x02") + 8] |= 1
    (tmp_path / "mine.zip").write_bytes(encrypted)
    assert "the archive is encrypted: pack it again without a password" in read_to_train(tmp_path / "mine.zip")


def test_what_a_file_manager_adds_to_an_archive_is_passed_over(tmp_path: Path):
    with zipfile.ZipFile(tmp_path / "mine.zip", "w") as archive:
        archive.writestr("mine.csv", GOOD)
        archive.writestr("__MACOSX/._mine.csv", "litter")
    assert read_to_train(tmp_path / "mine.zip")[1] == ("a", "b")


def test_an_index_that_pandas_kept_is_no_feature(tmp_path: Path):
    frame = pd.DataFrame({"a": [1, 2, 3], "y": [1.0, 2.0, 4.0]}).loc[[2, 0, 1]]
    frame.to_parquet(tmp_path / "mine.parquet")
    assert "the placeholder '__index_level_0__'" in read_to_train(tmp_path / "mine.parquet")


def test_text_in_views_is_read_as_text(tmp_path: Path):
    views = pa.array(["f", "m", "f"]).cast(pa.string_view())
    feather.write_feather(pa.table({"sex": views, "y": [1.0, 2.0, 4.0]}), tmp_path / "mine.feather")
    assert read_to_train(tmp_path / "mine.feather")[0].x.tolist() == [[0], [1], [0]]


def test_a_long_field_is_read(file: Path):
    file.write_text(f"a,note,y\n1,{'x' * 200_000},3\n4,,6\n7,,10\n")
    _, features = read_to_train(file, columns={"note": "drop"})
    assert features == ("a",)


def test_a_line_break_in_quotes_is_part_of_the_value(file: Path):
    file.write_text('a,kind,y\n1,"red\nand blue",3\n2,green,4\n')
    samples, _ = read_to_train(file)
    assert samples.x.tolist() == [[1, 1], [2, 0]]


NAMES = st.sampled_from(["a", "b", " a", "b ", "A", "", "y.1", "Unnamed: 0", "a;b", "a, b", "größe", "two\nlines"])
VALUES = st.one_of(
    st.floats(allow_nan=False, width=32).map(str),
    st.integers().map(str),
    st.sampled_from(["True", "false", "", " 5 ", "1e3", "0x10", "1_0", "nan", "-inf", "1,5", "1;5", "x", "\u0665"]),
)


@st.composite
def odd_tables(draw: st.DrawFn) -> str:
    """A table with odd names, values and line endings; its target is sound."""
    names = draw(st.lists(NAMES, min_size=1, max_size=3))
    usual = draw(st.sampled_from([VALUES, st.sampled_from(["1", "2.5"]), st.sampled_from(["True", "False"])]))
    values = st.one_of(usual, usual, VALUES)
    rows = [[draw(values) for _ in names] for _ in range(draw(st.integers(2, 3)))]
    lines = [[*names, "y"], *([*row, str(number)] for number, row in enumerate(rows))]
    ending = draw(st.sampled_from(["\n", "\r\n", "\r"]))
    quote = draw(st.booleans())

    def quoted(text: str) -> str:
        return f'"{text}"' if quote or any(character in text for character in ",\n") else text

    return draw(st.sampled_from(["", "\ufeff"])) + "".join(",".join(map(quoted, line)) + ending for line in lines)


@given(content=odd_tables())
def test_what_training_reads_prediction_reads_the_same_and_both_refuse_the_rest(content: str, file: Path):
    file.write_text(content, encoding="utf-8", newline="")
    settings = table.TableDataset(
        reader="table", task="regression", description="Mine.", target="y", files={file.name: Source(text="")}
    )
    try:
        raw = table.read(file.parent, settings)
    except ModelyardError:
        names = next(csv.reader(content.removeprefix("\ufeff").splitlines(keepends=True)))
        features = [name.strip() for name in names if name.strip() != "y"]
        assert join(tables.read([file], description(*features))).errors
        return
    gaps = np.isnan(raw.samples.x).any(axis=1)
    batch = join(tables.read([file], description(*raw.features).model_copy(update={"columns": raw.columns})))
    np.testing.assert_array_equal(batch.x, raw.samples.x[~gaps])
    assert len(batch.errors) == gaps.sum()
