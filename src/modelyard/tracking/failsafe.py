"""Tracking that never stops the work it tracks."""

import sys
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from modelyard.tracking.store import reason

NOT_TRACKED = "warning: this run is not tracked: "
ADVICE = (
    "The results are kept. A server's own log may say more (a full disk, for example). `modelyard runs backfill` adds "
    "the run later."
)


class FailsafeRun:
    """Passes every call on to a run; the first failure is printed as a warning, and later calls do nothing."""

    def __init__(self, run: Any) -> None:
        self._run = run

    def __getattr__(self, method: str) -> Callable[..., None]:
        def call(*arguments: Any) -> None:
            try:
                getattr(self._run, method)(*arguments)
            except Exception as error:  # whatever MLflow, its database or its server may raise
                broken, self._run = self._run, NullRun()
                with suppress(Exception):  # an incomplete run must not be shown as finished
                    broken.fail(error)
                print(f"{NOT_TRACKED}{reason(error)}\n{ADVICE}", file=sys.stderr)  # noqa: T201

        return call


class NullRun:
    """A run that is not tracked: every method does nothing."""

    def __getattr__(self, method: str) -> Callable[..., None]:
        return lambda *_: None
