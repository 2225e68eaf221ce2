"""Text files as sequences of word numbers, encoded like the Reuters newswires."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from modelyard.data.inputs import InputDescription
from modelyard.data.readers.reuters import RARER, START
from modelyard.serving.batch import PredictionBatch, Unreadable, open_all, shown_name, stack

WORD = re.compile(r"[^\W_]+(?:'[^\W_]+)*")


def read(files: Sequence[Path], description: InputDescription) -> PredictionBatch:
    """Read text files in UTF-8, one text each, as samples (n, length); words outside the vocabulary become unknown."""
    names: list[str] = []
    samples: list[np.ndarray] = []
    warnings: list[str] = []
    errors: list[str] = []
    vocabulary = vocabulary_of(description)
    for file, words in open_all(files, _words, errors):
        sample, warning = to_sample(words, vocabulary, description)
        names.append(shown_name(file))
        samples.append(sample)
        warnings.append(f"{names[-1]}: {warning}")
    x = stack(samples, description.shape, description.dtype)
    return PredictionBatch({"file": names}, x, tuple(warnings), tuple(errors))


def vocabulary_of(description: InputDescription) -> dict[str, int]:
    """Return the number of each word that a model knows."""
    return {word: number for number, word in enumerate(description.words) if word and number != RARER}


def to_sample(
    words: Sequence[str], vocabulary: Mapping[str, int], description: InputDescription
) -> tuple[np.ndarray, str]:
    """Return words as a sample (length,), and how many of them were read."""
    (length,) = description.shape
    kept = [vocabulary.get(word, RARER) for word in words[: length - 1]]
    unknown = kept.count(RARER)
    warning = f"{len(kept)} of {len(words)} words were read, {unknown} of them unknown to the model"
    return np.pad([START, *kept], (0, length - 1 - len(kept))), warning


def words_of(text: str) -> list[str]:
    """Return the words of a text, in lower case.

    Raises:
        Unreadable: there is none.
    """
    words = WORD.findall(text.lower())
    if not words:
        raise Unreadable("it contains no word")
    return words


def _words(file: Path) -> list[str]:
    try:
        return words_of(file.read_text(encoding="utf-8-sig"))
    except FileNotFoundError:
        raise Unreadable("no such file") from None
    except (UnicodeDecodeError, OSError) as error:
        raise Unreadable(f"not a text file in UTF-8 ({error})") from None
