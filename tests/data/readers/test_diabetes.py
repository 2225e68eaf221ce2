"""scikit-learn's diabetes study in raw units."""

from pathlib import Path

import numpy as np
import sklearn.datasets

from modelyard.data.readers import diabetes

SETTINGS = diabetes.DiabetesDataset(reader="diabetes", task="regression", description="Diabetes.", files={})


def test_measurements_are_those_of_scikit_learn_in_raw_units():
    raw = diabetes.read(Path(sklearn.datasets.__file__).parent / "data", SETTINGS)
    expected = sklearn.datasets.load_diabetes(scaled=False)
    np.testing.assert_array_equal(raw.samples.x, expected.data)
    np.testing.assert_array_equal(raw.samples.y, expected.target)
    assert raw.features == tuple(expected.feature_names)
    assert raw.classes == ()
