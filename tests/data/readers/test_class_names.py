"""Names that are probably one class."""

import pytest

from modelyard.data.readers.class_names import find_similar


@pytest.mark.parametrize(
    "names",
    [("Cat", "cat"), ("1", "01"), ("1.0", "1"), ("a b", "a  b "), ("caf\u00e9", "cafe\u0301"), ("\ufb01n", "fin")],
)
def test_names_that_mean_the_same_are_found(names: tuple[str, str]) -> None:
    assert find_similar(("x", *names)) == names


def test_other_names_are_not() -> None:
    assert find_similar(["cat", "cats", "1", "2", "nan", "NaN1", "-1", "straße", ""]) is None
