"""`modelyard new`: a project of one's own that depends on the installed package."""

import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any
from urllib.parse import quote

from rich.console import Console

from modelyard.cli import package_code
from modelyard.cli.data import ShowOptions, image_settings, table_options
from modelyard.cli.wheel import write_wheel
from modelyard.core import git
from modelyard.core.errors import ModelyardError
from modelyard.core.files import atomic_folder, copy_folder, sha256, write_text
from modelyard.core.project_name import NAME
from modelyard.data.readers.images import describe
from modelyard.data.trees import LITTER
from modelyard.params import new_entry
from modelyard.params.new_entry import Proposal, TableProposal
from modelyard.params.new_image_entry import ImageProposal, propose_images

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
SEARCHES: dict[str, dict[str, Any]] = {
    "histogram_boosting": {
        "search_space": {
            "model.learning_rate": {"low": 0.02, "high": 0.3, "log": True},
            "model.max_iter": {"low": 50, "high": 400},
            "model.max_leaf_nodes": {"low": 7, "high": 63},
        },
        "n_trials": 12,
        "seed": 1,
    },
    "cnn": {
        "search_space": {
            "training.learning_rate": {"low": 0.0003, "high": 0.003, "log": True},
            "model.dense_dropout": {"low": 0.0, "high": 0.5},
        },
        "n_trials": 8,
        "seed": 1,
    },
}
"""A search for an experiment of each of these model families."""
DVC_CONFIG = "[core]\n    analytics = false\n    check_update = false\n"
PREDICTIONS = ("predictions.csv", "predictions_of_model.csv")  # of the README; the second where the data has that name
WRITTEN = {"data", "results", "reports", "mlartifacts", "dvc_plots", ".venv", ".modelyard", ".git", ".dvc", "wheels"}
"""Folders that are made later, in which no data may be."""
TOOLS = {"pytest", "uv"}  # beside the package
ENTRY = re.compile(r"(?m)^([a-z0-9][a-z0-9._-]*)==\S+ \\\n(?:    .*\n)+")  # of a lock file
VIA = re.compile(r"(?m)^ +# via (.*)\n")  # its note of who needs it


@dataclass(frozen=True)
class Data:
    """The user's own data for a new project, a table or images, and how to read it; without both, none."""

    table: Path | None = None
    images: Path | None = None
    options: ShowOptions = field(default_factory=ShowOptions)

    @property
    def path(self) -> Path | None:
        """The file or folder."""
        return self.table or self.images


def create(folder: Path, data: Data, is_empty: bool) -> None:
    """Create a project in a folder that does not exist yet.

    Raises:
        ModelyardError: the folder exists, its name is none of a package, the data cannot be read or its entries not
            be built, or git cannot be run; nothing was created.
    """
    console = Console()
    _check(folder, data, is_empty)
    with _draft(folder) as draft:
        entries = _write(draft, folder.name, data)
        (draft / "wheels").mkdir()
        wheel = write_wheel(draft / "wheels")
        write_text(draft / "requirements.lock", _lock(wheel))
        uncommitted = _init(draft, entries.file.name if entries else "")
    for line in _report(folder, entries, uncommitted):
        console.print(line, markup=False, highlight=False, soft_wrap=True)


@contextmanager
def _draft(folder: Path) -> Iterator[Path]:
    """Yield a temporary folder that becomes the project, unless the block fails: then its new parents go, too.

    Raises:
        ModelyardError: there cannot be such a folder, or another process has made one while this one worked.
    """
    new_parents = [parent for parent in folder.parents if not parent.exists()]
    try:
        with atomic_folder(folder, replace=False) as draft:
            yield draft
    except BaseException as error:
        for parent in new_parents:
            with suppress(OSError):
                parent.rmdir()
        if not isinstance(error, OSError) or error.filename != str(folder):
            raise
        if isinstance(error, FileExistsError):
            raise ModelyardError(_exists(folder)) from None
        raise ModelyardError(f"{folder} cannot be created: {error.strerror}. Give a folder elsewhere.") from None


