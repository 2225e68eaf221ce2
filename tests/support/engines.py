"""An engine that does its tasks in this process, one after another."""

from collections.abc import Callable, Sequence
from typing import Any

from modelyard.orchestration.engine import Call, Ended, Task


def do(call: Call) -> Any:
    return call.function(call.argument)


class Here:
    """Does a task when it is watched; `end` returns what it returns, or an `Ended` of its own."""

    slots = capacity = 1
    local_slots = 0
    shares_files = shares_folder = True

    def __init__(self, end: Callable[[Call], Any] = do) -> None:
        self._end = end
        self._waiting: list[Task] = []

    def submit(self, task: Task) -> None:
        self._waiting.append(task)

    def watch(self, seconds: float) -> Sequence[Ended]:
        task = self._waiting.pop(0)
        assert isinstance(task.work, Call)
        result = self._end(task.work)
        return [Ended(task.key, error=str(result)) if isinstance(result, Exception) else Ended(task.key, result)]

    def taken(self) -> Sequence[str]:
        return ()

    def cancel(self) -> bool:
        self._waiting = []
        return True

    def close(self) -> None:
        self.cancel()
