"""A stage of the pipeline and its state."""

import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

LAST_BYTES = 2**16  # of a log: displays read it several times a second


class StageState(StrEnum):
    """The state of a stage."""

    WAITING = "waiting"
    RUNNING = "running"
    BUILT = "built"
    UNCHANGED = "unchanged"
    FAILED = "failed"
    SKIPPED = "skipped"
    STOPPED = "stopped"


SUCCEEDED = {StageState.BUILT, StageState.UNCHANGED}


@dataclass
class Stage:
    """One stage of the pipeline and its state.

    Attributes:
        name: its name in DVC.
        upstream: the names of the stages that it depends on; none if it is frozen.
        log: the file of its output.
        state: its state.
        reason: why it was skipped.
        changes: why it must run.
        last_seconds: how long it took last time.
        began: when it began, by the monotonic clock; 0 before.
        ended: when it ended; 0 before.
        has_run: whether its command was started; DVC's run cache can restore its outputs instead.
        machine: what `core.machine` says of the machine that its command has run on; None: this one.
    """

    name: str
    upstream: frozenset[str]
    log: Path
    state: StageState = StageState.WAITING
    reason: str = ""
    changes: tuple[str, ...] = ()
    last_seconds: float = 0.0
    began: float = 0.0
    ended: float = 0.0
    has_run: bool = False
    machine: Mapping[str, Any] | None = None

    @property
    def is_computed(self) -> bool:
        """Whether its outputs were made by its command just now."""
        return self.has_run and self.state is StageState.BUILT

    @property
    def seconds(self) -> float:
        """How long it has been running, or ran."""
        return (self.ended or time.monotonic()) - self.began if self.began else 0.0

    def last_lines(self, count: int) -> list[str]:
        """Return the end of its log; a progress bar counts as one line, in its last state."""
        with suppress(FileNotFoundError):
            with self.log.open("rb") as log:
                log.seek(max(0, self.log.stat().st_size - LAST_BYTES))
                text = log.read().decode("utf-8", errors="replace")
            lines = [line.rstrip().rpartition("\r")[2] for line in text.split("\n")]
            return [line for line in lines if line][-count:]
        return []
