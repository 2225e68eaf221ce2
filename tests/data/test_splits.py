"""Samples are divided as Keras divides them: nothing lost, nothing shared, the same each time."""

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from sklearn.model_selection import GroupShuffleSplit, StratifiedShuffleSplit

from modelyard.core.errors import ModelyardError
from modelyard.data.samples import Samples
from modelyard.data.splits import (
    Split,
    check_targets,
    check_task,
    count_leaks,
    divide_test,
    divide_validation,
    find_divider,
    keep_first,
)

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


def test_shuffled_validation_samples_are_the_last_of_numpys_permutation():
    drawn = Split(test="predefined", validation=0.25, validation_samples="shuffled", validation_seed=777)
    order, held_back = divide_validation(60_000, drawn)
    assert held_back == 15_000
    np.testing.assert_array_equal(order, np.random.RandomState(777).permutation(60_000))


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
        ({"test": 0.2, "test_seed": 1, "time": "day"}, "with `time` the last samples are the test samples"),
        ({"test": 0.2, "test_seed": 1, "group": ""}, "at least 1 character"),
        ({"test": 0.2, "test_seed": 1, "stratify": True, "group": "who"}, "stratify and group exclude each other"),
        ({"test": 0.2, "group": "who", "time": "day"}, "group and time exclude each other"),
        ({"test": 0.2, "stratify": True}, "test_seed goes with a fraction"),
        ({"test": "training_samples", "group": "who"}, "divides nothing: leave out `group`"),
        (
            {"test": "predefined", "validation": 0.2, "stratify": True},
            "with `stratify` the validation samples are drawn",
        ),
        (
            {"test": 0.2, "time": "day", "validation_samples": "shuffled", "validation_seed": 1},
            "leave out `validation_samples`",
        ),
    ],
)
def test_an_invalid_split_is_refused(given: dict, expected: str):
    with pytest.raises(ValueError) as raised:
        Split(**given)
    assert expected in str(raised.value)


# --- by class, group or time ---

CLASSES = ("apple", "pear", "plum")
Y = st.lists(st.integers(0, 2), min_size=24, max_size=80).map(lambda values: np.array([0, 1, 2] * 4 + values))
GROUPS = st.lists(st.integers(0, 9), min_size=10, max_size=80).map(lambda values: np.array([0, 1, 2, 3, *values]))
TIMES = st.lists(st.floats(-1e6, 1e6), min_size=4, max_size=80).map(np.array)
HALVES = st.floats(0.2, 0.6)


