"""The documentation: links lead somewhere, commands are accepted by the CLI, named files exist."""

import re
import shlex
from pathlib import Path

import pytest
import typer
from support.paths import ROOT

from modelyard import params
from modelyard.cli import app
from modelyard.cli.run import _needs_no_download

PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md"), *(ROOT / "benchmarks").rglob("*.md")])
WITHOUT_FENCES = {page: re.sub(r"```.*?```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL) for page in PAGES}
PLACEHOLDERS = {"STUDY", "EXPERIMENT", "modelyard"}


def name_of(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


def anchors(page: Path) -> set[str]:
    """The anchors that GitHub gives to the headings of a page."""
    headings = re.findall(r"^#+ (.*)$", WITHOUT_FENCES[page], flags=re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def commands() -> set[str]:
    """Every `modelyard` command in the text or in a code block of a page."""
    found: set[str] = set()
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        found |= set(re.findall(r"(?<!`)`(modelyard [^`]+)`(?!`)", WITHOUT_FENCES[page]))
        found |= {line.partition(" #")[0].strip() for line in re.findall(r"^(modelyard .*)$", text, flags=re.MULTILINE)}
    return {command for command in found if not PLACEHOLDERS & set(command.split()[1:]) and "..." not in command}


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_every_link_leads_to_a_file_and_a_heading(page):
    for target in re.findall(r"\]\(([^)\s]+)\)", WITHOUT_FENCES[page]):
        if re.match(r"https?:", target):
            continue
        path, _, anchor = target.partition("#")
        linked = (page.parent / path).resolve() if path else page
        assert linked.exists(), target
        if anchor:
            assert anchor in anchors(linked), target


@pytest.mark.parametrize("command", sorted(commands()))
def test_every_command_is_accepted_by_the_cli(command):
    _, name, *arguments = shlex.split(command)
    subcommand = typer.main.get_command(app)
    while hasattr(subcommand, "commands"):
        subcommand = subcommand.commands[name]
        if hasattr(subcommand, "commands"):
            name, *arguments = arguments or [next(iter(subcommand.commands))]
    mentioned_only = all(argument.startswith("-") for argument in arguments)  # without its required arguments
    subcommand.make_context(name, arguments, resilient_parsing=mentioned_only)


def test_the_files_named_for_contributors_exist():
    page = WITHOUT_FENCES[ROOT / "CONTRIBUTING.md"]
    for path in re.findall(r"`([\w./<>-]+\.(?:py|yaml|toml|lock|md)|[\w/]+/)`", page):
        if "<" not in path:
            assert (ROOT / path).exists() or (ROOT / "src" / "modelyard" / path).exists(), path


def test_the_readme_counts_the_experiments_of_make_demo():
    project = params.load(ROOT / "params.yaml")
    demo = [name for name in project.all_experiments if _needs_no_download(project, name)]
    text = " ".join((ROOT / "README.md").read_text(encoding="utf-8").split())
    assert f"builds {len(demo)} of the {len(project.all_experiments)} experiments" in text
