"""Samples keep each target with its features."""

from pathlib import Path

import numpy as np

from modelyard.data.samples import Samples, write_rows


def test_samples_are_taken_with_their_targets_in_the_given_order():
    samples = Samples(np.arange(8).reshape(4, 2), np.arange(4))
    taken = samples.take(np.array([3, 0, 3]))
    assert (len(samples), len(taken)) == (4, 3)
    assert taken.x.tolist() == [[6, 7], [0, 1], [6, 7]]
    assert taken.y.tolist() == [3, 0, 3]


def test_samples_on_disk_are_taken_as_those_in_memory(tmp_path: Path):
    x = np.arange(24, dtype=np.uint8).reshape(6, 2, 2)
    rows = ((position, x[position]) for position in (3, 1, 0, 5, 2, 4))
    on_disk = Samples(write_rows(rows, x.shape, x.dtype, tmp_path), np.arange(6), tmp_path)
    np.testing.assert_array_equal(on_disk.x, x)
    taken = on_disk.take(np.array([5, 0, 5]))
    np.testing.assert_array_equal(taken.x, x[[5, 0, 5]])
    assert isinstance(taken.x, np.memmap)
    assert taken.y.tolist() == [5, 0, 5]
    assert list(tmp_path.iterdir()) == []