def _divided(split: Split, y: np.ndarray, **columns: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The indices of the training, validation and test samples."""
    divider = find_divider(split, Samples(np.zeros((len(y), 1)), y), columns, columns, CLASSES)
    training, test = divide_test(len(y), split, divider)
    order, held_out = divide_validation(len(training), split, divider and divider.take(training))
    cut = len(training) - held_out
    return training[order[:cut]], training[order[cut:]], test


@given(Y, HALVES, SEEDS)
def test_stratified_test_samples_have_the_classes_shares_and_are_those_of_scikit_learn(y, fraction, seed):
    training, _, test = _divided(Split(test=fraction, test_seed=seed, stratify=True), y)
    assert sorted([*training, *test]) == list(range(len(y)))
    for label, count in enumerate(np.bincount(y)):
        assert abs(np.sum(y[test] == label) - count * len(test) / len(y)) < 1
    draw = StratifiedShuffleSplit(1, train_size=len(training), test_size=len(test), random_state=seed)
    ((expected, expected_test),) = draw.split(y, y)
    assert (training.tolist(), test.tolist()) == (expected.tolist(), expected_test.tolist())


@given(Y, SEEDS)
def test_stratified_validation_samples_have_the_classes_shares_too(y, seed):
    training, validation, test = _divided(Split(test=0.3, test_seed=seed, validation=0.4, stratify=True), y)
    assert sorted([*training, *validation, *test]) == list(range(len(y)))
    rest = np.bincount(y[np.concatenate([training, validation])])
    for label, count in enumerate(rest):
        assert abs(np.sum(y[validation] == label) - count * len(validation) / rest.sum()) < 1


@given(GROUPS, HALVES, SEEDS)
def test_no_group_is_in_two_parts_and_the_test_groups_are_those_of_scikit_learn(who, fraction, seed):
    split = Split(test=fraction, test_seed=seed, validation=0.4, group="who")
    codes = np.unique(who, return_inverse=True)[1]
    cut = int(len(np.unique(who)) * (1 - fraction))
    assume(cut > 1)
    parts = _divided(split, np.zeros(len(who)), who=who.astype(str))
    assert sorted(np.concatenate(parts)) == list(range(len(who)))
    training, validation, test = (set(who[part]) for part in parts)
    assert not (training & validation or training & test or validation & test)
    assert all((training, validation, test))
    groups = len(np.unique(who))
    ((_, expected),) = GroupShuffleSplit(1, train_size=cut, test_size=groups - cut, random_state=seed).split(
        codes, groups=codes
    )
    assert parts[2].tolist() == expected.tolist()
    assert len(test) == groups - cut


@pytest.mark.parametrize("who", [["1000", "1001", "A7", "A7"], ["100000000000000001", "100000000000000002"] * 2])
def test_groups_are_told_apart_by_their_text_also_where_it_looks_like_a_number(who: list[str]):
    numbers = np.array([float(each) if each.isdigit() else np.nan for each in who])
    split, samples = Split(test=0.5, test_seed=1, group="who"), Samples(np.zeros((4, 1)), np.zeros(4))
    divider = find_divider(split, samples, {"who": numbers}, {"who": np.array(who)})
    assert divider.values.tolist() == [sorted(set(who)).index(each) for each in who]


@given(TIMES, HALVES)
def test_no_sample_is_earlier_than_one_of_the_part_before(times, fraction):
    split = Split(test=fraction, validation=0.3, time="day")
    try:
        training, validation, test = _divided(split, np.zeros(len(times)), day=times)
    except ModelyardError:  # too few are left for validation
        assume(False)
    assert sorted([*training, *validation, *test]) == list(range(len(times)))
    in_order = times[np.concatenate([training, validation, test])]
    assert (np.diff(in_order) >= 0).all()
    kept = np.concatenate([training, validation])
    assert not np.intersect1d(times[kept], times[test]).size or len(np.unique(times)) == 1


@pytest.mark.parametrize("test, expected", [(0.23, 200 - 150), (0.28, 200 - 140), (0.01, 10)])
def test_the_cut_in_time_is_where_the_time_changes_nearest_to_the_fraction(test: float, expected: int):
    days = np.repeat(np.arange(20.0), 10)
    assert len(_divided(Split(test=test, time="day"), np.zeros(200), day=days)[2]) == expected


def test_another_seed_draws_other_classes_samples_and_other_groups():
    y, who = np.arange(60) % 3, np.arange(60) // 4
    for rule in ({"stratify": True}, {"group": "who"}):
        drawn = [_divided(Split(test=0.3, test_seed=seed, **rule), y, who=who)[2].tolist() for seed in (1, 1, 2)]
        assert drawn[0] == drawn[1] != drawn[2]


def test_validation_samples_have_a_seed_of_their_own_where_one_is_given():
    y = np.arange(60) % 3
    own = {"validation_samples": "shuffled", "validation_seed": 5}
    plain, other = (
        _divided(Split(test=0.3, test_seed=1, validation=0.3, stratify=True, **more), y) for more in ({}, own)
    )
    assert plain[2].tolist() == other[2].tolist()
    assert plain[1].tolist() != other[1].tolist()


@pytest.mark.parametrize(
    ("rule", "keys", "refusal"),
    [
        ({"group": "wo"}, {"who": ["1", "2"]}, "`split.group: wo`: the table has no such column; did you mean who?"),
        ({"group": "who"}, {}, "this data set is no table, so it has no columns"),
        ({"time": "day"}, {"day": [0, 1]}, "`split.time: day`: this column has text, which has no order in time"),
        (
            {"time": "day"},
            {"day": [0.0, np.nan]},
            "1 of 2 samples have no value in this column that can be read, the first of them sample 2",
        ),
        (
            {"group": "who"},
            {"who": ["", "A7"]},
            "1 of 2 samples have no value in this column that can be read, the first of them sample 1",
        ),
    ],
)
def test_a_column_that_cannot_divide_is_refused_with_what_to_do(rule: dict, keys: dict, refusal: str):
    split = Split(test=0.2, **rule, **({} if "time" in rule else {"test_seed": 1}))
    columns = {key: np.array(column) for key, column in keys.items()}
    with pytest.raises(ModelyardError) as raised:
        find_divider(split, Samples(np.zeros((2, 1)), np.zeros(2)), columns, columns)
    assert refusal in str(raised.value)


@pytest.mark.parametrize(
    ("rule", "y", "fraction", "refusal"),
    [
        ({"stratify": True}, [0, 0, 1, 1, 2, 0], 0.5, "class 'plum' has one of the 6 that `test: 0.5` divides: add"),
        ({"stratify": True}, [0, 0, 1, 1, 2, 2], 0.2, "`test: 0.2` of 6 samples keeps 4 and holds out 2"),
        ({"group": "who"}, [0, 0, 1, 1], 0.7, "`test: 0.7` of 2 groups leaves 0 to train on and holds out 2"),
    ],
)
def test_too_few_samples_of_a_class_or_groups_are_refused(rule: dict, y: list, fraction: float, refusal: str):
    with pytest.raises(ModelyardError) as raised:
        _divided(Split(test=fraction, test_seed=1, **rule), np.array(y), who=np.array(y, str))
    assert refusal in str(raised.value)


def test_a_stratified_regression_is_refused():
    split = Split(test=0.2, test_seed=1, stratify=True)
    check_task(split, "classification")
    with pytest.raises(ModelyardError, match="`stratify` is for classifications, and this data set is for regression"):
        check_task(split, "regression")


def test_settings_that_are_not_used_do_not_show():
    assert not {"stratify", "group", "time"} & Split(test=0.2, test_seed=1).model_dump().keys()
    assert Split(test=0.2, time="day").model_dump()["time"] == "day"


def test_leaks_to_test_samples_of_the_data_set_are_counted():
    group = Split(test="predefined", group="who")
    keys, test_keys = {"who": np.array([0, 0, 1, 2])}, {"who": np.array([1, 2, 2, 5])}
    assert count_leaks(group, keys, test_keys) == 2
    assert count_leaks(group.model_copy(update={"first": 3}), keys, test_keys) == 1
    time = Split(test="predefined", time="day")
    keys, test_keys = {"day": np.array([5.0, 1.0, 3.0])}, {"day": np.array([0.0, 4.0, 5.0, 6.0])}
    assert count_leaks(time, keys, test_keys) == 2
    assert count_leaks(time.model_copy(update={"first": 2}), keys, test_keys) == 1  # the two earliest
    assert count_leaks(time, keys, {}) == count_leaks(Split(test="predefined"), keys, test_keys) == 0
