"""The user's own images: a folder, or a zip or tar archive, with a subfolder for each class."""

import os
import warnings
from collections import Counter, deque
from collections.abc import Callable, Collection, Container, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from io import BytesIO
from pathlib import Path
from typing import Literal, TypeVar

import numpy as np
from pydantic import Field

from modelyard.core.config import suggest
from modelyard.core.errors import ModelyardError
from modelyard.core.processes import core_count
from modelyard.data.readers.base import OneFileSettings, RawData
from modelyard.data.readers.class_names import find_similar
from modelyard.data.readers.image_file import DecodedImage, ImageFormat, ImageSizes, UnreadableImage, decode
from modelyard.data.samples import Samples, write_rows
from modelyard.data.trees import Tree, open_tree

Part = Literal["train", "test"]

PARTS: dict[str, Part | None] = {
    "train": "train", "training": "train", "test": "test", "testing": "test",
    "val": None, "valid": None, "validation": None, "dev": None,
}  # fmt: skip
"""Names of folders above the classes; None: not one of ours."""
LISTED = 20  # files named at most in an error
WAITING_BYTES = 64 * 2**20  # of files that are read and wait to be decoded

Result = TypeVar("Result")


class ImagesDataset(OneFileSettings, ImageFormat):
    """Image files in a folder for each class, or in `train` and `test` with a folder for each class."""

    reader: Literal["images"]
    task: Literal["classification"]
    broken: Literal["refuse", "leave_out"] = Field(
        default="refuse", description="what to do with files that are no readable images"
    )

    @property
    def image_format(self) -> ImageFormat:
        """How the files become samples."""
        return ImageFormat(size=self.size, colour=self.colour, fit=self.fit)


@dataclass(frozen=True)
class ImageFolders:
    """What the names of files say.

    Attributes:
        files: the part and the class of each file, in the order of the samples: sorted by the bytes of the names.
        classes: the names of the classes.
        misplaced: files that are in no folder of a class.
    """

    files: Mapping[str, tuple[Part, str]]
    classes: tuple[str, ...]
    misplaced: tuple[str, ...]

    def counts(self, left_out: Iterable[str] = ()) -> Counter[tuple[Part, str]]:
        """The number of files by part and class."""
        dropped = set(left_out)
        return Counter(place for name, place in self.files.items() if name not in dropped)


def read(folder: Path, settings: ImagesDataset) -> RawData:
    """Read images as uint8 (n, height, width, channels) and class numbers as int64 (n,), sorted by path.

    The classes are the names of the folders, sorted, unless `classes` has them. The pixels are in nameless files beside
    `folder`, so that no number of images needs more memory.

    Raises:
        ModelyardError: there are no folders of classes, two of them have nearly the same name, a class has one image
            only, or files are no images that can be read.
    """
    path = settings.file_in(folder)
    return read_tree(path, settings, settings.display_path(path), folder.parent)


def read_tree(path: Path, settings: ImagesDataset, shown: str, on_disk: Path) -> RawData:
    """Read a folder or archive as `read` does.

    Args:
        path: the folder or archive.
        settings: of the data set.
        shown: its name in errors.
        on_disk: a folder on the disk for the pixels; nothing is seen there.

    Raises:
        ModelyardError: see `read`.
    """
    with open_tree(path, shown) as tree:
        folders = find_folders(tree.names, settings.classes, shown)
        problems = dict.fromkeys(folders.misplaced, "not in the folder of a class")
        check_counts(folders.counts(), folders.classes, bool(settings.classes), shown)
        numbers = {name: number for number, name in enumerate(folders.files)}
        sizes: list[tuple[int, int]] = []

        def rows() -> Iterator[tuple[int, np.ndarray]]:
            for name, result in work_on(tree, folders.files, partial(_decode, image_format=settings.image_format)):
                if isinstance(result, DecodedImage):
                    if folders.files[name][0] == "train":
                        sizes.append(result.size)
                    yield numbers[name], result.pixels
                else:
                    problems[name] = str(result)

        shape = (len(folders.files), *settings.image_format.shape)
        x = write_rows(rows(), shape, np.uint8, on_disk)
    if problems and settings.broken == "refuse":
        raise ModelyardError(
            f"{shown}: {describe(problems)}\nWhat to do: repair or remove them, or write `broken: leave_out` in the "
            "data set."
        )
    check_counts(folders.counts(problems), folders.classes, bool(settings.classes), shown)
    places = list(folders.files.values())
    y = np.array([folders.classes.index(name) for _, name in places], np.int64)
    kept = np.array([name not in problems for name in folders.files])
    is_test = np.array([part == "test" for part, _ in places])
    if is_test.any() and not (kept & is_test).any():
        raise ModelyardError(
            f"{shown}: none of the {is_test.sum()} images in test can be read: repair them, or remove the folder test "
            "and give the input's `split.test` a fraction"
        )
    samples = Samples(x, y, on_disk)
    return RawData(
        samples if (kept & ~is_test).all() else samples.take(np.flatnonzero(kept & ~is_test)),
        samples.take(np.flatnonzero(kept & is_test)) if is_test.any() else None,
        classes=folders.classes,
        image_format=settings.image_format,
        image_sizes=ImageSizes.of(sizes),
        left_out=tuple(f"{_printable(name)}: {reason}" for name, reason in problems.items()),
    )


