"""Tables in Markdown."""

from modelyard.core.markdown import markdown_table


def test_a_table_has_a_header_a_rule_and_its_rows():
    assert markdown_table(["a", "b"], [["1", "2"], ["3", ""]]) == "| a | b |\n| --- | --- |\n| 1 | 2 |\n| 3 |  |"