def _exists(folder: Path) -> str:
    return f"{folder} exists, and nothing is overwritten: give a folder that does not exist yet."


def _check(folder: Path, data: Data, is_empty: bool) -> None:
    if folder.exists() or folder.is_symlink():
        raise ModelyardError(_exists(folder))
    parent = next(each for each in folder.parents if each.exists() or each.is_symlink())
    if not parent.is_dir():
        raise ModelyardError(f"{parent} is no folder, so {folder} cannot be in it: give another folder.")
    if not NAME.fullmatch(folder.name) or folder.name.lower() == "modelyard":
        better = re.sub(r"[^a-z0-9]+", "-", folder.name.lower()).strip("-")
        proposal = better if better not in ("", "modelyard") else "houses"
        raise ModelyardError(
            f"{folder.name!r} is no name for a package: letters, digits, and -, _ and . between them, other than "
            f"modelyard itself, such as {proposal}."
        )
    if not shutil.which("git"):
        raise ModelyardError("git cannot be run, and DVC keeps a project's history in it: install git.")
    if [is_empty, bool(data.table), bool(data.images)].count(True) != 1:
        raise ModelyardError("give one of --table FILE --target COLUMN, --images FOLDER, or --empty.")
    if data.table and not data.options.target:
        raise ModelyardError("--table needs the column to predict: --target COLUMN")
    if data.options.target and not data.table:
        raise ModelyardError("--target is a column of a table: --table FILE")
    if is_empty and data.options != ShowOptions():
        option = next(iter([*data.options.of_tables, *data.options.of_images]))
        raise ModelyardError(f"--{option} says how to read data, and --empty is without: leave one of them out.")


def _write(draft: Path, name: str, data: Data) -> Proposal | None:
    """Write all files that the project's owner may edit; returns the entries of params.yaml, if there are any."""
    for path, template in COPIED.items():
        _write_text(draft / path, (TEMPLATES / template).read_text(encoding="utf-8"))
    package_code.take_over(draft)
    entries = _add_data(draft, data, data.path) if data.path else None
    for path, template in RENDERED.items():
        _write_text(draft / path, _render(template, _values(name, entries)))
    return entries


