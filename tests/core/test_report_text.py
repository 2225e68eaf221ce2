"""Tables in Markdown, and durations."""

import pytest

from modelyard.core.report_text import duration_text, markdown_table, shortened


def test_a_table_has_a_header_a_rule_and_its_rows():
    assert markdown_table(["a", "b"], [["1", "2"], ["3", ""]]) == "| a | b |\n| --- | --- |\n| 1 | 2 |\n| 3 |  |"


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
