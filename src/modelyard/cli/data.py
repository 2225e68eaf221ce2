"""`modelyard data`: what a table or folder of images holds, its entries in params.yaml, and new versions of it."""

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from enum import Enum
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from modelyard.cli import data_images
from modelyard.core.errors import ModelyardError
from modelyard.data.samples import Task
from modelyard.data.trees import is_tree
from modelyard.params import new_entry, new_version
from modelyard.params.new_entry import Proposal, TableOptions, TableProposal
from modelyard.params.new_image_entry import propose_images
from modelyard.serving.tables import why_no_table

if TYPE_CHECKING:
    from modelyard.data.table_profile import ColumnProfile

IMAGE_OPTIONS = ("size", "colour", "fit", "broken")
SEPARATORS = {"tab": "\t", "\\t": "\t"}  # as one can type it


@dataclass(frozen=True)
class ShowOptions:
    """Options of `data show` and `new` as they are typed."""

    target: str | None = None
    task: Task | None = None
    drop: tuple[str, ...] = ()
    column: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    separator: str | None = None
    decimal: str | None = None
    encoding: str | None = None
    group: str | None = None
    time: str | None = None
    size: str | None = None
    colour: str | None = None
    fit: str | None = None
    broken: str | None = None

    @classmethod
    def among(cls, arguments: Mapping[str, Any]) -> "ShowOptions":
        """Those among a command's arguments, as Typer has them: enumerations, and lists for what can be repeated."""
        given = {field.name: arguments[field.name] for field in fields(cls)}
        return cls(**{name: _plain(value) for name, value in given.items() if value is not None})

    @property
    def of_images(self) -> dict[str, str]:
        """The options that are given and are for images."""
        given = {"size": self.size, "colour": self.colour, "fit": self.fit, "broken": self.broken}
        return {name: value for name, value in given.items() if value is not None}

    @property
    def of_tables(self) -> list[str]:
        """The names of the options that are given and are for tables."""
        return [each.name for each in fields(self) if each.name not in IMAGE_OPTIONS and getattr(self, each.name)]


def show(file: Path, options: ShowOptions, add: str | None, as_json: bool) -> None:
    """Print what would be read of a table or of images, and the entries; with a name in `add`, write them.

    Raises:
        ModelyardError: the file cannot be read, an option does not fit it, or the entries cannot be written.
    """
    if reason := why_no_table(file):  # first: a spreadsheet is an archive of several files
        raise ModelyardError(f"{file}: {reason}. Of images, give the folder or its archive.")
    proposal: Proposal
    if is_tree(file):
        proposal = propose_images(file, image_settings(file, options), add or "")
        content, print_content = data_images.as_json(proposal), partial(data_images.print_images, proposal=proposal)
    else:
        if add and not options.target:
            raise ModelyardError("--add needs the column to predict: --target COLUMN")
        proposal = new_entry.propose(file, table_options(file, options), add or "")
        content, print_content = _as_json(proposal), partial(_print, proposal=proposal)
    console = Console()
    if as_json:
        content |= {"guesses": proposal.guesses, "entries": proposal.entries, "problem": proposal.problem}
        console.print_json(json.dumps({"file": str(file), **content}, allow_nan=False))
    else:
        print_content(console)
        _print_entries(console, proposal)
    if add:
        new_entry.add(proposal)
    if as_json:
        return
    if add:
        names = " ".join(proposal.entries["experiments"])
        console.print(
            f"params.yaml has these entries now. Next: modelyard run {names}", soft_wrap=True, highlight=False
        )
    elif not proposal.entries:
        console.print("Name the column to predict to get the entries: --target COLUMN", highlight=False)
    elif not proposal.problem:
        console.print(f"Paste this into params.yaml, or let --add {proposal.name} write it.", highlight=False)


def update(name: str, as_json: bool) -> None:
    """Take a new version of a data set's file or folder over, and print what has changed.

    Raises:
        ModelyardError: see `new_version.take_over`.
    """
    console, done = Console(), new_version.take_over(name, Path.cwd())
    if as_json:
        console.print_json(
            json.dumps(
                {
                    "dataset": name,
                    "unchanged": not done.checksum,
                    "checksum": done.checksum,
                    "rows": done.rows,
                    "rows_before": done.rows_before,
                    "changes": dict(done.changes),
                    "problems": dict(done.problems),
                }
            )
        )
        return
    file = done.path.relative_to(Path.cwd()) if done.path.is_relative_to(Path.cwd()) else done.path
    lines = [f"{name}: unchanged ({file} has the checksum of params.yaml)."]
    if done.checksum:
        lines = [f"{name}: params.yaml has the checksum of the new {file} now.", *_changes(done)]
        pointer = file.with_name(f"{file.name}.dvc")
        lines += [f"Next: dvc add {new_entry.in_shell(str(file))} && dvc push"] if pointer.is_file() else []
        lines += [f"inputs.{each} cannot be built any more: {problem}" for each, problem in done.problems]
        lines += [] if done.problems else ["Next: modelyard run"]
    for line in lines:
        console.print(line, markup=False, highlight=False, soft_wrap=True)


