"""A new version of a data set's own file: what has changed, and its checksum in params.yaml."""

from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from modelyard.core.config import read_yaml, suggest
from modelyard.core.errors import ModelyardError
from modelyard.data.readers.csv_table import RawTable, TableError
from modelyard.data.readers.table import TableDataset, parse
from modelyard.data.sources import Source
from modelyard.data.table_profile import compare, profile
from modelyard.params.checks import load
from modelyard.params.new_entry import find_problem, read_table
from modelyard.params.yaml_text import replace_value, with_value, write_checked


@dataclass(frozen=True)
class NewVersion:
    """What a new version has changed.

    Attributes:
        path: the file.
        checksum: its new checksum; "" if it is unchanged, and all else is empty too.
        rows: the number of rows.
        rows_before: that of the last version, None if there is no copy of it.
        changes: what has changed, by column.
        expected_rows: the new `expect.rows`, None if there is none or it is kept.
        problems: why an input can no longer be built, by input.
    """

    path: Path
    checksum: str = ""
    rows: int = 0
    rows_before: int | None = None
    changes: tuple[tuple[str, str], ...] = ()
    expected_rows: int | None = None
    problems: tuple[tuple[str, str], ...] = ()


def take_over(name: str, root: Path, file: Path = Path("params.yaml")) -> NewVersion:
    """Write the checksum of a table's own file into params.yaml, and `expect.rows` if it is there.

    Raises:
        ModelyardError: the data set is no table of one's own, or the file is missing, can no longer be read, lacks the
            target, or does not hold what is expected; nothing was written.
    """
    project = load(file)
    if name not in project.datasets:
        raise ModelyardError(f"no such data set: {name}; {suggest(name, project.datasets)}")
    settings = project.datasets[name]
    ((key, source), *_) = settings.files.items()
    if not isinstance(settings, TableDataset) or source.path is None:
        raise ModelyardError(f"data set {name} is no table with a `path` of yours: edit its entry in {file.name}.")
    path = root / source.path
    table = _read(path, key, settings)  # first: it says what to do where the file is missing
    checksum = source.checksum.actual(path)
    if checksum == source.checksum.value:
        return NewVersion(path)
    rows = len(table.rows)
    expected_rows = rows if settings.expect.rows not in (None, rows) else None
    if expected_rows:
        settings = settings.model_copy(update={"expect": settings.expect.model_copy(update={"rows": rows})})
    try:
        settings.check(parse(table, settings), path)
    except (TableError, ModelyardError) as error:
        raise ModelyardError(f"{file.name} is unchanged, because {path} cannot be used: {error}") from None
    before = _last_version(root / "data" / "raw" / name / key, source, key, settings)
    changes = () if before is None else tuple(compare(profile(before, settings), profile(table, settings)))
    uses = {each: entry for each, entry in project.inputs.items() if entry.dataset == name}
    problems = {each: find_problem(table, settings, entry) for each, entry in uses.items()}
    _write(file, ("datasets", name), key, source, checksum, expected_rows)
    return NewVersion(
        path,
        checksum,
        rows,
        None if before is None else len(before.rows),
        changes,
        expected_rows,
        tuple((each, problem) for each, problem in problems.items() if problem),
    )


def _read(path: Path, name: str, settings: TableDataset) -> RawTable:
    """Read a file as one of the name that its copy has in the data set."""
    if not path.is_file():
        return read_table(path, settings.csv_format)
    with TemporaryDirectory() as folder:
        link = Path(folder, name)
        link.symlink_to(path.resolve())
        try:
            return read_table(link, settings.csv_format)
        except ModelyardError as error:
            raise ModelyardError(str(error).replace(str(link), str(path))) from None


def _last_version(copy: Path, source: Source, name: str, settings: TableDataset) -> RawTable | None:
    """The table that params.yaml has meant, if its copy is there."""
    if not copy.is_file() or source.checksum.actual(copy) != source.checksum.value:
        return None
    return _read(copy, name, settings)


def _write(
    file: Path, dataset: tuple[str, ...], key: str, source: Source, checksum: str, expected_rows: int | None
) -> None:
    values: dict[tuple[str, ...], str | int] = {(*dataset, "files", key, source.checksum.key): checksum}
    if expected_rows is not None:
        values[(*dataset, "expect", "rows")] = expected_rows
    text, content = file.read_text(encoding="utf-8"), read_yaml(file)
    for keys, value in values.items():
        text, content = replace_value(text, keys, str(value)), with_value(content, keys, value)
    write_checked({file: text}, {file: content}, "the checksum", "")
