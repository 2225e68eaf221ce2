"""`modelyard new`: a project of one's own that depends on the installed package."""

import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

from rich.console import Console

from modelyard.cli import package_code
from modelyard.cli.wheel import write_wheel
from modelyard.core import git
from modelyard.core.errors import ModelyardError
from modelyard.core.files import atomic_folder, sha256, write_text
from modelyard.core.project_name import NAME
from modelyard.params import new_entry
from modelyard.params.new_entry import Proposal, TableOptions

TEMPLATES = package_code.TEMPLATES
COPIED = {
    ".dockerignore": "dockerignore",
    ".dvcignore": "dvcignore",
    ".github/workflows/check.yml": "check.yml",
    ".gitignore": "gitignore",
    "Dockerfile": "Dockerfile",
    "Makefile": "Makefile",
    "params.yaml": "params.yaml",
    "published.yaml": "published.yaml",
    "tests/test_pipeline.py": "test_pipeline.py",
}
"""The template of each file that is the same in every project."""
RENDERED = {"README.md": "README.md.jinja", "pyproject.toml": "pyproject.toml.jinja"}
SEARCH_SPACE = {
    "model.learning_rate": {"low": 0.02, "high": 0.3, "log": True},
    "model.max_iter": {"low": 50, "high": 400},
    "model.max_leaf_nodes": {"low": 7, "high": 63},
}
STUDY = {"search_space": SEARCH_SPACE, "n_trials": 12, "seed": 1}
"""A search for the boosting, which takes seconds."""
DVC_CONFIG = "[core]\n    analytics = false\n    check_update = false\n"
TOOLS = {"pytest", "uv"}  # beside the package
ENTRY = re.compile(r"(?m)^([a-z0-9][a-z0-9._-]*)==\S+ \\\n(?:    .*\n)+")  # of a lock file
VIA = re.compile(r"(?m)^ +# via (.*)\n")  # its note of who needs it


def create(folder: Path, table: Path | None, target: str | None, is_empty: bool) -> None:
    """Create a project in a folder that does not exist yet.

    Raises:
        ModelyardError: the folder exists, its name is none of a package, the table cannot be read or its entries not
            be built, or git cannot be run; nothing was created.
    """
    console = Console()
    _check(folder, table, target, is_empty)
    with atomic_folder(folder) as draft:
        entries = _write(draft, folder.name, table, target or "")
        (draft / "wheels").mkdir()
        wheel = write_wheel(draft / "wheels")
        write_text(draft / "requirements.lock", _lock(wheel))
        _init(draft, table.name if table else "")
    for line in _report(folder, entries, is_committed=bool(git.head(folder))):
        console.print(line, markup=False, highlight=False, soft_wrap=True)


def _check(folder: Path, table: Path | None, target: str | None, is_empty: bool) -> None:
    if folder.exists() or folder.is_symlink():
        raise ModelyardError(f"{folder} exists, and nothing is overwritten: give a folder that does not exist yet.")
    if not NAME.fullmatch(folder.name) or folder.name.lower() == "modelyard":
        better = re.sub(r"[^a-z0-9]+", "-", folder.name.lower()).strip("-")
        proposal = better if better not in ("", "modelyard") else "houses"
        raise ModelyardError(
            f"{folder.name!r} is no name for a package: letters, digits, and -, _ and . between them, other than "
            f"modelyard itself, such as {proposal}."
        )
    if not shutil.which("git"):
        raise ModelyardError("git cannot be run, and DVC keeps a project's history in it: install git.")
    if is_empty == bool(table):
        raise ModelyardError("give one of --table FILE --target COLUMN, or --empty.")
    if table and not target:
        raise ModelyardError("--table needs the column to predict: --target COLUMN")
    if target and not table:
        raise ModelyardError("--target is a column of a table: --table FILE")


def _write(draft: Path, name: str, table: Path | None, target: str) -> Proposal | None:
    """Write all files that the project's owner may edit; returns the entries of params.yaml, if there are any."""
    for path, template in COPIED.items():
        _write_text(draft / path, (TEMPLATES / template).read_text(encoding="utf-8"))
    package_code.take_over(draft)
    entries = _add_table(draft, table, target) if table else None
    for path, template in RENDERED.items():
        _write_text(draft / path, _render(template, _values(name, entries)))
    return entries