def _changes(done: new_version.NewVersion) -> Iterable[str]:
    if done.rows_before is None:
        yield f"  {done.unit}: {done.rows}; data/raw has no copy of the last version to compare with"
    else:
        before = "" if done.rows_before == done.rows else f"{done.rows_before}, now "
        yield f"  {done.unit}: {before}{done.rows}"
        yield from (f"  {name}: {change}" for name, change in done.changes)
        if not done.changes:
            yield "  no column has another range, other categories or missing values"
    if done.expected_rows is not None:
        yield f"  expect.rows is {done.expected_rows} now"


def image_settings(file: Path, options: ShowOptions) -> dict[str, Any]:
    """Return the settings of a data set of images.

    Raises:
        ModelyardError: an option is for tables, or is not written as it must be.
    """
    if options.of_tables:
        raise ModelyardError(f"--{options.of_tables[0]} is for tables, and {file} holds images: leave it out")
    given: dict[str, Any] = dict(options.of_images)
    if options.size is not None:
        sides = re.fullmatch(r"(\d+)(?:x(\d+))?", options.size)
        if sides is None:
            raise ModelyardError(f"--size {options.size}: write HEIGHTxWIDTH, such as 64x64")
        given["size"] = [int(sides[1]), int(sides[2] or sides[1])]
    return given


def table_options(file: Path, options: ShowOptions) -> TableOptions:
    """Return what the user says of a table.

    Raises:
        ModelyardError: an option is for images, or is not written as it must be.
    """
    if options.of_images:
        raise ModelyardError(f"--{next(iter(options.of_images))} is for images, and {file} is a table: leave it out")
    columns: dict[str, Any] = dict(_pair(each, "--column") for each in options.column)
    for name, kind in columns.items():
        if kind.startswith("date:"):
            columns[name] = {"kind": "date", "format": kind.removeprefix("date:")}
    missing: dict[str, tuple[str, ...]] = {}
    for name, value in (_pair(each, "--missing") for each in options.missing):
        missing[name] = (*missing.get(name, ()), value)
    separator = options.separator and SEPARATORS.get(options.separator, options.separator)
    given = {"separator": separator, "decimal": options.decimal, "encoding": options.encoding}
    return TableOptions(
        options.target or "",
        options.task,
        columns | dict.fromkeys(options.drop, "drop"),
        missing,
        {key: value for key, value in given.items() if value is not None},
        (options.group or "").strip(),
        (options.time or "").strip(),
    )


def _plain(value: Any) -> Any:
    """An enumeration as its value, a list as a tuple."""
    if isinstance(value, Enum):
        return value.value
    return tuple(value) if isinstance(value, list) else value


def _pair(text: str, option: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals:
        raise ModelyardError(f"{option} {text}: write COLUMN=VALUE")
    return name.strip(), value.strip()


def _print(console: Console, proposal: TableProposal) -> None:
    examination = proposal.examination
    size = f"{proposal.rows} rows, {len(examination.columns)} columns"
    console.print(f"{proposal.file}: {size}", markup=False, highlight=False, soft_wrap=True)
    console.print(_columns_table(proposal))
    for text in proposal.remarks:
        console.print(f"Note: {text}.", markup=False, highlight=False)


def _print_entries(console: Console, proposal: Proposal) -> None:
    for line in proposal.guesses:
        console.print(f"Guessed: {line}", markup=False, highlight=False)
    if proposal.entries:
        console.print()
        console.print(proposal.text, markup=False, highlight=False, soft_wrap=True)
        console.print()
    if proposal.problem:
        console.print(f"[yellow]These entries cannot be built yet:[/] {escape(proposal.problem)}", highlight=False)


def _columns_table(proposal: TableProposal) -> Table:
    table = Table("column", "kind", "values", "missing", "remarks", box=box.SIMPLE_HEAD, pad_edge=False)
    for column in proposal.examination.columns:
        style = {"target": "bold", "dropped": "dim", "index": "dim"}.get(column.role)
        remarks = "; ".join(proposal.examination.remarks.get(column.name, []))
        gaps = str(column.gaps or "")
        table.add_row(*map(escape, (column.name, _kind(column), column.values, gaps, remarks)), style=style)
    return table


def _kind(column: "ColumnProfile") -> str:
    return column.kind if column.role == "feature" else column.role


def _as_json(proposal: TableProposal) -> dict[str, Any]:
    examination = proposal.examination
    return {
        "rows": proposal.rows,
        "columns": [
            {
                "name": column.name,
                "role": column.role,
                "kind": column.kind,
                "missing": column.gaps,
                "distinct": column.distinct,
                "values": column.values,
                "remarks": examination.remarks.get(column.name, []),
            }
            for column in examination.columns
        ],
        "remarks": proposal.remarks,
    }
