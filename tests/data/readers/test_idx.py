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


def test_mnist_is_read_as_its_authors_describe_it(mirror: Path):
    raw = idx.read(mirror / "mnist", SETTINGS)
    assert (raw.samples.x.shape, raw.test.x.shape) == ((60_000, 28, 28, 1), (10_000, 28, 28, 1))
    assert raw.samples.y[:10].tolist() == [5, 0, 4, 1, 9, 2, 1, 3, 1, 4]
    assert np.bincount(raw.samples.y)[[0, 9]].tolist() == [5923, 5949]
    assert (raw.samples.x.min(), raw.samples.x.max()) == (0, 255)


@pytest.mark.parametrize(
    "content",
    [b"no gzip", gzip.compress(b"x" * 99, mtime=0)[:-9], gzip.compress(b"x", mtime=0)[:-1] + b"?"],
    ids=["no gzip", "cut off", "wrong length"],
)
def test_a_broken_gzip_file_is_refused_with_advice(folder: Path, content: bytes):
    (folder / IMAGES).write_bytes(content)
    assert f"{folder}: a file is broken" in _refusal(folder)
    assert "Delete the folder and run again" in _refusal(folder)


def test_an_empty_file_is_refused(folder: Path):
    (folder / IMAGES).write_bytes(b"")
    assert f"{folder / IMAGES}: not an IDX file" in _refusal(folder)


@pytest.mark.parametrize(
    "content",
    [_idx(np.zeros(3, np.uint8)), b"\0\0\x0d\x03" + bytes(12), b"\x89PNG", b""],
    ids=["labels in its place", "floats", "a picture", "nothing"],
)
def test_a_wrong_magic_number_is_refused(folder: Path, content: bytes):
    (folder / IMAGES).write_bytes(gzip.compress(content, mtime=0))
    assert f"{folder / IMAGES}: not an IDX file of unsigned bytes in 3 dimension(s)" in _refusal(folder)


@pytest.mark.parametrize("change", [-1, 1], ids=["short", "long"])
def test_a_wrong_size_is_refused_with_the_shape_of_the_header(folder: Path, change: int):
    content = _idx(np.zeros((3, 2, 4), np.uint8))
    (folder / IMAGES).write_bytes(gzip.compress(content[:-1] if change < 0 else content + b"\0"))
    assert f"{folder / IMAGES}: the header declares (3, 2, 4), the file holds {24 + change} bytes" in _refusal(folder)


def test_images_without_labels_are_refused(folder: Path):
    (folder / LABELS).write_bytes(gzip.compress(_idx(np.zeros(2, np.uint8))))
    assert f"{folder}: 3 train images, but 2 labels" in _refusal(folder)


def test_a_file_that_ends_inside_its_header_is_refused(folder: Path):
    (folder / IMAGES).write_bytes(gzip.compress(b"\0\0\x08\x03\0\0", mtime=0))
    assert IMAGES in _refusal(folder)
