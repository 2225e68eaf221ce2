"""What each column of a table holds, and how two versions of a table differ."""

from pathlib import Path

from modelyard.data.readers import table_file
from modelyard.data.readers.csv_table import CsvFormat, RawTable
from modelyard.data.readers.table import TableDataset
from modelyard.data.table_profile import as_shown, compare, profile

OLD = "name,day,rooms,kind,flag,empty,price\n" + "".join(
    f"house {row},2024-01-{row % 28 + 1:02},{row % 4},{'flat' if row % 3 else 'house'},{row % 2 == 0},,{row / 2}\n"
    for row in range(40)
)


def settings(**changes: object) -> TableDataset:
    given = {"reader": "table", "task": "regression", "description": "Houses", "target": "price"}
    return TableDataset.model_validate(given | {"files": {"a.csv": {"text": ""}}} | changes)


def table(tmp_path: Path, text: str) -> RawTable:
    (tmp_path / "a.csv").write_text(text)
    return table_file.read(tmp_path / "a.csv", CsvFormat())


def test_each_kind_of_column_in_a_few_words(tmp_path: Path) -> None:
    found = profile(table(tmp_path, OLD), settings(columns={"name": "drop"}, missing={"rooms": ("0",)}))
    assert {column.name: (column.role, column.kind, column.values, column.gaps) for column in found} == {
        "name": ("dropped", "text", "40 different", 0),
        "day": ("feature", "date", "2024-01-01 to 2024-01-28", 0),
        "rooms": ("feature", "number", "1 to 3", 10),
        "kind": ("feature", "category", "flat (26), house (14)", 0),
        "flag": ("feature", "boolean", "False to True", 0),
        "empty": ("feature", "empty", "", 40),
        "price": ("target", "number", "0 to 19.5", 0),
    }


def test_many_categories_are_counted(tmp_path: Path) -> None:
    text = "a,price\n" + "".join(f"{row % 5},{row}\n" for row in range(9))
    (found, _) = profile(table(tmp_path, text), settings(columns={"a": "category"}))
    assert found.values == "5 categories, most of all 0 (2)"


def test_numbers_and_days_are_short() -> None:
    assert [as_shown(value, "number") for value in (3.0, 1 / 3, -1e20)] == ["3", "0.333333", "-1e+20"]
    assert as_shown(19_000.75, "date") == "2022-01-08"


def test_versions_differ_by_columns_kinds_ranges_categories_and_gaps(tmp_path: Path) -> None:
    new = (
        OLD.replace("name,day,rooms", "owner,day,rooms")
        .replace("house,", "hut,")
        .replace(",2024-01-01,", ",2023-12-31,")
        .replace("True", "maybe")
        .replace(",19.5\n", ",\n")
    )
    old = profile(table(tmp_path, OLD), settings())
    assert dict(compare(old, old)) == {}
    assert dict(compare(old, profile(table(tmp_path, new), settings()))) == {
        "name": "gone; it was a feature",
        "owner": "new: text, 40 different; it is a feature",
        "day": "2024-01-01 to 2024-01-28, now 2023-12-31 to 2024-01-28",
        "kind": "new: hut; gone: house",
        "flag": "was boolean, is category",
        "price": "0 to 19.5, now 0 to 19; 0 gaps, now 1",
    }
