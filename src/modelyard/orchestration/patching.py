"""Gives attributes of other modules another value for a while; unittest.mock would do, and takes long to import."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any


@contextmanager
def patched(*replacements: tuple[Any, str, Any]) -> Iterator[None]:
    """Within the block, attributes have other values; each replacement is an object, an attribute and its value."""
    with ExitStack() as stack:
        for target, name, value in replacements:
            stack.callback(setattr, target, name, getattr(target, name))
            setattr(target, name, value)
        yield
