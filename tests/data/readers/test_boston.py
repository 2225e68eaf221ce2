"""The Boston housing data as mlxtend brings it, against Keras's file and StatLib's."""

from collections.abc import Callable
from pathlib import Path

import mlxtend
import numpy as np
import pytest

from modelyard.core.errors import ModelyardError
from modelyard.data import readers
from modelyard.data.readers import boston
from modelyard.data.sources import Source

FOLDER = Path(mlxtend.__file__).parent / "data" / "data"
FILES = {"boston_housing.csv": Source(package="mlxtend/data/data/boston_housing.csv", sha256="0" * 64)}
SETTINGS = boston.BostonDataset(reader="boston", task="regression", description="Boston.", files=FILES)


def test_samples_are_those_of_keras_in_every_bit(real_file: Callable[..., Path]):
    raw = boston.read(FOLDER, SETTINGS)
    with np.load(real_file("boston-housing/boston_housing.npz"), allow_pickle=False) as archive:
        assert raw.samples.x.tobytes() == archive["x"].tobytes()
        assert raw.samples.y.tobytes() == archive["y"].tobytes()


def test_samples_are_those_of_statlib_in_its_order(real_file: Callable[..., Path]):
    raw = boston.read(FOLDER, SETTINGS)
    table = np.loadtxt(real_file("boston-housing/housing.data"))  # the UCI copy, 13 features and the target
    np.testing.assert_array_equal(raw.samples.x, table[:, :-1])
    np.testing.assert_array_equal(raw.samples.y, table[:, -1])


def test_features_have_their_names():
    raw = boston.read(FOLDER, SETTINGS)
    assert raw.samples.x.shape == (506, len(raw.features)) == (506, 13)
    assert set(raw.samples.x[:, raw.features.index("CHAS")]) == {0.0, 1.0}
    assert raw.samples.x[:, raw.features.index("TAX")].max() == 711


@pytest.mark.parametrize("content", [b"1,2,3\n4,5\n", b"no numbers"])
def test_a_broken_file_is_refused(tmp_path: Path, content: bytes):
    (tmp_path / "boston_housing.csv").write_bytes(content)
    with pytest.raises(ModelyardError, match=r"is broken .*Delete the folder"):
        readers.read(SETTINGS, tmp_path)
