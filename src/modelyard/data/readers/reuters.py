"""Reuters newswires of 1987 as Keras distributes them: an article is a sample of word numbers, its topic the class."""

import hashlib
import io
import json
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt
from pydantic import Field, model_validator

from modelyard.core.errors import ModelyardError
from modelyard.data.readers.base import DatasetSettings, RawData
from modelyard.data.samples import Samples

ARTICLES = "reuters.npz"
WORDS = "reuters_word_index.json"

START, RARER = 1, 2
OFFSET = 3  # the most frequent word, number 1 in the files, is number 4 in a sample; 0 is padding, and 3 is never used


class ReutersDataset(DatasetSettings):
    """The Reuters newswires, cut to their first words and to the most frequent ones."""

    reader: Literal["reuters"]
    num_words: int = Field(
        ge=10, le=10_000, description="word numbers kept, the frequent first; a rarer word becomes 2"
    )
    maxlen: int = Field(ge=2, description="numbers of a sample: an article is cut, or padded at its end with 0")
    truncating: Literal["post", "pre"] = Field(
        default="post", exclude_if="post".__eq__, description="cut a long article at its end (post) or beginning (pre)"
    )

    @model_validator(mode="after")
    def _has_both_files(self) -> "ReutersDataset":
        if self.files.keys() != {ARTICLES, WORDS}:
            raise ValueError(f"the files are {ARTICLES} and {WORDS}; given: {', '.join(self.files) or 'none'}")
        if self.files[ARTICLES].sha256 is None:
            raise ValueError(f"{ARTICLES} needs a sha256: it holds pickled objects, and is not opened without")
        return self


def read(folder: Path, settings: ReutersDataset) -> RawData:
    """Read word numbers as uint16 (n, maxlen), topics as uint8 (n,), in the order of the file.

    Raises:
        ModelyardError: the articles are not those of the SHA-256 in the settings.

    Source: keras.datasets.reuters.load_data, which then shuffles as `split: {test: 0.2, test_seed: 113}` does.
    """
    content = _verified(folder / ARTICLES, settings.files[ARTICLES].sha256)
    with np.load(io.BytesIO(content), allow_pickle=True) as archive:
        samples = Samples(_numbers(archive["x"], settings), archive["y"].astype(np.uint8))
    ranks = json.loads((folder / WORDS).read_text(encoding="utf-8"))
    return RawData(samples, classes=settings.classes, words=_words(ranks, settings.num_words))


def _verified(path: Path, expected: str | None) -> bytes:
    """Return the bytes of a file, so that those that were verified are those that are unpickled."""
    content = path.read_bytes()
    actual = hashlib.sha256(content).hexdigest()
    if actual != expected:
        raise ModelyardError(
            f"{path}: its SHA-256 is {actual}, params.yaml has {expected}. It holds pickled objects, which can run "
            "code, so it was not opened. Delete it and run again."
        )
    return content


def _numbers(articles: npt.NDArray[np.object_], settings: ReutersDataset) -> npt.NDArray[np.uint16]:
    ranks = np.zeros((len(articles), settings.maxlen), np.int64)
    kept = slice(settings.maxlen - 1) if settings.truncating == "post" else slice(1 - settings.maxlen, None)
    for row, article in zip(ranks, articles, strict=True):
        row[1 : len(article) + 1] = article[kept]
    numbers = np.where(ranks + OFFSET < settings.num_words, ranks + OFFSET, RARER)
    numbers[ranks == 0] = 0
    numbers[:, 0] = START
    return numbers.astype(np.uint16)


def _words(ranks: dict[str, int], count: int) -> tuple[str, ...]:
    """Return the word of each number for display: nothing for padding and start, dots for a rarer word."""
    words = {rank + OFFSET: word for word, rank in ranks.items()} | {RARER: "…"}
    return tuple(words.get(number, "") for number in range(count))
