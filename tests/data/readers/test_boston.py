"""The Boston housing data, as Keras distributes it."""

from pathlib import Path

import numpy as np
import pytest

from modelyard.core.errors import ModelyardError
from modelyard.data import readers
from modelyard.data.readers import boston

SETTINGS = boston.BostonDataset(reader="boston", task="regression", description="Boston.", files={})


def test_samples_are_those_of_statlib_in_its_order(mirror: Path):
    raw = boston.read(mirror / "boston-housing", SETTINGS)
    table = np.loadtxt(mirror / "boston-housing" / "housing.data")  # the UCI copy, 13 features and the target
    np.testing.assert_array_equal(raw.samples.x, table[:, :-1])
    np.testing.assert_array_equal(raw.samples.y, table[:, -1])
    assert raw.samples.x.dtype == raw.samples.y.dtype == np.float64
    assert len(raw.features) == 13


def test_features_have_their_names(mirror: Path):
    raw = boston.read(mirror / "boston-housing", SETTINGS)
    charles_river = raw.samples.x[:, raw.features.index("CHAS")]
    assert set(charles_river) == {0.0, 1.0}
    assert raw.samples.x[:, raw.features.index("TAX")].max() == 711


@pytest.mark.parametrize("content", [b"", b"no archive"])
def test_a_broken_archive_is_refused(tmp_path: Path, content: bytes):
    (tmp_path / "boston_housing.npz").write_bytes(content)
    with pytest.raises(ModelyardError, match=r"is broken .*Delete the folder"):
        readers.read(SETTINGS, tmp_path)
