"""Samples keep each target with its features."""

import numpy as np

from modelyard.data.samples import Samples


def test_samples_are_taken_with_their_targets_in_the_given_order():
    samples = Samples(np.arange(8).reshape(4, 2), np.arange(4))
    taken = samples.take(np.array([3, 0, 3]))
    assert (len(samples), len(taken)) == (4, 3)
    assert taken.x.tolist() == [[6, 7], [0, 1], [6, 7]]
    assert taken.y.tolist() == [3, 0, 3]
