"""Tables in Markdown, places for results, and durations."""

from pathlib import Path

import pytest

from modelyard.core.errors import ModelyardError
from modelyard.core.report_text import END, START, duration_text, fill, markdown_table, shortened, without_markup


def test_a_table_has_a_header_a_rule_and_its_rows():
    assert markdown_table(["a", "b"], [["1", "2"], ["3", ""]]) == "| a | b |\n| --- | --- |\n| 1 | 2 |\n| 3 |  |"


def test_no_cell_ends_its_row_or_column():
    assert markdown_table(["a"], [["wide | deep"], ["a \\| b"], ["two\nlines "]]).split("\n")[2:] == [
        "| wide \\| deep |",
        "| a \\| b |",
        "| two lines |",
    ]


@pytest.mark.parametrize(
    "text, escaped",
    [
        ("<script>a</script>", "\\<script\\>a\\</script\\>"),
        ("![a](http://b) [c][d]", "![a\\](http://b) [c\\][d]"),
        ("*a* _b_ `<c>` a|b ~d~ $e$ &lt; \\", "\\*a\\* \\_b\\_ \\`\\<c\\>\\` a\\|b \\~d\\~ \\$e\\$ \\&lt; \\\\"),
        ("`` <a> `", "\\`\\` \\<a\\> \\`"),
        ("macro_f1 [64, 32] R&D `modelyard run`", "macro_f1 [64, 32] R&D `modelyard run`"),
    ],
)
def test_a_text_without_markup_shows_its_letters(text: str, escaped: str):
    assert without_markup(text) == escaped


@pytest.mark.parametrize("between", ["", "old\n", "old\n\nlines\n"])
@pytest.mark.parametrize("blank", ["", " "])
def test_what_stands_between_the_markers_is_replaced(between: str, blank: str, tmp_path: Path):
    page = tmp_path / "README.md"
    page.write_text(f"above\n{START}{blank}\n{between}{END}{blank}\nbelow\n{END}\n")
    fill(page, "new")
    assert page.read_text() == f"above\n{START}\nnew\n{END}\nbelow\n{END}\n"


def test_a_page_without_markers_is_left_as_it_is(tmp_path: Path):
    page = tmp_path / "README.md"
    page.write_text(f"a text on {START} and\n{END}\n")
    with pytest.raises(ModelyardError, match="no place for the results"):
        fill(page, "new")
    assert page.read_text() == f"a text on {START} and\n{END}\n"


@pytest.mark.parametrize(
    "seconds, text",
    [(0.04, "0.0 s"), (59.94, "59.9 s"), (61, "1 min 1 s"), (3599.4, "59 min 59 s"), (7830, "2 h 10 min")],
)
def test_a_duration_has_the_units_of_its_size(seconds: float, text: str):
    assert duration_text(seconds) == text


def test_a_text_is_shortened_by_whole_paragraphs():
    text = "one\n\n| a |\n| b |\n\nthree"
    assert shortened(text, len(text)) == text
    assert shortened(text, len(text) - 1) == "one\n\n| a |\n| b |\n\n…"
    assert shortened(text, 10) == "one\n\n…"
    assert all(len(shortened(text, length)) <= length for length in range(3, 40))