def find_folders(names: Iterable[str], classes: Sequence[str], shown: str) -> ImageFolders:
    """Find the parts and classes of files by their paths; folders around all of them do not matter.

    Args:
        names: the paths.
        classes: the expected classes, or none.
        shown: the name of the folder in errors.

    Raises:
        ModelyardError: there are fewer than two classes, unexpected or nearly equal ones, or other parts than both
            `train` and `test`.
    """
    inside = {name: tuple(name.split("/")) for name in sorted(names, key=os.fsencode)}
    tops = _top_folders(inside.values())
    while len(tops) == 1 and max(map(len, inside.values())) > 2:  # it is around all of them
        inside = {name: path[1:] for name, path in inside.items()}
        tops = _top_folders(inside.values())
    parts = _parts(tops, shown)
    files: dict[str, tuple[Part, str]] = {}
    for name, path in inside.items():
        if len(path) > (2 if parts else 1):
            files[name] = (parts[path[0]], path[1]) if parts else ("train", path[0])
    found = sorted({label for _, label in files.values()})
    if len(found) < 2:
        which = f"only one, {found[0]!r}" if found else "none"
        raise ModelyardError(
            f"{shown}: images are expected in a folder for each class, of which there is {which}: make folders such as "
            "cats/ and dogs/ with the images of each, or train/ and test/ with such folders in both"
        )
    inner = {name: path[1] for name, path in inside.items() if len(path) > 2 and path[1].casefold() in PARTS}
    if not parts and inner.keys() == files.keys():
        name, part = next(iter(inner.items()))
        raise ModelyardError(
            f"{shown}: {_printable(name)}: the folders {', '.join(sorted(set(inner.values())))} are inside those of "
            f"the classes: put the classes inside, as in {part}/{_printable(files[name][1])}"
        )
    if unnamed := [label for label in found if label != _printable(label)]:
        raise ModelyardError(f"{shown}: the name of the folder {_printable(unnamed[0])} is not UTF-8: rename it")
    if not classes and (similar := find_similar(found)):
        raise ModelyardError(
            f"{shown}: the folders {similar[0]!r} and {similar[1]!r} are probably one class: put their images into one "
            "folder, or list all classes under `classes` if they differ"
        )
    if classes and (unknown := sorted(set(found) - set(classes))):
        raise ModelyardError(f"{shown}: folder {unknown[0]!r} is not among `classes`; {suggest(unknown[0], classes)}")
    return ImageFolders(files, tuple(classes or found), tuple(name for name in inside if name not in files))


def check_counts(counts: Mapping[tuple[Part, str], int], classes: Sequence[str], are_listed: bool, shown: str) -> None:
    """Refuse a class with no image to train on, or with one only unless all classes are listed in the settings.

    Raises:
        ModelyardError: it names the class.
    """
    for name in classes:
        count = counts.get(("train", name), 0)
        if count == 0:
            raise ModelyardError(f"{shown}: class {name!r} has no image to train on: add some, or remove the class")
        if count == 1 and not are_listed:
            raise ModelyardError(
                f"{shown}: class {name!r} has one image only, which cannot be in the training and the validation or "
                "test samples: add images, remove or merge the class, or list all classes under `classes`"
            )


def work_on(tree: Tree, names: Container[str], work: Callable[[bytes], Result]) -> Iterator[tuple[str, Result]]:
    """Yield each of these files with the result of `work` on its content, which all cores do."""
    waiting: deque[tuple[str, int, Future[Result]]] = deque()
    workers = core_count()
    with warnings.catch_warnings(action="ignore"), ThreadPoolExecutor(workers) as pool:  # decoders warn of odd files
        for name, content in tree.contents("reading images"):
            if name in names:
                waiting.append((name, len(content), pool.submit(work, content)))
            while len(waiting) > 4 * workers or sum(size for _, size, _ in waiting) > WAITING_BYTES:
                first, _, result = waiting.popleft()
                yield first, result.result()
        for name, _, result in waiting:
            yield name, result.result()


def describe(problems: Mapping[str, str]) -> str:
    """Return the number of files that cannot be used, and the first of them with the reasons."""
    lines = [f"  {_printable(name)}: {reason}" for name, reason in list(problems.items())[:LISTED]]
    more = [f"  and {len(problems) - LISTED} more"] if len(problems) > LISTED else []
    return "\n".join((f"{len(problems)} file(s) cannot be used:", *lines, *more))


def _decode(content: bytes, image_format: ImageFormat) -> DecodedImage | UnreadableImage:
    try:
        return decode(BytesIO(content), image_format)
    except UnreadableImage as error:
        return error


def _printable(name: str) -> str:
    r"""A path as text: bytes that are not UTF-8 as `\xff`."""
    return os.fsencode(name).decode("utf-8", errors="backslashreplace")


def _top_folders(paths: Iterable[tuple[str, ...]]) -> set[str]:
    return {path[0] for path in paths if len(path) > 1}


def _parts(names: Collection[str], shown: str) -> dict[str, Part]:
    """The part of each top folder; none if these are classes.

    Raises:
        ModelyardError: they are parts, but not both train and test.
    """
    parts = {name: PARTS[name.casefold()] for name in names if name.casefold() in PARTS}
    if not parts or len(parts) < len(names):
        return {}
    if sorted(map(str, parts.values())) != ["test", "train"]:
        raise ModelyardError(
            f"{shown}: the folders are {', '.join(sorted(parts))}. Give train and test, with a folder for each class "
            "in both (the validation samples are taken from those in train), or only the folders of the classes"
        )
    return {name: part for name, part in parts.items() if part}
