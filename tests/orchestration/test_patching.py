"""Attributes have their own values again after the block, however it ends."""

from types import SimpleNamespace

import pytest

from modelyard.orchestration.patching import patched


def test_attributes_have_other_values_within_the_block_only() -> None:
    first, second = SimpleNamespace(value=1), SimpleNamespace(value=2)
    with patched((first, "value", 3), (second, "value", 4)):
        assert (first.value, second.value) == (3, 4)
    assert (first.value, second.value) == (1, 2)


def test_they_are_restored_after_an_error_and_if_a_later_attribute_is_missing() -> None:
    target = SimpleNamespace(value=1)
    with pytest.raises(ValueError, match="within"), patched((target, "value", 2)):
        raise ValueError("within")
    with pytest.raises(AttributeError), patched((target, "value", 2), (target, "missing", 3)):
        pass
    assert vars(target) == {"value": 1}
