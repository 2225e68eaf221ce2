"""Tasks are handed to an engine as it can take them."""

from support.engines import Here

from modelyard.orchestration.engine import Call, Ended, Task, run_all


class Small(Here):
    """Records how many tasks it has at once, and their order."""

    capacity = 2

    def __init__(self) -> None:
        super().__init__()
        self.most, self.order = 0, list[str]()

    def submit(self, task: Task) -> None:
        super().submit(task)
        self.order.append(task.key)
        self.most = max(self.most, len(self._waiting))


def test_an_engine_gets_no_more_tasks_at_once_than_it_can_use_the_most_urgent_first():
    engine = Small()
    tasks = [Task(f"{number}", Call(abs, -number), priority=number % 3) for number in range(7)]
    ended = {event.key: event.result for event in run_all(engine, tasks, 60.0) if isinstance(event, Ended)}
    assert ended == {f"{number}": number for number in range(7)}
    assert engine.most == 2
    assert engine.order == ["2", "5", "1", "4", "0", "3", "6"]
