"""Gives attributes of other modules another value for a while; unittest.mock would do, and takes long to import."""

import logging
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from typing import Any


@contextmanager
def patched(*replacements: tuple[Any, str, Any]) -> Iterator[None]:
    """Within the block, attributes have other values; each replacement is an object, an attribute and its value."""
    with ExitStack() as stack:
        for target, name, value in replacements:
            stack.callback(setattr, target, name, getattr(target, name))
            setattr(target, name, value)
        yield


def dvc_messages_to(handler: logging.Handler) -> AbstractContextManager[None]:
    """Let a handler have what DVC logs within the block, instead of the terminal."""
    loggers = map(logging.getLogger, ("dvc", "dvc_data", "dvc_objects"))
    return patched(*((logger, "handlers", [handler]) for logger in loggers))
