"""`modelyard promote` and `modelyard rollback`: set the champion of a data set."""

from contextlib import suppress
from pathlib import Path

from rich.console import Console
from rich.markup import escape

from modelyard import params
from modelyard.core.errors import ModelyardError
from modelyard.reporting.model_cards import CardSources, model_card
from modelyard.serving import promotion, registry
from modelyard.serving.registry import CHALLENGER, CHAMPION


def promote(experiment: str, force: str | None) -> None:
    """Register an experiment's model, and print which alias it got and why.

    Raises:
        ModelyardError: see `promotion.promote`, or `force` is an empty reason.
    """
    if force is not None and not force.strip():
        raise ModelyardError(
            "--force needs a reason, which is stored with the model: --force 'the old one is too slow'"
        )
    done = promotion.promote(params.load(), experiment, Path.cwd(), force or "", _card(experiment))
    name = done.version.name
    lines = [f"[bold]{name}@{done.alias}[/] is {done.version}.", done.reason]
    if "forced" in done.version.tags and done.version != done.before:
        lines.append(f"Forced: {escape(str(force))}")
    if done.alias == CHALLENGER:
        lines.append(f"{name}@{CHAMPION} is {done.before or 'none'}. To replace it in any case: --force REASON")
    elif done.before and done.before != done.version:
        lines.append(f"It replaces {done.before}. To undo: modelyard rollback {name}")
    _print(lines)


def roll_back(dataset: str) -> None:
    """Set the previous champion again, and print which that is."""
    former, replaced = registry.roll_back(dataset)
    _print([f"[bold]{dataset}@{CHAMPION}[/] is {former} again; it replaces {replaced}."])


def _card(experiment: str) -> str:
    """The card of a model, without its title; nothing where a file that it needs is wrong, as the report then says."""
    with suppress(ModelyardError):
        return model_card(CardSources.read(Path.cwd()), experiment).partition("\n")[2]
    return ""


def _print(lines: list[str]) -> None:
    console = Console()
    for line in lines:
        console.print(line, highlight=False, soft_wrap=True)
