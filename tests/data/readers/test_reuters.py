"""The Reuters newswires: the numbers that Keras gives, made of a file that is unpickled only once it is verified."""

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.paths import ROOT

from modelyard.core.config import read_yaml
from modelyard.core.errors import ModelyardError
from modelyard.data import readers
from modelyard.data.download import Source
from modelyard.data.readers import RawData, reuters
from modelyard.data.splits import Split, divide_test

URL = "https://example.org/"
SHA256 = "d6586e694ee56d7a4e65172e12b3e987c03096cb01eab99753921ef915959916"  # of the file that Keras distributes
CLASSES = tuple(f"topic {number}" for number in range(46))


def settings(sha256: str = SHA256, **changes: Any) -> reuters.ReutersDataset:
    files = {name: Source(url=URL, sha256=sha256) for name in (reuters.ARTICLES, reuters.WORDS)}
    values = {"num_words": 10, "maxlen": 5, "files": files, "classes": CLASSES, "folder": "reuters"}
    common = {"reader": "reuters", "task": "classification", "description": "Newswires."}
    return reuters.ReutersDataset(**(common | values | changes))


def write(folder: Path, articles: list[list[int]], index: dict[str, int]) -> str:
    """Write both files; return the checksum of the articles."""
    ragged = np.empty(len(articles), dtype=object)
    ragged[:] = articles
    np.savez(folder / reuters.ARTICLES, x=ragged, y=np.arange(len(articles), dtype=np.int64))
    (folder / reuters.WORDS).write_text(json.dumps(index))
    return hashlib.sha256((folder / reuters.ARTICLES).read_bytes()).hexdigest()


@pytest.fixture
def read(tmp_path: Path):
    """What the reader makes of these articles."""

    def written(articles: list[list[int]], index: dict[str, int] | None = None, **changes: Any) -> RawData:
        return reuters.read(tmp_path, settings(write(tmp_path, articles, index or {}), **changes))

    return written


def test_a_sample_begins_with_1_and_ends_with_0_where_the_article_is_short(read):
    raw = read([[1, 2], [6], []])
    assert raw.samples.x.tolist() == [[1, 4, 5, 0, 0], [1, 9, 0, 0, 0], [1, 0, 0, 0, 0]]
    assert (raw.samples.x.dtype, raw.samples.y.dtype) == (np.uint16, np.uint8)
    assert raw.samples.y.tolist() == [0, 1, 2]


def test_an_article_is_cut_at_its_end(read):
    assert read([[1, 2, 3, 4], [1, 2, 3, 4, 5, 6]]).samples.x.tolist() == [[1, 4, 5, 6, 7]] * 2


def test_an_article_can_be_cut_at_its_beginning(read):
    cut = read([[1, 2, 3, 4, 5, 6], [1, 2], []], truncating="pre").samples.x.tolist()
    assert cut == [[1, 6, 7, 8, 9], [1, 4, 5, 0, 0], [1, 0, 0, 0, 0]]


def test_a_word_that_is_not_among_the_frequent_ones_becomes_2(read):
    assert read([[6, 7, 30_979]]).samples.x.tolist() == [[1, 9, 2, 2, 0]]
    assert read([[6, 7, 8]], num_words=11).samples.x.tolist() == [[1, 9, 10, 2, 0]]


def test_each_number_has_its_word_to_be_read(read):
    index = {"said": 2, "the": 1, "rare": 7, "of": 3, "to": 4, "in": 5, "and": 6}
    raw = read([[1, 2, 7]], index)
    assert raw.words == ("", "", "…", "", "the", "said", "of", "to", "in", "and")
    assert " ".join(raw.words[number] for number in raw.samples.x[0]).split() == ["the", "said", "…"]


