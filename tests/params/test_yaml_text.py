"""Text of params.yaml: entries as YAML, added or changed with every other byte kept."""

from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from ruamel.yaml import YAML
from support.paths import PARAMS

from modelyard.core.config import read_yaml, with_value
from modelyard.core.errors import ModelyardError
from modelyard.params.yaml_text import LINE_WIDTH, add_entry, as_yaml, replace_value, write_checked

TEXT = """\
# mine
inputs: {} # none yet
datasets: # where they come from
    houses: # the first
        files:
            houses.csv: {path: houses.csv, sha256: "aa"} # of May
        expect: {rows: 3}

# --- the end ---
experiments: {}
"""

NAMES = st.text("abc_", min_size=1, max_size=12)
TEXTS = st.text(st.characters(categories=["L", "N", "P", "S", "Zs"]))
NUMBERS = st.integers(-9, 9) | st.floats(allow_nan=False, allow_infinity=False)
VALUES = st.recursive(
    st.none() | st.booleans() | NUMBERS | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, min_size=1, max_size=3),
)


@given(st.dictionaries(NAMES, VALUES, min_size=1, max_size=4))
@example({"a" * 400: {"b" * 129: 1, "two\nlines": 2}})
def test_settings_written_as_yaml_are_read_back_equal(content: dict) -> None:
    assert YAML(typ="safe").load(as_yaml(content)) == content


def test_a_group_is_one_line_where_it_fits() -> None:
    short, long = {"a": 1, "b": [1, 2]}, {f"key_{number}": "value" for number in range(12)}
    assert as_yaml({"short": short}) == "short: {a: 1, b: [1, 2]}"
    lines = as_yaml({"long": long}).splitlines()
    assert lines[:2] == ["long:", "  key_0: value"]
    assert max(map(len, lines)) <= LINE_WIDTH


def test_a_long_word_is_written_at_once() -> None:
    word = "a" * 10_000 + "!"
    assert as_yaml({"description": word}) == f'description: "{word}"'


def test_an_entry_is_added_after_the_last_one_and_nothing_else_changes() -> None:
    added = add_entry(TEXT, ("datasets",), "flats", as_yaml({"flats": {"rows": 1, "files": {"a": "b" * 120}}}))
    lines = ["", "    flats:", "      rows: 1", "      files:", f"        a: {'b' * 120}"]
    assert [line for line in added.splitlines() if line not in TEXT.splitlines()] == lines[1:]
    assert added.replace("\n".join(lines) + "\n", "") == TEXT


def test_an_entry_is_added_to_an_empty_section() -> None:
    added = add_entry(TEXT, ("inputs",), "houses", "houses: {dataset: houses}")
    assert added == TEXT.replace("inputs: {} #", "inputs: #").replace(
        "datasets:", "  houses: {dataset: houses}\ndatasets:"
    )
    assert YAML(typ="safe").load(add_entry(TEXT, ("experiments",), "a", "a: 1"))["experiments"] == {"a": 1}


@pytest.mark.parametrize("style", ["|", ">", ">-"])
def test_an_entry_is_added_behind_the_text_of_a_block_and_before_the_comment_after_it(style: str) -> None:
    text = f"inputs:\n  a:\n    note: {style}\n      one\n\n      two\n"
    added = add_entry(f"{text}\n# of the others\nothers: {{}}\n", ("inputs",), "b", "b: 1")
    assert added == f"{text}\n  b: 1\n\n# of the others\nothers: {{}}\n"


def test_a_value_is_replaced_and_nothing_else_changes() -> None:
    keys = ("datasets", "houses", "files", "houses.csv", "sha256")
    assert replace_value(TEXT, keys, "bb") == TEXT.replace('"aa"', "bb")
    assert replace_value(TEXT, ("datasets", "houses", "expect", "rows"), "4") == TEXT.replace("rows: 3", "rows: 4")


@pytest.mark.parametrize("line_end", ["\n", "\r\n"])
def test_the_line_ends_of_a_file_are_kept(line_end: str, tmp_path: Path) -> None:
    file = tmp_path / "params.yaml"
    file.write_bytes(PARAMS.read_bytes().replace(b"\n", line_end.encode()))
    text = replace_value(file.read_text(), ("experiments", "xor_mlp", "training", "seed"), "5")
    content = with_value(read_yaml(file), ("experiments", "xor_mlp", "training", "seed"), 5)
    write_checked({file: text}, {file: content}, "the seed", "")
    assert file.read_bytes() == text.replace("\n", line_end).encode()


def test_a_text_that_does_not_hold_what_is_expected_is_not_written(tmp_path: Path) -> None:
    file = tmp_path / "params.yaml"
    file.write_text(TEXT)
    with pytest.raises(ModelyardError, match=r"(?s)the entry was not written; params.yaml unchanged.*entry per line"):
        write_checked({file: TEXT}, {file: {}}, "the entry", "")
    assert file.read_text() == TEXT
