"""Tables in a terminal of 80 columns."""

import re
from collections import Counter
from io import StringIO

from rich.console import Console
from rich.table import Table

WIDTH, WIDE = 80, 1000
WORD = re.compile(r"[^\s\u2500-\u257f]+")  # all but blanks and the lines of tables


def assert_fits(table: Table) -> None:
    """Check that a table in 80 columns has every word that it has where there is room for all."""
    narrow, wide = (_printed(table, width) for width in (WIDTH, WIDE))
    assert_whole_words(narrow, wide)
    assert max(map(len, narrow.splitlines())) <= WIDTH


def assert_whole_words(narrow: str, wide: str) -> None:
    """Check that a print in 80 columns has the words of the same print in a wide terminal: none is cut or broken."""
    assert Counter(WORD.findall(narrow)) == Counter(WORD.findall(wide))


def _printed(table: Table, width: int) -> str:
    console = Console(width=width, file=StringIO())
    console.print(table)
    return console.file.getvalue()
