"""A new version of a data set's own file or folder: what has changed, and its checksum in params.yaml."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory

from modelyard.core.config import read_yaml, suggest, with_value
from modelyard.core.errors import ModelyardError
from modelyard.data.image_profile import compare as compare_images
from modelyard.data.inputs import InputSettings
from modelyard.data.readers import RawData
from modelyard.data.readers.csv_table import RawTable, TableError
from modelyard.data.readers.images import ImagesDataset, read_tree
from modelyard.data.readers.table import TableDataset, parse
from modelyard.data.sources import Source, dvc_remedy
from modelyard.data.table_profile import compare, profile
from modelyard.data.trees import hash_files
from modelyard.params.checks import load
from modelyard.params.new_entry import find_problem, read_table
from modelyard.params.new_image_entry import find_split_problem
from modelyard.params.yaml_text import replace_value, write_checked


@dataclass(frozen=True)
class NewVersion:
    """What a new version has changed.

    Attributes:
        path: the file or folder.
        checksum: its new checksum; "" if it is unchanged, and all else is empty too.
        rows: the number of rows, or of images.
        rows_before: that of the last version, None if there is no copy of it.
        changes: what has changed, by column; of images by class, then the numbers of files.
        expected_rows: the new `expect.rows`, None if there is none or it is kept.
        problems: why an input can no longer be built, by input.
        unit: what `rows` counts.
    """

    path: Path
    checksum: str = ""
    rows: int = 0
    rows_before: int | None = None
    changes: tuple[tuple[str, str], ...] = ()
    expected_rows: int | None = None
    problems: tuple[tuple[str, str], ...] = ()
    unit: str = "rows"


@dataclass(frozen=True)
class _OwnData:
    """Where a data set's own file or folder is, its verified copy, its entry, and the inputs that use it."""

    path: Path
    copy: Path
    source: Source
    params: Path
    keys: tuple[str, ...]
    uses: Mapping[str, InputSettings]

    def has_copy(self) -> bool:
        """Whether the copy is what params.yaml means."""
        return self.copy.is_file() and self.source.checksum.actual(self.copy) == self.source.checksum.value


def take_over(name: str, root: Path, file: Path = Path("params.yaml")) -> NewVersion:
    """Write the checksum of a person's own table or images into params.yaml, and `expect.rows` if it is there.

    Raises:
        ModelyardError: the data set is neither, or the file or folder is missing, can no longer be read, lacks the
            target or a class, or does not hold what is expected; nothing was written.
    """
    project = load(file)
    if name not in project.datasets:
        raise ModelyardError(f"no such data set: {name}; {suggest(name, project.datasets)}")
    settings = project.datasets[name]
    ((key, source), *_) = settings.files.items()
    if not isinstance(settings, TableDataset | ImagesDataset) or source.path is None:
        raise ModelyardError(
            f"data set {name} is neither a table nor images with a `path` of yours: edit its entry in {file.name}."
        )
    uses = {each: entry for each, entry in project.inputs.items() if entry.dataset == name}
    own = _OwnData(
        root / source.path, root / "data" / "raw" / name / key, source, file, ("datasets", name, "files", key), uses
    )
    if isinstance(settings, ImagesDataset):
        return _take_over_images(own, settings, root)
    return _take_over_table(own, settings)


def _take_over_table(own: _OwnData, settings: TableDataset) -> NewVersion:
    table = _read(own.path, own.keys[-1], settings)  # first: it says what to do where the file is missing
    checksum = own.source.checksum.actual(own.path)
    if checksum == own.source.checksum.value:
        return NewVersion(own.path)
    _, expected_rows = _check(own, settings, lambda: parse(table, settings))
    before = _read(own.copy, own.keys[-1], settings) if own.has_copy() else None
    changes = () if before is None else tuple(compare(profile(before, settings), profile(table, settings)))
    problems = {each: find_problem(table, settings, entry) for each, entry in own.uses.items()}
    rows_before = None if before is None else len(before.rows)
    return _written(own, NewVersion(own.path, checksum, len(table.rows), rows_before, changes, expected_rows), problems)


def _take_over_images(own: _OwnData, settings: ImagesDataset, root: Path) -> NewVersion:
    if not own.source.is_at(own.path):
        kind = "folder" if own.source.tree else "file"
        raise ModelyardError(f"{own.path}: no such {kind}; {dvc_remedy(own.path, root) or 'check the path'}.")
    checksum = own.source.own_checksum(root)
    if checksum == own.source.checksum.value:
        return NewVersion(own.path)
    raw, expected_rows = _check(own, settings, lambda: read_tree(own.path, settings, str(own.path), root))
    problems = {each: find_split_problem(raw, entry) for each, entry in own.uses.items()}
    before = hash_files(own.copy) if own.has_copy() else None
    changes = () if before is None else tuple(compare_images(before, hash_files(own.path), settings.classes))
    rows_before = None if before is None else len(before)
    if before is not None and settings.broken == "leave_out":  # as the new version is counted: those that can be read
        rows_before = _count(read_tree(own.copy, settings, str(own.copy), root))
    rows = _count(raw)
    new = NewVersion(own.path, checksum, rows, rows_before, changes, expected_rows, unit="images")
    return _written(own, new, problems)


def _check(
    own: _OwnData, settings: TableDataset | ImagesDataset, read: Callable[[], RawData]
) -> tuple[RawData, int | None]:
    """Return the data, if they are what is expected but for their number, and the new `expect.rows` if it changes."""
    try:
        raw = read()
        rows = _count(raw)
        expected_rows = rows if settings.expect.rows not in (None, rows) else None
        if expected_rows:
            settings = settings.model_copy(update={"expect": settings.expect.model_copy(update={"rows": rows})})
        settings.check(raw, own.path)
    except (TableError, ModelyardError) as error:
        raise ModelyardError(f"{own.params.name} is unchanged, because {own.path} cannot be used: {error}") from None
    return raw, expected_rows


def _count(raw: RawData) -> int:
    return len(raw.samples) + len(raw.test or ())


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


def _written(own: _OwnData, new: NewVersion, problems: Mapping[str, str]) -> NewVersion:
    """Write the checksum and the expected rows of a new version; returns it with the problems of inputs."""
    values: dict[tuple[str, ...], str | int] = {(*own.keys, own.source.checksum.key): new.checksum}
    if new.expected_rows is not None:
        values[(*own.keys[:2], "expect", "rows")] = new.expected_rows
    text, content = own.params.read_text(encoding="utf-8"), read_yaml(own.params)
    for keys, value in values.items():
        text, content = replace_value(text, keys, str(value)), with_value(content, keys, value)
    write_checked({own.params: text}, {own.params: content}, "the checksum", "")
    return replace(new, problems=tuple((each, problem) for each, problem in problems.items() if problem))
