"""Settings that all data sets have, and the arrays that every reader returns."""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from operator import not_
from pathlib import Path

import numpy as np
from pydantic import Field, model_validator

from modelyard.core.config import Settings
from modelyard.core.errors import ModelyardError
from modelyard.data.columns import Column
from modelyard.data.readers.csv_table import CsvFormat
from modelyard.data.readers.image_file import ImageFormat, ImageSizes
from modelyard.data.samples import TARGET_KINDS, Samples, Task
from modelyard.data.sources import FileName, FolderName, Source


@dataclass(frozen=True)
class RawData:
    """A data set as its files have it; `test` holds the test samples where the data set has its own.

    `keys` has each column of a table, features or not, by its name: for each sample a number that identifies the
    column's value. Numbers are float64, dates float64 in days since 1970, both with NaN where there is none; texts, and
    columns where only some values are numbers or dates, are integers from 0 that count the different texts, with -1
    where there is none. `test_keys` has the same of the test samples, with the same integers for the same texts.
    `texts` has each column as text, with "" where there is none.
    """

    samples: Samples
    test: Samples | None = None
    features: tuple[str, ...] = ()
    classes: tuple[str, ...] = ()
    words: tuple[str, ...] = ()  # for samples of word numbers: the word of each number
    keys: Mapping[str, np.ndarray] = field(default_factory=dict)
    test_keys: Mapping[str, np.ndarray] = field(default_factory=dict)
    texts: Mapping[str, np.ndarray] = field(default_factory=dict)
    columns: tuple[Column, ...] = ()  # for a table that has more than numbers: what each column holds
    csv_format: CsvFormat | None = None  # of such a table
    image_format: ImageFormat | None = None  # for image files: how they were decoded
    image_sizes: ImageSizes | None = None  # and how large they were
    left_out: tuple[str, ...] = ()  # files that cannot be read, each with the reason


class Expectations(Settings):
    """What the raw data must hold; anything else stops the pipeline before a model sees it."""

    rows: int | None = Field(default=None, ge=1, description="number of samples, the data set's own test samples too")
    shape: tuple[int, ...] | None = Field(default=None, description="shape of one sample")
    range: tuple[float, float] | None = Field(default=None, description="smallest and largest feature allowed")
    target_range: tuple[float, float] | None = Field(default=None, description="smallest and largest target allowed")


class DatasetSettings(Settings):
    """One entry of `datasets`."""

    reader: str
    task: Task
    description: str = Field(description="one sentence: what the samples are and what is predicted")
    license: str = Field(default="", exclude_if=not_, description="under what terms the data may be used; for display")
    folder: FolderName = Field(default="", description="the data set's folder inside a mirror")
    debian: str = Field(default="", description="a Debian package that installs the files for all users")
    files: dict[FileName, Source]
    classes: tuple[str, ...] = Field(default=(), description="names of the classes 0, 1, ...")
    expect: Expectations = Expectations()

    @model_validator(mode="after")
    def _has_a_mirror_folder(self) -> "DatasetSettings":
        if not self.folder and any(source.url for source in self.files.values()):
            raise ValueError("files with a url need `folder`, the data set's folder inside a mirror")
        return self

    @model_validator(mode="after")
    def _has_distinct_classes(self) -> "DatasetSettings":
        if twice := [name for name, count in Counter(map(str.strip, self.classes)).items() if count > 1]:
            raise ValueError(f"classes: {twice[0]!r} is listed twice; name each class once")
        return self

    @model_validator(mode="after")
    def _writes_each_file_once(self) -> "DatasetSettings":
        written: dict[str, str] = {}
        for name, source in self.files.items():
            for file in source.file_names(name):
                if file in written:
                    raise ValueError(f"files {written[file]} and {name} would both be written as {file}: rename one")
                written[file] = name
        return self

    def display_path(self, path: Path) -> str:
        """Return a raw file or folder for a message; if it is a copy of the user's own files, these come first."""
        own = [source.path for source in self.files.values() if source.path is not None]
        return f"{', '.join(own)} (copied to {path})" if own else str(path)

    def check(self, raw: RawData, folder: Path) -> None:
        """Refuse raw data that does not meet the expectations.

        Raises:
            ModelyardError: it lists each expectation that is not met, with the actual value.
        """
        problems = list(self._problems(raw))
        if problems:
            raise ModelyardError(
                f"{self.display_path(folder)} does not hold what params.yaml expects:\n" + "\n".join(problems)
            )

    def _problems(self, raw: RawData) -> Iterator[str]:
        parts = [raw.samples] if raw.test is None else [raw.samples, raw.test]
        count = sum(map(len, parts))
        if self.expect.rows not in (None, count):
            yield f"  expect.rows: {self.expect.rows} expected, {count} found"
        if self.expect.shape not in (None, raw.samples.x.shape[1:]):
            yield f"  expect.shape: {self.expect.shape} expected, {raw.samples.x.shape[1:]} found"
        floats = [array for part in parts for array in (part.x, part.y) if array.dtype.kind == "f"]
        missing = sum(int(np.sum(~np.isfinite(array))) for array in floats)
        if missing and not raw.columns:  # gaps of a table's columns are what an input imputes
            yield f"  {missing} value(s) are missing or infinite"
            return
        for name, allowed, arrays in (
            ("range", self.expect.range, [part.x for part in parts]),
            ("target_range", self.expect.target_range, [part.y for part in parts]),
        ):
            low, high = min(np.nanmin(array) for array in arrays), max(np.nanmax(array) for array in arrays)
            if allowed and not allowed[0] <= low <= high <= allowed[1]:
                yield f"  expect.{name}: {allowed} expected, {low:g} to {high:g} found"
        # By the task, not by the type of the targets: integer targets of a regression need no names.
        if TARGET_KINDS[self.task] == "class":
            highest = max(int(part.y.max()) for part in parts)
            if highest >= len(raw.classes):
                yield f"  classes: {len(raw.classes)} are named, class {highest} found"


class OneFileSettings(DatasetSettings):
    """A data set that is one file: a table, or all pictures."""

    @model_validator(mode="after")
    def _is_one_file(self) -> "OneFileSettings":
        if len(self.files) != 1:
            raise ValueError(f"reader {self.reader} reads one file; {len(self.files)} files are given")
        return self

    def file_in(self, folder: Path) -> Path:
        """Return the path of the file in the folder of the raw files."""
        ((name, source),) = self.files.items()
        return folder / source.file_names(name)[0]
