"""The samples to predict, read from files or taken from the test samples."""

import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, TypeVar

import numpy as np
import numpy.typing as npt

from modelyard.core.errors import ModelyardError
from modelyard.core.files import TABLE_ENDINGS
from modelyard.data.inputs import InputDescription
from modelyard.data.readers.image_file import KINDS
from modelyard.data.trees import LITTER

Content = TypeVar("Content")
SampleKind = Literal["text", "image", "table"]

FILES: dict[SampleKind, str] = {
    "text": "texts in UTF-8",
    "image": f"images ({', '.join(KINDS)})",
    "table": "tables (CSV, Parquet or Feather)",
}
"""What is read of each kind, in words."""


@dataclass(frozen=True)
class PredictionBatch:
    """Samples in the form that a model takes, and what was noticed while reading them.

    Attributes:
        names: columns that identify the samples, such as the file and the row of each.
        x: the samples (n, ...).
        warnings: what was changed or ignored so that the model can take the samples.
        errors: what could not be read; there is no sample for it.
        image_sizes: heights and widths (n, 2) of the images before they were resized.
        truth: the targets (n, ...), known for test samples, and where they were asked for; NaN where there is none.
        answer_errors: what is wrong with targets that were asked for; their samples are there.
        unknown: by column, the category that training did not see, of each sample that has one.
    """

    names: dict[str, list[Any]]
    x: np.ndarray
    warnings: tuple[str, ...] = ()
    errors: tuple[str, ...] = ()
    image_sizes: np.ndarray | None = None
    truth: np.ndarray | None = None
    answer_errors: tuple[str, ...] = ()
    unknown: Mapping[str, Mapping[int, str]] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.x)


class Unreadable(Exception):
    """Why one file or row cannot be read; the others are read nevertheless."""


def open_all(
    files: Iterable[Path], open_one: Callable[[Path], Content], errors: list[str]
) -> Iterator[tuple[Path, Content]]:
    """Each readable file with its content; for any other file a line is added to `errors`."""
    for file in files:
        try:
            if file.is_dir():
                raise Unreadable(f"a folder; name the files in it, such as {shown_name(file)}/*")
            content = open_one(file)
        except Unreadable as error:
            errors.append(f"{shown_name(file)}: {error}")
        except OSError as error:
            errors.append(f"{shown_name(file)}: {error.strerror or error}")
        else:
            yield file, content


def kind_of(description: InputDescription) -> SampleKind:
    """What files of samples are for a model; samples that are no text and no image are rows of a table."""
    if description.words:
        return "text"
    return "image" if len(description.shape) == 3 else "table"


def files_in(path: Path) -> list[Path]:
    """A file itself, or the files in a folder and in those within it, sorted, without hidden ones and litter."""
    if not path.is_dir():
        return [path]
    files = (file for file in sorted(path.rglob("*")) if file.is_file())
    return [file for file in files if not any(map(LITTER.fullmatch, file.relative_to(path).parts))]


def shown_name(file: Path) -> str:
    r"""The path as one line of text: bytes that are not UTF-8 as `\xff`, control characters as `\n`."""
    text = os.fsencode(file).decode("utf-8", errors="backslashreplace")
    return "".join(letter if letter.isprintable() else repr(letter)[1:-1] for letter in text)


def stack(samples: Sequence[npt.ArrayLike], shape: Iterable[int], dtype: str) -> np.ndarray:
    """Samples as one array (n, ...), even if there are none."""
    return np.array(samples, dtype=dtype).reshape(len(samples), *shape)


def check_outputs(inputs: Iterable[Path], output: Path | None, show: Path | None) -> None:
    """Refuse files to be written that are among the inputs or in a folder of them, and those of a kind not written.

    Raises:
        ModelyardError: it says which.
    """
    if show and show.suffix.lower() != ".png":
        raise ModelyardError(f"--show {show}: the plot is written as PNG; give a name such as {show.stem}.png")
    if output and output.suffix not in ("", *TABLE_ENDINGS):  # without one: a pipe, /dev/stdout
        endings = " or ".join(TABLE_ENDINGS)
        raise ModelyardError(f"-o {output}: tables are written as {endings}; give a name such as {output.stem}.csv")
    given = list(map(os.path.realpath, inputs))  # unlike Path.resolve, no error for a link to itself
    for target in filter(None, (output, show)):
        real = os.path.realpath(target)
        if target.is_dir():
            raise ModelyardError(f"{target}: Is a directory. Give another name")
        if not any(Path(real).is_relative_to(each) for each in given):
            continue
        if real in given or target.exists():
            raise ModelyardError(f"{target} is an input file and would be overwritten: give the output another name")
        raise ModelyardError(
            f"{target} would be read as a sample the next time, because it is in a folder of samples: give the output "
            "another place"
        )
