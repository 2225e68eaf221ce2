"""scikit-learn's digits, read from the file that scikit-learn itself reads."""

from pathlib import Path

import numpy as np
import pytest
import sklearn.datasets

from modelyard.core.errors import ModelyardError
from modelyard.data import readers
from modelyard.data.readers import digits

FOLDER = Path(sklearn.datasets.__file__).parent / "data"
SETTINGS = digits.DigitsDataset(
    reader="digits", task="classification", description="Digits.", files={}, classes=tuple("0123456789")
)


def test_images_and_labels_are_those_of_scikit_learn_in_a_compact_type():
    raw, expected = digits.read(FOLDER, SETTINGS), sklearn.datasets.load_digits()
    np.testing.assert_array_equal(raw.samples.x[..., 0], expected.images)
    np.testing.assert_array_equal(raw.samples.y, expected.target)
    assert raw.samples.x.shape == (1797, 8, 8, 1)
    assert raw.samples.x.dtype == raw.samples.y.dtype == np.uint8
    assert raw.classes == tuple(map(str, expected.target_names))


@pytest.mark.parametrize("end", [-9, 2])
def test_a_broken_file_is_refused(tmp_path: Path, end: int):
    (tmp_path / "digits.csv.gz").write_bytes((FOLDER / "digits.csv.gz").read_bytes()[:end])
    with pytest.raises(ModelyardError, match=r"is broken .*Delete the folder"):
        readers.read(SETTINGS, tmp_path)
