"""Standard output and error that print any text in the encoding of any terminal."""

import codecs
import io
import sys

SUBSTITUTES = {"✓": "+", "✗": "x", "✂": "/", "■": "#", "•": "*", "…": ".", "→": ">"}
"""What is printed instead of a symbol that the encoding lacks: one letter each, so that columns stay aligned."""
OTHER = "?"
_HANDLER = "modelyard.substitute"


def substitute_unencodable() -> None:
    """Print a substitute for each character that a standard stream cannot encode, instead of raising an error.

    Such are ticks on a terminal in ISO-8859-1, and the bytes of a file name that are not UTF-8. An error handler that
    the user chose (PYTHONIOENCODING=latin-1:backslashreplace) is kept.
    """
    codecs.register_error(_HANDLER, _substitute)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper) and stream.errors in ("strict", "surrogateescape"):
            stream.reconfigure(errors=_HANDLER)


def _substitute(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    letters = error.object[error.start : error.end]
    return "".join(SUBSTITUTES.get(letter, OTHER) for letter in letters), error.end
