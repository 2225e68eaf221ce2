"""Samples are divided as Keras divides them: nothing lost, nothing shared, the same each time."""

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from modelyard.core.errors import ModelyardError
from modelyard.data.samples import Samples
from modelyard.data.splits import Split, check_targets, divide_test, divide_validation, keep_first

COUNTS = st.integers(1, 300)
FRACTIONS = st.floats(0.01, 0.99)
SEEDS = st.integers(0, 2**32 - 1)


def _divides(count: int, fraction: float) -> bool:
    return 0 < int(count * (1 - fraction)) < count


@given(COUNTS, FRACTIONS, SEEDS)
def test_test_samples_are_disjoint_from_training_samples_and_none_is_lost(count: int, fraction: float, seed: int):
    assume(_divides(count, fraction))
    training, test = divide_test(count, Split(test=fraction, test_seed=seed))
    assert sorted([*training, *test]) == list(range(count))
    assert len(test) == count - int(count * (1 - fraction))


@given(COUNTS, FRACTIONS, SEEDS)
def test_validation_samples_stand_last_and_no_sample_is_lost(count: int, fraction: float, seed: int):
    assume(_divides(count, fraction))
    drawn = Split(test="predefined", validation=fraction, validation_samples="shuffled", validation_seed=seed)
    order, held_back = divide_validation(count, drawn)
    assert sorted(order) == list(range(count))
    assert held_back == count - int(count * (1 - fraction))


@given(st.integers(2, 300), SEEDS)
def test_the_same_seed_gives_the_same_samples(count: int, seed: int):
    def divided() -> list:
        split = Split(test=0.5, test_seed=seed, validation=0.5, validation_samples="shuffled", validation_seed=seed)
        return [part.tolist() for part in (*divide_test(count, split), divide_validation(count, split)[0])]

    before = divided()
    np.random.seed(0)  # the global generator has no say
    assert divided() == before


@given(COUNTS, COUNTS)
def test_the_first_samples_are_kept_and_too_few_are_refused(count: int, first: int):
    assert keep_first(count, Split(test="predefined")) == count
    split = Split(test="predefined", first=first)
    if first <= count:
        assert keep_first(count, split) == first
        return
    with pytest.raises(ModelyardError, match=f"`first: {first}` of {count} training samples: give at most {count}"):
        keep_first(count, split)


def test_another_seed_gives_other_samples():
    parts = [divide_test(100, Split(test=0.2, test_seed=seed))[1].tolist() for seed in (776, 777)]
    assert parts[0] != parts[1]


def test_boston_is_divided_exactly_as_keras_does():
    x, y = np.arange(506 * 13).reshape(506, 13), np.arange(506)
    # keras.datasets.boston_housing.load_data(test_split=0.2, seed=777), after the file is read
    rng = np.random.RandomState(777)
    indices = np.arange(len(x))
    rng.shuffle(indices)
    x_shuffled, y_shuffled = x[indices], y[indices]
    cut = int(len(x) * (1 - 0.2))

    training, test = divide_test(506, Split(test=0.2, test_seed=777))
    assert (len(training), len(test)) == (404, 102)
    np.testing.assert_array_equal(x[training], x_shuffled[:cut])
    np.testing.assert_array_equal(y[test], y_shuffled[cut:])


def test_the_samples_of_exclusive_or_are_training_and_test_samples_at_once():
    training, test = divide_test(4, Split(test="training_samples"))
    assert training.tolist() == test.tolist() == [0, 1, 2, 3]


@pytest.mark.parametrize(
    ("count", "fraction", "held_back"), [(60_000, 0.25, 15_000), (60_000, 0.2, 12_000), (7, 0.3, 3)]
)
def test_the_last_samples_are_held_back_as_keras_does(count: int, fraction: float, held_back: int):
    order, found = divide_validation(count, Split(test="predefined", validation=fraction))
    assert (
        found == count - int(count * (1.0 - fraction)) == held_back
    )  # keras: split_at = int(floor(n * (1 - fraction)))
    np.testing.assert_array_equal(order, np.arange(count))


def test_without_a_fraction_no_sample_is_held_back():
    order, held_back = divide_validation(5, Split(test="predefined"))
    assert (order.tolist(), held_back) == ([0, 1, 2, 3, 4], 0)


@pytest.mark.parametrize(
    ("task", "training", "test", "refusal"),
    [
        (
            "regression",
            [1.0, 2.0],
            [3.0, 3.0],
            "the target of each of the 2 test sample(s) is 3, so correlation and r2",
        ),
        ("regression", [1.0, 2.0], [3.0], "each of the 1 test sample(s) is 3"),
        ("regression", [1.0, 1.0], [2.0, 3.0], "each of the 2 training sample(s) is 1"),
        ("classification", [0, 1], [1, 2], "class 'plum' is in the test samples only, so no model can learn it"),
    ],
)
def test_targets_that_cannot_be_learned_or_measured_are_refused(task: str, training: list, test: list, refusal: str):
    parts = [Samples(np.zeros((len(y), 1)), np.array(y)) for y in (training, test)]
    with pytest.raises(ModelyardError) as raised:
        check_targets(*parts, task, ("apple", "pear", "plum"))
    assert refusal in str(raised.value)
    assert "change `split.test` or `split.test_seed`" in str(raised.value)


def test_a_class_without_test_samples_and_equal_classes_are_allowed():
    parts = [Samples(np.zeros((len(y), 1)), np.array(y)) for y in ([0, 1], [1, 1])]
    check_targets(*parts, "classification", ("apple", "pear"))
    check_targets(*parts, "reconstruction", ())


@pytest.mark.parametrize(("count", "fraction"), [(1, 0.5), (3, 0.9), (0, 0.5)])
@pytest.mark.parametrize("key", ["test", "validation"])
def test_too_few_samples_are_refused_with_the_given_fraction_and_advice(count: int, fraction: float, key: str):
    settings = {
        "test": {"test": fraction, "test_seed": 1},
        "validation": {"test": "predefined", "validation": fraction},
    }
    divide = {"test": divide_test, "validation": divide_validation}[key]
    with pytest.raises(ModelyardError) as raised:
        divide(count, Split(**settings[key]))
    assert f"`{key}: {fraction}` of {count} samples leaves 0 to train on" in str(raised.value)
    assert "more samples" in str(raised.value)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"test": 0.2}, "test_seed goes with a fraction"),
        ({"test": "predefined", "test_seed": 1}, "test_seed goes with a fraction"),
        ({"test": "predefined", "validation_samples": "shuffled"}, "validation_seed goes with"),
        ({"test": "predefined", "validation_seed": 1}, "validation_seed goes with"),
        ({"test": 1.0, "test_seed": 1}, "less than 1"),
        ({"test": "predefined", "first": 0}, "greater than or equal to 1"),
        ({"test": "predefined", "validation": -0.1}, "greater than or equal to 0"),
    ],
)
def test_an_invalid_split_is_refused(given: dict, expected: str):
    with pytest.raises(ValueError) as raised:
        Split(**given)
    assert expected in str(raised.value)
