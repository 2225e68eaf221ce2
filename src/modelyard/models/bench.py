"""What a training works with besides its rows and settings."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from modelyard.models.settings import Runtime

Report = Callable[[dict[str, float]], None]


@dataclass(frozen=True)
class Bench:
    """Where a training puts its checkpoints, how it uses the machine, who hears of each epoch, what it starts from."""

    folder: Path
    runtime: Runtime
    report: Report
    backbone: Path | None = None
