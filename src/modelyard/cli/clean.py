"""`modelyard clean`: what takes the disk and what nothing refers to, and removing that after it was shown."""

import shutil
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import typer
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.filesize import decimal
from rich.markup import escape
from rich.table import Column, Table

from modelyard import params
from modelyard.core import git
from modelyard.core.files import is_left_over
from modelyard.data.mirrors import find_cache
from modelyard.orchestration import unused_cache
from modelyard.orchestration.path_locks import paths_being_written
from modelyard.orchestration.run_lock import only_run
from modelyard.params.project import EXPERIMENT_SECTIONS, Project
from modelyard.params.results import ExperimentResults, results_root
from modelyard.tracking import unused

SHOWN = 10  # paths of a group
USED = {
    "raw data": "data/raw",
    "inputs": "data/inputs",
    "results": "results",
    "reports": "reports",
    "DVC cache": ".dvc/cache",
    "logs and temporary files of DVC": ".dvc/tmp",
    "artifacts of MLflow": "mlartifacts",
    "runs and their curves": "mlflow.db",
    "copies of them before a migration": "mlflow.db.*.backup",
    "studies, kept runs, copies of registered models": ".modelyard",
}
"""Folders and files of a project that grow with its use, as patterns."""


@dataclass(frozen=True)
class Unused:
    """Files that nothing refers to.

    Attributes:
        what: what they are.
        paths: files and folders.
        remove: removes them.
    """

    what: str
    paths: list[Path]
    remove: Callable[[], None]


def clean(yes: bool) -> None:
    """Print what nothing refers to, and remove it once the user agrees.

    Raises:
        ModelyardError: params.yaml or a file of DVC is wrong, DVC is busy, or git fails.
    """
    console, root = Console(), Path.cwd()
    project = params.load()
    with only_run(root, 0, console.print):
        with console.status("Looking for what nothing refers to ...", spinner_style="dim"):
            found = [group for group in _find(project, root) if group.paths]
            sizes = [sum(map(size, group.paths)) for group in found]
        if not found:
            console.print("There is nothing to remove.")
            return
        _print(console, found, sizes, root)
        if not yes and not typer.confirm("Remove these files?"):
            console.print("Nothing was removed.")
            return
        for group in found:
            group.remove()
        console.print(f"Removed {decimal(sum(sizes))}.", highlight=False)


def usage(root: Path) -> str:
    """What takes the disk in a project, the largest first."""
    sizes = {what: sum(map(size, root.glob(pattern))) for what, pattern in USED.items()}
    if cache := find_cache():
        sizes[f"downloads of all projects in {cache.folder}"] = size(cache.folder)
    largest = sorted(((count, what) for what, count in sizes.items() if count), reverse=True)
    return ", ".join(f"{what} {decimal(count)}" for count, what in largest) or "nothing yet"


def size(path: Path) -> int:
    """The bytes of a file, or of all files in a folder; links and what vanishes meanwhile count nothing."""
    if path.is_symlink():
        return 0
    try:
        return sum(map(size, path.iterdir())) if path.is_dir() else path.stat().st_size
    except FileNotFoundError:
        return 0


def _find(project: Project, root: Path) -> Iterator[Unused]:
    yield Unused(
        "DVC cache: used by no file here, no branch, tag or experiment of DVC",
        unused_cache.find_unused(root),
        partial(unused_cache.remove_unused, root),
    )
    own = [root.joinpath(path).resolve() for path in _own_paths(project)]
    for what, folder, names in (
        ("raw data", "data/raw", {*project.datasets, *project.backbones}),
        ("input", "data/inputs", {*project.inputs}),
    ):
        unnamed = [path for path in _others(root / folder, names) if not _overlaps(path.resolve(), own)]
        yield _files(f"{what} that params.yaml does not name", unnamed)
    roots = sorted({results_root(section) for section in EXPERIMENT_SECTIONS})
    results = [folder for each in roots for folder in _others(root / each, project.all_experiments)]
    kept = map(ExperimentResults, results)
    ours = [path for each in kept for path in (*each.outside_git, each.card) if path.exists()]
    yield _files("results of experiments that params.yaml does not name; what git keeps stays", ours)
    yield _files("label sheets of experiments that params.yaml does not name", _label_sheets(project, root))
    yield _files("artifacts of which mlflow.db has no run or model, or a deleted one", unused.unused_artifacts())
    yield _files("copies of mlflow.db before a migration, except the newest", unused.old_backups())
    yield _files("copies of registered models, downloaded again when used", _others(root / ".modelyard/models", ()))
    states = _others(root / ".modelyard/training", [f"{name}.npz" for name in project.all_experiments])
    yield _files("states of stopped trainings of experiments that params.yaml does not name", states)
    places = ("data", "reports", ".modelyard", *roots)
    parts = [*root.glob(".*.part"), *(path for place in places for path in (root / place).rglob(".*.part"))]
    in_use = [output.parent for output in paths_being_written(root)]  # a part is beside what it becomes
    left = [path for path in parts if not any(path.is_relative_to(folder) for folder in in_use)]
    yield _files("left by killed runs", list(filter(is_left_over, left)))


def _label_sheets(project: Project, root: Path) -> list[Path]:
    """Those of experiments that params.yaml does not name, unless git keeps them."""
    from modelyard.reporting.label_errors import FOLDER

    tracked = {root / name for name in git.tracked_files(root, [str(FOLDER)])}
    sheets = [path for path in _others(root / FOLDER, ()) if path.suffix in (".csv", ".png")]
    return [path for path in sheets if path.stem not in project.all_experiments and path not in tracked]


def _own_paths(project: Project) -> Iterator[str]:
    """The files and folders of a person: those of data sets, backbones and batches."""
    for entry in (*project.datasets.values(), *project.backbones.values()):
        yield from (source.path for source in entry.files.values() if source.path)
    yield from (batch.data for batch in project.batches.values())


def _overlaps(path: Path, others: Iterable[Path]) -> bool:
    """Whether a path is, holds or lies in one of the others."""
    return any(path.is_relative_to(other) or other.is_relative_to(path) for other in others)


def _files(what: str, paths: list[Path]) -> Unused:
    return Unused(what, paths, partial(_remove, paths))


def _others(folder: Path, names: Iterable[str]) -> list[Path]:
    """What a folder holds besides what is hidden or has one of these names."""
    known = set(names)
    found = sorted(folder.iterdir()) if folder.is_dir() else []
    return [path for path in found if path.name not in known and not path.name.startswith(".")]


def _remove(paths: Iterable[Path]) -> None:
    for path in paths:
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)


def _print(console: Console, found: list[Unused], sizes: list[int], root: Path) -> None:
    table = Table("size", "what", Column("where", overflow="fold"), box=SIMPLE_HEAD, pad_edge=False)
    for group, count in zip(found, sizes, strict=True):
        shown = [escape(str(path.relative_to(root))) for path in group.paths[:SHOWN]]
        more = [f"and {len(group.paths) - SHOWN} more"] if len(group.paths) > SHOWN else []
        table.add_row(decimal(count), group.what, "\n".join([*shown, *more]))
    console.print(table, highlight=False)
