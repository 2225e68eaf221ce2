"""What every data set entry says, and the arrays that every reader returns."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from pydantic import Field, model_validator

from modelyard.core.config import Settings
from modelyard.core.errors import ModelyardError
from modelyard.data.samples import Samples, Task
from modelyard.data.sources import FileName, Source


@dataclass(frozen=True)
class RawData:
    """A data set as its files have it; `given_test` holds the test rows where the data set brings its own."""

    rows: Samples
    given_test: Samples | None = None
    features: tuple[str, ...] = ()
    classes: tuple[str, ...] = ()
    words: tuple[str, ...] = ()  # for rows of word numbers: the word of each


class Expectations(Settings):
    """What the raw data must hold; anything else stops the pipeline before a model sees it."""

    rows: int | None = Field(default=None, ge=1, description="all rows, given test rows included")
    shape: tuple[int, ...] | None = Field(default=None, description="shape of one row")
    range: tuple[float, float] | None = Field(default=None, description="smallest and largest input allowed")
    target_range: tuple[float, float] | None = Field(default=None, description="smallest and largest target allowed")


class DatasetEntry(Settings):
    """One entry of `datasets`."""

    reader: str
    task: Task
    description: str = Field(description="one sentence for people: what the rows are and what is predicted")
    folder: str = Field(default="", description="the data set's folder inside a mirror")
    files: dict[FileName, Source]
    classes: tuple[str, ...] = Field(default=(), description="names of the classes 0, 1, ...")
    expect: Expectations = Expectations()

    @model_validator(mode="after")
    def _has_a_mirror_folder(self) -> "DatasetEntry":
        if not self.folder and any(source.url for source in self.files.values()):
            raise ValueError("files with a url need `folder`, where a mirror keeps them")
        return self

    def told(self, place: Path) -> str:
        """A raw file or folder as a person knows it: where it is a copy of files of their own, these come first."""
        own = [source.path for source in self.files.values() if source.path is not None]
        return f"{', '.join(own)} (copied to {place})" if own else str(place)

    def check(self, raw: RawData, folder: Path) -> None:
        """Refuse raw data that breaks the entry's expectations.

        Raises:
            ModelyardError: it lists each broken expectation with what was found.
        """
        parts = [raw.rows] if raw.given_test is None else [raw.rows, raw.given_test]
        broken = list(self._broken(raw, parts))
        if broken:
            raise ModelyardError(f"{self.told(folder)} does not hold what params.yaml expects:\n" + "\n".join(broken))

    def _broken(self, raw: RawData, parts: list[Samples]) -> Iterator[str]:
        count = sum(map(len, parts))
        if self.expect.rows not in (None, count):
            yield f"  expect.rows: {self.expect.rows} expected, {count} found"
        if self.expect.shape not in (None, raw.rows.x.shape[1:]):
            yield f"  expect.shape: {self.expect.shape} expected, {raw.rows.x.shape[1:]} found"
        missing = sum(int(np.sum(~np.isfinite(array))) for part in parts for array in (part.x, part.y))
        if missing:
            yield f"  {missing} value(s) are missing or infinite"
            return
        for name, allowed, arrays in (
            ("range", self.expect.range, [part.x for part in parts]),
            ("target_range", self.expect.target_range, [part.y for part in parts]),
        ):
            found = min(array.min() for array in arrays), max(array.max() for array in arrays)
            if allowed and not allowed[0] <= found[0] <= found[1] <= allowed[1]:
                yield f"  expect.{name}: {allowed} expected, {found[0]:g} to {found[1]:g} found"
        if self.task == "classification":
            highest = max(int(part.y.max()) for part in parts)
            if highest >= len(raw.classes):
                yield f"  classes: {len(raw.classes)} are named, class {highest} found"
