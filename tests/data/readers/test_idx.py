"""IDX files: the real ones, and each way in which one can be broken."""

import gzip
import struct
from pathlib import Path

import numpy as np
import pytest

from modelyard.core.errors import ModelyardError
from modelyard.data import readers
from modelyard.data.readers import idx

SETTINGS = idx.IdxDataset(
    reader="idx", task="classification", description="Made up.", files={}, classes=tuple("0123456789")
)
IMAGES, LABELS = "train-images-idx3-ubyte.gz", "train-labels-idx1-ubyte.gz"


def _idx(array: np.ndarray) -> bytes:
    header = struct.pack(f">BBBB{array.ndim}I", 0, 0, 8, array.ndim, *array.shape)
    return header + array.tobytes()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Three training images of 2 x 4 pixels and one test image, with their labels."""
    for part, count in (("train", 3), ("t10k", 1)):
        images = np.arange(count * 8, dtype=np.uint8).reshape(count, 2, 4)
        (tmp_path / f"{part}-images-idx3-ubyte.gz").write_bytes(gzip.compress(_idx(images)))
        (tmp_path / f"{part}-labels-idx1-ubyte.gz").write_bytes(gzip.compress(_idx(np.arange(count, dtype=np.uint8))))
    return tmp_path


def _refusal(folder: Path) -> str:
    with pytest.raises(ModelyardError) as raised:
        readers.read(SETTINGS, folder)
    return str(raised.value)


def test_images_and_labels_are_read_with_the_test_samples_apart(folder: Path):
    raw = idx.read(folder, SETTINGS)
    assert raw.samples.x.dtype == raw.samples.y.dtype == np.uint8
    np.testing.assert_array_equal(raw.samples.x, np.arange(24).reshape(3, 2, 4, 1))
    assert raw.samples.y.tolist() == [0, 1, 2]
    assert raw.test.x.shape == (1, 2, 4, 1)
    assert raw.classes == SETTINGS.classes


def test_mnist_is_read_as_its_authors_describe_it(real_mnist: Path):
    raw = idx.read(real_mnist, SETTINGS)
    assert (raw.samples.x.shape, raw.test.x.shape) == ((60_000, 28, 28, 1), (10_000, 28, 28, 1))
    assert raw.samples.y[:10].tolist() == [5, 0, 4, 1, 9, 2, 1, 3, 1, 4]
    assert np.bincount(raw.samples.y)[[0, 9]].tolist() == [5923, 5949]
    assert (raw.samples.x.min(), raw.samples.x.max()) == (0, 255)


@pytest.mark.parametrize("pack", [bytes, gzip.compress], ids=["plain", "gzipped"])
@pytest.mark.parametrize(
    "names",
    [
        ("train-images-idx3-ubyte", "train-labels-idx1-ubyte", "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"),
        ("train-images.idx3-ubyte", "train-labels.idx1-ubyte", "t10k-images.idx3-ubyte", "t10k-labels.idx1-ubyte"),
        ("letters-Train-X.gz", "letters-Train-Y.gz", "letters-Test-X.gz", "letters-Test-Y.gz"),
    ],
    ids=["MNIST", "with dots", "EMNIST"],
)
def test_files_are_found_by_their_content_and_the_part_in_their_name(folder: Path, tmp_path_factory, names, pack):
    other = tmp_path_factory.mktemp("other")
    stored = (IMAGES, LABELS, IMAGES.replace("train", "t10k"), LABELS.replace("train", "t10k"))
    for old, new in zip(stored, names, strict=True):
        (other / new).write_bytes(pack(gzip.decompress((folder / old).read_bytes())))
    raw, expected = idx.read(other, SETTINGS), idx.read(folder, SETTINGS)
    np.testing.assert_array_equal(raw.samples.x, expected.samples.x)
    np.testing.assert_array_equal(raw.test.y, expected.test.y)


@pytest.mark.parametrize(
    ("content", "found"),
    [
        (_idx(np.zeros(3, np.uint8)), "IDX, 3 unsigned bytes"),
        (b"\0\0\x0d\x03" + bytes(12), "IDX, but with values of type 0x0d instead of unsigned bytes (0x08)"),
        (b"\x89PNG", "not an IDX file, it starts with b'\\x89PNG'"),
        (b"a,b,c\n1,2,3\n", "not an IDX file, it starts with b'a,b,c\\n1,'"),
        (b"\0\0\x08\x03\0\0", "IDX, but it ends within its header"),
        (b"", "empty"),
    ],
    ids=["labels in its place", "floats", "a picture", "a table", "cut off", "nothing"],
)
@pytest.mark.parametrize("pack", [bytes, gzip.compress], ids=["plain", "gzipped"])
def test_a_wrong_file_is_refused_with_what_it_is_and_what_is_expected(folder: Path, content: bytes, found: str, pack):
    (folder / IMAGES).write_bytes(pack(content))
    message = _refusal(folder)
    assert f"{folder} holds no files with images of the train part, and needs one: an IDX file " in message
    assert "with train in its name, for example train-images-idx3-ubyte.gz." in message
    assert "Found:\n  t10k-images-idx3-ubyte.gz: IDX, 1 x 2 x 4 unsigned bytes\n  t10k-labels" in message
    assert f"\n  {IMAGES}: {found}\n  {LABELS}: IDX, 3 unsigned bytes\nWhat to do: " in message
    assert "elete" not in message


def test_two_files_for_one_purpose_are_refused(folder: Path):
    (folder / "train-images.idx3-ubyte").write_bytes((folder / IMAGES).read_bytes())
    assert f"{folder} holds 2 files with images of the train part, and needs one" in _refusal(folder)


def test_a_name_without_its_part_is_refused_with_the_words_to_use(folder: Path):
    (folder / "t10k-labels-idx1-ubyte.gz").rename(folder / "labels.gz")
    message = _refusal(folder)
    assert "no files with labels of the t10k part" in message
    assert "with t10k or test in its name, for example t10k-labels-idx1-ubyte.gz" in message
    assert "\n  labels.gz: IDX, 1 unsigned bytes\n" in message


@pytest.mark.parametrize("cut", [1, 9, 60])
def test_a_gzip_file_that_is_cut_off_is_refused_with_advice(folder: Path, cut: int):
    content = gzip.compress(_idx(np.arange(240, dtype=np.uint8).reshape(30, 2, 4)))
    (folder / IMAGES).write_bytes(content[:-cut])
    assert f"{folder / IMAGES}: not a complete gzip file (" in _refusal(folder)
    assert "Delete it and run again; if that gives the same file, the one that params.yaml names is" in _refusal(folder)


@pytest.mark.parametrize("change", [-1, 1], ids=["short", "long"])
def test_a_wrong_size_is_refused_with_the_shape_of_the_header(folder: Path, change: int):
    content = _idx(np.zeros((3, 2, 4), np.uint8))
    (folder / IMAGES).write_bytes(gzip.compress(content[:-1] if change < 0 else content + b"\0"))
    assert f"{folder / IMAGES}: the header declares (3, 2, 4), the file holds {24 + change} bytes" in _refusal(folder)


def test_images_without_labels_are_refused(folder: Path):
    (folder / LABELS).write_bytes(gzip.compress(_idx(np.zeros(2, np.uint8))))
    assert f"{folder}: 3 train images, but 2 labels" in _refusal(folder)