def _write_text(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def _add_data(draft: Path, data: Data, original: Path) -> Proposal:
    """Copy the data into the project, and write its entries into params.yaml."""
    if not original.exists():
        raise ModelyardError(f"{original}: no such file or folder; check the path.")
    if data.table and original.is_dir():
        raise ModelyardError(f"{original} is a folder: give the file of a table in it, or images by --images.")
    copied = draft / original.resolve().name
    if copied.exists() or copied.name in {*RENDERED, *WRITTEN, "requirements.lock"}:
        raise ModelyardError(f"{original} has the name of a file or folder of the project: give it another name.")
    try:
        _copy(original, copied)
        proposal: Proposal
        if data.images:
            proposal = propose_images(copied, image_settings(copied, data.options), root=draft, is_kept=True)
        else:
            proposal = new_entry.propose(copied, table_options(copied, data.options), root=draft, is_kept=True)
        if proposal.problem:
            raise ModelyardError(f"{original}: its entries cannot be built: {proposal.problem}")
    except ModelyardError as error:
        message = str(error).replace(str(copied), str(original))
        raise ModelyardError(f"{message}\nNothing was created.") from None
    proposal = replace(proposal, entries=proposal.entries | {"studies": dict(_studies(proposal))})
    new_entry.add(proposal, draft / "params.yaml")
    return proposal


def _copy(original: Path, copied: Path) -> None:
    if original.is_dir():
        copy_folder(original, copied, LITTER.fullmatch)
    else:
        shutil.copyfile(original, copied)


def _studies(proposal: Proposal) -> Iterator[tuple[str, dict[str, Any]]]:
    for name, experiment in proposal.entries["experiments"].items():
        if search := SEARCHES.get(experiment["model"]["family"]):
            yield name, {"experiment": name, **search}


def _values(name: str, entries: Proposal | None) -> dict[str, Any]:
    """What the templates show of a project."""
    values: dict[str, Any] = {"name": name, "image": name.lower(), "version": version("modelyard"), "experiments": []}
    if entries is None:
        about = "A project for models of your own."
        return values | {"about": about, "data": "", "dataset": "houses", "data_in_shell": "houses.csv"}
    (dataset,) = entries.entries["datasets"]
    described = entries.entries["datasets"][dataset]["description"]
    experiments = list(entries.entries["experiments"])
    commands = _commands(experiments[-1], next(iter(entries.entries["studies"])), _sample(entries))
    return values | {
        "about": f"{described}.",
        "data": entries.file.name,
        "data_in_shell": new_entry.in_shell(entries.file.name),
        "pointer_address": quote(f"{entries.file.name}.dvc"),
        "dataset": dataset,
        "experiments": experiments,
        "commands": commands,
        "width": max(len(command) for command, _ in commands),
    }


def _sample(entries: Proposal) -> str:
    """What to predict from: the table, an image, or, of an archive, a test sample."""
    name = entries.file.name
    if not isinstance(entries, ImageProposal):
        return f"{new_entry.in_shell(name)} -o {PREDICTIONS[name == PREDICTIONS[0]]}"
    image = f"{name}/{next(iter(entries.profile.facts))}"
    return new_entry.in_shell(image) if entries.file.is_dir() else "--test-row 0"


def _commands(network: str, study: str, sample: str) -> list[tuple[str, str]]:
    """Commands to try, each with what it does."""
    return [
        ("modelyard run", "build what has changed; --dry-run prints what, and why"),
        (f"modelyard tune {study}", "search for better settings; --apply writes the best into params.yaml"),
        (f"modelyard replicate {network} --seeds 3", "the same training with other seeds"),
        (f"modelyard predict {network} {sample}", "predict from files"),
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


def _init(draft: Path, data: str) -> str:
    """Make the folder a git repository with DVC, which keeps the data; returns why it has no commit, if it has none."""
    git.create(draft)
    _dvc(draft, "init")
    (draft / ".dvc" / "config").write_text(DVC_CONFIG, encoding="utf-8")
    if data:
        _dvc(draft, "add", "--", data)
    git.add_all(draft)
    try:
        git.commit(draft, "Create the project")
    except ModelyardError as error:
        return str(error)
    return ""


def _dvc(folder: Path, verb: str, *arguments: str) -> None:
    """Run DVC in the new project.

    Raises:
        ModelyardError: it fails.
    """
    command = [sys.executable, "-m", "dvc", verb, "--quiet", *arguments]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)  # noqa: S603
    if done.returncode:
        said = " ".join(f"{done.stderr} {done.stdout}".split())
        raise ModelyardError(f"{' '.join(command)} failed, and nothing was created: {said}")


def _notes(entries: Proposal) -> Iterator[str]:
    """What `modelyard data show` says of columns and files that the models do not get, and of what looks wrong."""
    if isinstance(entries, TableProposal):
        for column in entries.examination.columns:
            remarks = entries.examination.remarks.get(column.name, [])
            left_out = [f"no feature ({column.role})"] if column.role in ("dropped", "index") else []
            if said := [*left_out, *remarks]:
                yield f"Column {column.name}: {'; '.join(said)}"
    elif isinstance(entries, ImageProposal) and entries.profile.problems:
        yield describe(entries.profile.problems)
    yield from (f"Note: {remark}." for remark in entries.remarks)


def _report(folder: Path, entries: Proposal | None, uncommitted: str) -> Iterator[str]:
    if entries is None:
        yield f"{folder} is a project without data."
    else:
        experiments = ", ".join(entries.entries["experiments"])
        yield f"{folder} is a project on {entries.file.name} with {experiments}."
        yield from (f"Guessed: {line}" for line in entries.guesses)
        yield from _notes(entries)
    if uncommitted:
        yield f"Nothing is committed: {uncommitted}. When that is mended, run: git commit"
    todo = "make run" if entries else "make install && .venv/bin/modelyard data show --help"
    yield f"Next: cd {folder} && {todo}"
