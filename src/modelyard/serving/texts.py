"""Texts as rows of word numbers, as the Reuters newswires have them."""

import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from modelyard.data.inputs import InputDescription
from modelyard.data.readers.reuters import RARER, START
from modelyard.serving.batch import PredictionBatch, Unreadable, opened, stacked

WORD = re.compile(r"[^\W_]+(?:'[^\W_]+)*")


def read(files: Sequence[Path], description: InputDescription) -> PredictionBatch:
    """Samples (n, length) of text files in UTF-8, one text each; words that the model does not know count as unknown."""
    numbers = {word: number for number, word in enumerate(description.words) if word and number != RARER}
    (length,) = description.shape
    read, rows, changed, refused = [], [], [], []
    for file, words in opened(files, _words, refused):
        kept = [numbers.get(word, RARER) for word in words[: length - 1]]
        read.append(str(file))
        rows.append(np.pad([START, *kept], (0, length - 1 - len(kept))))
        unknown = kept.count(RARER)
        changed.append(f"{file}: {len(kept)} of {len(words)} words were read, {unknown} of them unknown to the model")
    return PredictionBatch(
        {"file": read}, stacked(rows, description.shape, description.dtype), tuple(changed), tuple(refused)
    )


def _words(file: Path) -> list[str]:
    try:
        words = WORD.findall(file.read_text(encoding="utf-8-sig").lower())
    except FileNotFoundError:
        raise Unreadable("no such file") from None
    except (UnicodeDecodeError, OSError) as error:
        raise Unreadable(f"not a text in UTF-8 ({error})") from None
    if not words:
        raise Unreadable("there is no word in it")
    return words
