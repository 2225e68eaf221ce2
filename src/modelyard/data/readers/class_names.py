"""Names of classes that are probably one class, written in two ways."""

import unicodedata
from collections.abc import Iterable
from contextlib import suppress
from decimal import Decimal, InvalidOperation


def find_similar(names: Iterable[str]) -> tuple[str, str] | None:
    """Return the first two names that differ in case, forms of the same characters or how a number is written."""
    seen: dict[str | Decimal, str] = {}
    for name in names:
        other = seen.setdefault(_meaning(name), name)
        if other is not name:
            return other, name
    return None


def _meaning(name: str) -> str | Decimal:
    """What a class name says, apart from case and from characters that look the same or are not seen."""
    with suppress(InvalidOperation):
        if (number := Decimal(name)).is_finite():
            return number
    shown = "".join(character for character in unicodedata.normalize("NFKC", name) if character.isprintable())
    return " ".join(shown.casefold().split())
