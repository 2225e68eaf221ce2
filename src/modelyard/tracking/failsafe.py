"""Tracking that may fail, and disturbs nothing when it does."""

import sys
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from modelyard.tracking.store import mask_password

AFTERWARDS = (
    "What it builds is kept all the same. A server's own log says why it refused, such as a full disk; "
    "`modelyard runs backfill` then adds what is missing."
)


class FailsafeRun:
    """A run whose first failure is told once; after it nothing more is tried, and nothing else is disturbed."""

    def __init__(self, run: Any) -> None:
        self._run = run

    def __getattr__(self, verb: str) -> Callable[..., None]:
        def attempt(*arguments: Any) -> None:
            try:
                getattr(self._run, verb)(*arguments)
            except Exception as error:  # whatever MLflow, its database or its server may raise
                broken, self._run = self._run, NullRun()
                with suppress(Exception):  # a run that lacks something is not one that ended well
                    broken.fail(error)
                told = mask_password(f"{type(error).__name__}: {error}")
                print(f"warning: this run is not tracked: {told}\n{AFTERWARDS}", file=sys.stderr)  # noqa: T201

        return attempt


class NullRun:
    """Tracking that is off or has failed: every verb does nothing."""

    def __getattr__(self, verb: str) -> Callable[..., None]:
        return lambda *arguments: None
