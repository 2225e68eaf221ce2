"""Standard streams in an encoding that lacks characters."""

import io
import sys

import pytest

from modelyard.core.streams import substitute_unencodable


@pytest.mark.parametrize(
    "encoding, errors, text, printed",
    [
        ("latin-1", "strict", "✓ Größe … 🎉", "+ Größe . ?"),
        ("ascii", "surrogateescape", "✗ é", "x ?"),
        ("utf-8", "strict", "✓ a\udcff.png", "✓ a?.png"),
        ("ascii", "backslashreplace", "✓", "\\u2713"),
    ],
)
def test_a_character_that_the_encoding_lacks_is_substituted(
    encoding: str, errors: str, text: str, printed: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    stream = io.TextIOWrapper(io.BytesIO(), encoding=encoding, errors=errors)
    monkeypatch.setattr(sys, "stdout", stream)
    substitute_unencodable()
    stream.write(text)
    stream.flush()
    assert stream.buffer.getvalue().decode(encoding) == printed


def test_a_closed_standard_output_stays_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdout", None)
    substitute_unencodable()
    assert sys.stdout is None
