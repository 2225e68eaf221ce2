"""Progress of work that may take more than a moment, in one line of standard error."""

import sys
import time
from collections.abc import Iterable, Iterator
from typing import TypeVar

AFTER_SECONDS = 2.0
EVERY_SECONDS = 0.5

Item = TypeVar("Item")


def counted(items: Iterable[Item], total: int, what: str) -> Iterator[Item]:
    """Yield the items; from AFTER_SECONDS on, print how many of them are done, in a line that is written over."""
    shown, due = False, time.monotonic() + AFTER_SECONDS
    for done, item in enumerate(items):
        if time.monotonic() >= due:
            print(f"\r{what}: {done:,} of {total:,}", end="", file=sys.stderr, flush=True)  # noqa: T201
            shown, due = True, time.monotonic() + EVERY_SECONDS
        yield item
    if shown:
        print(f"\r{what}: {total:,} of {total:,}", file=sys.stderr, flush=True)  # noqa: T201
