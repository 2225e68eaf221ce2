"""Images in the IDX format of MNIST and its successors: four files, gzipped or not."""

from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np
import numpy.typing as npt

from modelyard.core.errors import ModelyardError
from modelyard.data.archives import open_content
from modelyard.data.readers.base import DatasetSettings, RawData
from modelyard.data.samples import Samples

Part = Literal["train", "t10k"]

WORDS: dict[Part, tuple[str, ...]] = {"train": ("train",), "t10k": ("t10k", "test")}  # in names of the files of a part
DIMENSIONS = {"images": 3, "labels": 1}
UNSIGNED_BYTE = 8  # the type of the values


class IdxDataset(DatasetSettings):
    """A data set of IDX files: images and labels, each for training (`train` in the name) and test (`t10k`, `test`)."""

    reader: Literal["idx"]


def read(folder: Path, settings: IdxDataset) -> RawData:
    """Read images as uint8 (n, height, width, 1), labels as uint8 (n,).

    Source: http://yann.lecun.com/exdb/mnist/, "FILE FORMATS FOR THE MNIST DATABASE".

    Raises:
        ModelyardError: a file is missing, named otherwise, damaged, or not what its header declares.
    """
    return RawData(read_part(folder, "train"), read_part(folder, "t10k"), classes=settings.classes)


def read_part(folder: Path, part: Part) -> Samples:
    """Read the images and labels of the training files or of the test files.

    Raises:
        ModelyardError: see `read`.
    """
    files = [_inspect(path) for path in sorted(folder.iterdir())]
    images, labels = (_values(_find(folder, files, part, kind)) for kind in DIMENSIONS)
    if len(images) != len(labels):
        raise ModelyardError(f"{folder}: {len(images)} {part} images, but {len(labels)} labels")
    return Samples(images[..., np.newaxis], labels)


class _File(NamedTuple):
    """A file, and what its first bytes say: the shape of an IDX file of unsigned bytes, or what it is instead."""

    path: Path
    shape: tuple[int, ...] = ()
    problem: str = ""

    def __str__(self) -> str:
        return f"{self.path.name}: {self.problem or f'IDX, {_product(self.shape)} unsigned bytes'}"


def _inspect(path: Path) -> _File:
    start = _content(path, 4 + 4 * 255)
    zeros, kind, dimensions = start[:2], *start[2:4].ljust(2, b"\0")
    if len(start) < 4 or zeros != b"\0\0" or not dimensions:
        return _File(path, problem=f"not an IDX file, it starts with {start[:8]!r}" if start else "empty")
    if kind != UNSIGNED_BYTE:
        return _File(path, problem=f"IDX, but with values of type 0x{kind:02x} instead of unsigned bytes (0x08)")
    if len(start) < 4 + 4 * dimensions:
        return _File(path, problem="IDX, but it ends within its header")
    return _File(path, tuple(np.frombuffer(start, ">u4", count=dimensions, offset=4).tolist()))


def _find(folder: Path, files: list[_File], part: Part, kind: str) -> _File:
    """Return the only file with the dimensions of images or labels and with the part in its name."""
    found = [file for file in files if len(file.shape) == DIMENSIONS[kind] and _part(file.path.name) == part]
    if len(found) == 1:
        return found[0]
    words = " or ".join(WORDS[part])
    listed = "".join(f"\n  {file}" for file in files) or " nothing"
    raise ModelyardError(
        f"{folder} holds {len(found) or 'no'} files with {kind} of the {part} part, and needs one: an IDX file of "
        f"unsigned bytes in {DIMENSIONS[kind]} dimension(s), gzipped or not, with {words} in its name, for example "
        f"{part}-{kind}-idx{DIMENSIONS[kind]}-ubyte.gz.\nFound:{listed}\n"
        "What to do: correct `files` of this data set in params.yaml: each key is the name under which a file is "
        "stored, whatever the file is called where it comes from."
    )


def _part(name: str) -> Part | None:
    parts = [part for part, words in WORDS.items() if any(word in name.lower() for word in words)]
    return parts[0] if len(parts) == 1 else None


def _values(file: _File) -> npt.NDArray[np.uint8]:
    header = 4 + 4 * len(file.shape)  # two zeros, type, number of dimensions; then each dimension
    content = _content(file.path)
    if len(content) - header != np.prod(file.shape):
        raise ModelyardError(
            f"{file.path}: the header declares {file.shape}, the file holds {len(content) - header} bytes. {_ADVICE}"
        )
    return np.frombuffer(content, np.uint8, offset=header).reshape(file.shape)


_ADVICE = (
    "Delete it and run again; if that gives the same file, the one that params.yaml names is itself damaged: "
    "get it again, and write its checksum there."
)


def _content(path: Path, size: int = -1) -> bytes:
    """Return the first bytes of a file, decompressed, or all of them."""
    try:
        with open_content(path) as content:
            return content.read(size)
    except ModelyardError as error:
        raise ModelyardError(f"{path}: {error}. {_ADVICE}") from None


def _product(shape: tuple[int, ...]) -> str:
    return " x ".join(map(str, shape))
