"""What a person gives a model to answer."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np

Content = TypeVar("Content")


@dataclass(frozen=True)
class PredictionBatch:
    """Samples that a model takes, and what a person should know of them.

    `names` are columns that say which row is which, such as its file; `changed` tells what was done to rows so that
    the model takes them, and `refused` what could not be read, so that no row stands for it. `sizes` (n, 2) are the
    heights and widths that images had; `truth` (n, ...) is there for test rows alone.
    """

    names: dict[str, list]
    rows: np.ndarray
    changed: tuple[str, ...] = ()
    refused: tuple[str, ...] = ()
    sizes: np.ndarray | None = None
    truth: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.rows)


class Unreadable(Exception):
    """Why one file or row was refused; the others are read nevertheless."""


def opened(
    files: Iterable[Path], open_one: Callable[[Path], Content], refused: list[str]
) -> Iterator[tuple[Path, Content]]:
    """Each file that can be read, with its content; of the others `refused` gets to know why."""
    for file in files:
        try:
            content = open_one(file)
        except Unreadable as error:
            refused.append(f"{file}: {error}")
        else:
            yield file, content


def stacked(rows: Sequence[np.ndarray], shape: Iterable[int], dtype: str) -> np.ndarray:
    """Samples as one array (n, ...), also if there are none."""
    return np.array(rows, dtype=dtype).reshape(len(rows), *shape)
