"""`modelyard promote` and `modelyard rollback`: which model of a data set is in use."""

from pathlib import Path

from rich.console import Console

from modelyard import params
from modelyard.core.errors import ModelyardError
from modelyard.serving import promotion, registry
from modelyard.serving.registry import CHALLENGER, CHAMPION


def promote(experiment: str, force: str | None) -> None:
    """Register an experiment's model, and tell which alias it got and why.

    Raises:
        ModelyardError: see `promotion.promote`; or `force` gives no reason.
    """
    if force is not None and not force.strip():
        raise ModelyardError("--force needs a reason, which is kept with the model: --force 'the old one is too slow'")
    done = promotion.promote(params.load(), experiment, Path.cwd(), force or "")
    name = done.version.name
    lines = [f"[bold]{name}@{done.alias}[/] is {done.version}.", done.reason]
    if "forced" in done.version.tags and done.version != done.before:
        lines.append(f"Forced: {force}")
    if done.alias == CHALLENGER:
        lines.append(f"{name}@{CHAMPION} is {done.before or 'none'}. To replace it all the same: --force REASON")
    elif done.before and done.before != done.version:
        lines.append(f"It replaces {done.before}. To undo: modelyard rollback {name}")
    _print(lines)


def roll_back(dataset: str) -> None:
    """Make the champion before the present one champion again, and tell which that is."""
    former, present = registry.roll_back(dataset)
    _print([f"[bold]{dataset}@{CHAMPION}[/] is {former} again; it replaces {present}."])


def _print(lines: list[str]) -> None:
    console = Console()
    for line in lines:
        console.print(line, highlight=False, soft_wrap=True)
