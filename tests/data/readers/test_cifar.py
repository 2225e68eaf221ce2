"""CIFAR-10: records made here, each way in which a file can be broken, and the real files where they are."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from modelyard.core.errors import ModelyardError
from modelyard.data import readers
from modelyard.data.download import FileSet
from modelyard.data.readers import cifar
from modelyard.data.sources import Source

CLASSES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
SETTINGS = cifar.CifarDataset(reader="cifar", task="classification", description="Made up.", files={}, classes=CLASSES)
MD5S = {
    "data_batch_1.bin": "5dd7e06a14cb22eb9f671a540d1b7c25",
    "data_batch_2.bin": "5ea93a67294ea407fff1d09f752e9692",
    "data_batch_3.bin": "942cd6a4bcdd0dd3c604fbe906cb4421",
    "data_batch_4.bin": "ae636b3ba5c66a11e91e8cb52e771fcb",
    "data_batch_5.bin": "53f37980c15c3d472c316c40844f3f0d",
    "test_batch.bin": "803d5f7f4d78ea53de84dbe85f74fb6d",
}
SOURCE = Source(
    url="https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz",
    sha256="c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd",
    members=MD5S,
    alternatives={"cifar-10-binary.tar.xz": "6826bd2697bd87948204278b2043f503fa09e14c3525e1c5bb03eeebe3878492"},
)


def _record(label: int, image: np.ndarray) -> bytes:
    """A record as the format's page has it: the label, then the red, the green and the blue plane."""
    return bytes([label]) + b"".join(image[:, :, colour].tobytes() for colour in range(3))


@pytest.fixture
def images() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, size=(12, 32, 32, 3), dtype=np.uint8)


@pytest.fixture
def folder(tmp_path: Path, images: np.ndarray) -> Path:
    """Two images in each of the six files; image n is of class n % 10."""
    for first, name in zip(range(0, 12, 2), MD5S, strict=True):
        (tmp_path / name).write_bytes(b"".join(_record(n % 10, images[n]) for n in (first, first + 1)))
    return tmp_path


def test_records_are_read_in_the_order_of_the_files_with_the_test_batch_apart(folder: Path, images: np.ndarray):
    raw = cifar.read(folder, SETTINGS)
    np.testing.assert_array_equal(raw.samples.x, images[:10])
    np.testing.assert_array_equal(raw.test.x, images[10:])
    assert raw.samples.y.tolist() == [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]
    assert raw.test.y.tolist() == [0, 1]
    assert raw.classes == CLASSES


def test_samples_are_compact_and_in_the_order_of_memory(folder: Path):
    raw = cifar.read(folder, SETTINGS)
    for part in (raw.samples, raw.test):
        assert part.x.dtype == part.y.dtype == np.uint8
        assert part.x.flags.c_contiguous
        assert part.y.base is None


@pytest.mark.parametrize("size", [0, 1, 3072, 3074, 2 * 3073 - 1])
def test_a_file_with_part_of_a_record_is_refused(folder: Path, size: int):
    (folder / "data_batch_3.bin").write_bytes(bytes(size))
    with pytest.raises(ModelyardError) as raised:
        readers.read(SETTINGS, folder)
    assert f"{folder / 'data_batch_3.bin'}: {size} bytes, not a whole number of records of 3073" in str(raised.value)
    assert "Delete it and run again" in str(raised.value)


def test_a_file_that_is_missing_is_refused(folder: Path):
    (folder / "test_batch.bin").unlink()
    with pytest.raises(ModelyardError, match=r"test_batch\.bin.*Delete the folder and run again"):
        readers.read(SETTINGS, folder)


def test_a_label_without_a_class_is_refused(folder: Path, images: np.ndarray):
    (folder / "test_batch.bin").write_bytes(_record(10, images[0]))
    with pytest.raises(ModelyardError, match="10 are named, class 10 found"):
        readers.read(SETTINGS, folder)


@pytest.mark.slow
def test_the_real_archive_of_the_mirror_is_unpacked_and_read(real_file: Callable[..., Path], tmp_path: Path):
    archive = real_file("cifar-10/cifar-10-binary.tar.gz", "cifar-10/cifar-10-binary.tar.xz")
    files = FileSet({"cifar-10-binary.tar.gz": SOURCE}, "cifar-10", (str(archive.parents[1]),))
    files.fetch(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(MD5S)
    raw = readers.read(SETTINGS, tmp_path)
    assert (raw.samples.x.shape, raw.test.x.shape) == ((50_000, 32, 32, 3), (10_000, 32, 32, 3))
    assert np.bincount(raw.samples.y).tolist() == [5000] * 10
    assert np.bincount(raw.test.y).tolist() == [1000] * 10
    assert [CLASSES[label] for label in raw.samples.y[:4]] == ["frog", "truck", "truck", "deer"]
    # As the version for Python has them.
    assert (raw.samples.x[0, 0, 0].tolist(), raw.test.x[0, 0, 0].tolist()) == ([59, 62, 63], [158, 112, 49])