@given(st.lists(st.lists(st.integers(1, 40), max_size=12), min_size=1), st.integers(10, 50), st.integers(2, 15))
def test_numbers_are_those_of_the_definition_word_by_word(articles: list[list[int]], words: int, length: int):
    made = reuters._numbers(np.array([*articles, None], dtype=object)[:-1], settings(num_words=words, maxlen=length))
    for row, article in zip(made.tolist(), articles, strict=True):
        kept = [1, *(rank + 3 if rank + 3 < words else 2 for rank in article)][:length]
        assert row == kept + [0] * (length - len(kept))


# --- what is refused ---


class Trap:
    """Unpickling it makes the file of that name."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __reduce__(self) -> tuple:
        return Path.touch, (self._path,)


def test_articles_with_another_checksum_are_never_unpickled(tmp_path: Path):
    np.savez(tmp_path / reuters.ARTICLES, x=np.array([Trap(tmp_path / "sprung")]), y=np.zeros(1))
    with pytest.raises(ModelyardError, match=rf"reuters.npz: its SHA-256 is .* params.yaml has {SHA256}.*not opened"):
        readers.read(settings(), tmp_path)
    assert not (tmp_path / "sprung").exists()
    np.load(tmp_path / reuters.ARTICLES, allow_pickle=True)["x"]
    assert (tmp_path / "sprung").exists(), "the trap is none"


def test_a_broken_word_index_is_refused(tmp_path: Path):
    checksum = write(tmp_path, [[1]], {})
    (tmp_path / reuters.WORDS).write_text('{"the": 1')
    with pytest.raises(ModelyardError, match=r"is broken .*Delete the folder"):
        readers.read(settings(checksum), tmp_path)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"files": {}}, "the files are reuters.npz and reuters_word_index.json; given: none"),
        ({"files": {"a.npz": Source(text="")}}, "given: a.npz"),
        ({"files": {name: Source(text="") for name in (reuters.ARTICLES, reuters.WORDS)}}, "needs a sha256"),
        ({"num_words": 9}, "greater than or equal to 10"),
        ({"num_words": 10_001}, "less than or equal to 10000"),
        ({"maxlen": 1}, "greater than or equal to 2"),
    ],
)
def test_invalid_settings_are_refused(changes: dict, expected: str):
    with pytest.raises(ValueError, match=expected):
        settings(**changes)


# --- the real files ---


@pytest.fixture(scope="module")
def newswires(real_file: Callable[..., Path]) -> Path:
    return real_file(f"reuters/{reuters.ARTICLES}").parent


@pytest.mark.parametrize(("words", "length"), [(1000, 100), (10_000, 2376)])
def test_samples_and_split_are_keras_s(newswires: Path, monkeypatch: pytest.MonkeyPatch, words: int, length: int):
    import keras

    monkeypatch.setattr("keras.src.datasets.reuters.get_file", lambda **_: str(newswires / reuters.ARTICLES))
    expected = keras.datasets.reuters.load_data(num_words=words)
    raw = readers.read(settings(num_words=words, maxlen=length, expect={"rows": 11_228}), newswires)
    for which, (articles, topics) in zip(divide_test(11_228, Split(test=0.2, test_seed=113)), expected, strict=True):
        found = raw.samples.take(which)
        np.testing.assert_array_equal(found.y, topics)
        for row, article in zip(found.x, articles, strict=True):
            assert row[row > 0].tolist() == article[:length]
            assert not row[len(article) :].any()


def test_the_words_of_an_article_are_those_of_a_newswire(newswires: Path):
    raw = reuters.read(newswires, settings(num_words=1000, maxlen=30))
    which, _ = divide_test(11_228, Split(test=0.2, test_seed=113))
    article = " ".join(filter(None, (raw.words[number] for number in raw.samples.x[which[0]])))
    assert article.startswith("… … said as a result of its december acquisition of … co it expects earnings per share")


def test_classes_of_the_entry_are_the_topics_of_keras():
    import keras

    entry = read_yaml(ROOT / "params.yaml")["datasets"]["reuters"]
    assert entry["classes"] == tuple(keras.datasets.reuters.get_label_names())