def _write_text(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def _add_table(draft: Path, table: Path, target: str) -> Proposal:
    """Copy a table into the project, and write its entries into params.yaml."""
    if not table.is_file():
        new_entry.propose(table, TableOptions(target=target))  # says why it cannot be read
    copied = draft / table.name
    shutil.copyfile(table, copied)
    try:
        proposal = new_entry.propose(copied, TableOptions(target=target), root=draft)
        if proposal.problem:
            raise ModelyardError(f"its entries cannot be built: {proposal.problem}")
    except ModelyardError as error:
        message = str(error).replace(str(copied), str(table))
        raise ModelyardError(
            f"{message}\nNothing was created. `modelyard data show {table} --help` has options for such a table: use "
            "them in a project that you create with --empty."
        ) from None
    name = f"{proposal.name}_histogram_boosting"
    studies = {name: {"experiment": name, **STUDY}}
    proposal = replace(proposal, entries=proposal.entries | {"studies": studies})
    new_entry.add(proposal, draft / "params.yaml")
    return proposal


def _values(name: str, entries: Proposal | None) -> dict[str, Any]:
    """What the templates show of a project."""
    values: dict[str, Any] = {"name": name, "image": name.lower(), "version": version("modelyard"), "experiments": []}
    if entries is None:
        return values | {"about": "A project for models of your own.", "data": ""}
    (dataset,) = entries.entries["datasets"]
    described = entries.entries["datasets"][dataset]["description"]
    experiments = list(entries.entries["experiments"])
    return values | {
        "about": f"{described}.",
        "data": entries.file.name,
        "dataset": dataset,
        "experiments": experiments,
        "commands": _commands(experiments[-1], next(iter(entries.entries["studies"])), entries.file.name),
    }


def _commands(network: str, study: str, data: str) -> list[tuple[str, str]]:
    """Commands to try, each with what it does."""
    return [
        ("modelyard run", "build what has changed; --dry-run prints what, and why"),
        (f"modelyard tune {study}", "search for better settings; --apply writes the best into params.yaml"),
        (f"modelyard replicate {network} --seeds 3", "the same training with other seeds"),
        (f"modelyard predict {network} {data} -o predictions.csv", "predict from files"),
        (f"modelyard promote {network}", "register the model; the first is the champion"),
        ("modelyard report", "all results on one page, reports/index.html"),
        ("modelyard ui", "all runs in the browser"),
    ]


def _render(template: str, values: Mapping[str, Any]) -> str:
    from jinja2 import Environment, StrictUndefined

    environment = Environment(  # noqa: S701 (it is no HTML)
        undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True, keep_trailing_newline=True
    )
    return environment.from_string((TEMPLATES / template).read_text(encoding="utf-8")).render(values)


def _lock(wheel: Path) -> str:
    """The package by its file and hash; from its own lock file, what it needs, and TOOLS with what they need."""
    text = (TEMPLATES / "requirements.lock").read_text(encoding="utf-8")
    entries = {found[1]: found[0] for found in ENTRY.finditer(text)}
    needed = _needed({name: set(", ".join(VIA.findall(entry)).split(", ")) for name, entry in entries.items()})
    package = f"modelyard=={version('modelyard')} \\\n    --hash=sha256:{sha256(wheel)}\n    # wheels/{wheel.name}\n"
    lines = {name: VIA.sub("", entries[name]) for name in needed} | {"modelyard": package}
    return "".join(lines[name] for name in sorted(lines))


def _needed(wanted_by: Mapping[str, set[str]]) -> set[str]:
    """The names of the package's own requirements, of TOOLS, and of all that these need."""
    needed = {name for name, by in wanted_by.items() if "modelyard (pyproject.toml)" in by} | TOOLS
    while more := {name for name, by in wanted_by.items() if by & needed} - needed:
        needed |= more
    return needed


def _init(draft: Path, data: str) -> None:
    """Make the folder a git repository with DVC, which keeps the data."""
    _run(draft, "git", "init", "--quiet", "--initial-branch", "main")
    _run(draft, sys.executable, "-m", "dvc", "init", "--quiet")
    (draft / ".dvc" / "config").write_text(DVC_CONFIG, encoding="utf-8")
    if data:
        _run(draft, sys.executable, "-m", "dvc", "add", "--quiet", data)
    _run(draft, "git", "add", "--all")
    with suppress(ModelyardError):  # git does not know who commits: said at the end
        _run(draft, "git", "-c", "commit.gpgsign=false", "commit", "--quiet", "--message", "Create the project")


def _run(folder: Path, *command: str) -> None:
    """Run a command in the new project.

    Raises:
        ModelyardError: it fails.
    """
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)  # noqa: S603
    if done.returncode:
        said = " ".join(f"{done.stderr} {done.stdout}".split())
        raise ModelyardError(f"{' '.join(command)} failed, and nothing was created: {said}")


def _report(folder: Path, entries: Proposal | None, is_committed: bool) -> Iterator[str]:
    if entries is None:
        yield f"{folder} is a project without data."
    else:
        experiments = ", ".join(entries.entries["experiments"])
        yield f"{folder} is a project on {entries.file.name} ({entries.rows} rows) with {experiments}."
        yield from (f"Guessed: {line}" for line in entries.guesses)
    if not is_committed:
        yield "git does not know who you are, so nothing is committed: set user.name and user.email, then git commit."
    todo = "make run" if entries else "make install && .venv/bin/modelyard data show FILE --target COLUMN --add NAME"
    yield f"Next: cd {folder} && {todo}"
