"""The data card counts what can be wrong with an input."""

import json

import numpy as np
from support.inputs import describe as description_of

from modelyard.data.inputs import TrainingInput
from modelyard.data.samples import Samples
from modelyard.experiments import data_card


def _card(rows: Samples, test: Samples, validation_samples: int = 0, **changes: object) -> dict:
    return data_card.describe(TrainingInput(description_of(rows, validation_samples, **changes), rows), test)


TABLE = Samples(np.array([[1.0, 7.0, 0.0], [2.0, 7.0, 0.0], [3.0, 7.0, 0.0], [4.0, 9.0, 5.0]]), np.arange(4.0))


def test_each_part_has_its_size_range_and_target():
    card = _card(TABLE, Samples(np.array([[8.0, 8.0, 8.0]]), np.array([9.0])), validation_samples=1)
    assert list(card["parts"]) == ["training", "validation", "test"]
    training = card["parts"]["training"]
    assert (training["rows"], training["smallest"], training["largest"]) == (3, 0.0, 7.0)
    assert training["target"] == {"smallest": 0.0, "mean": 1.0, "largest": 2.0}
    assert card["shape_of_a_row"] == [3]
    assert json.loads(json.dumps(card, allow_nan=False)) == card


def test_an_empty_part_is_left_out():
    assert list(_card(TABLE, TABLE)["parts"]) == ["training", "test"]


def test_classes_are_counted_by_name_even_those_that_do_not_occur(image_input: TrainingInput):
    test = Samples(image_input.samples.x[:3], np.zeros(3, np.uint8))
    parts = data_card.describe(image_input, test)["parts"]
    assert parts["training"]["rows_per_class"] == {"dark": 32, "bright": 32}
    assert parts["validation"]["rows_per_class"] == {"dark": 8, "bright": 8}
    assert parts["test"]["rows_per_class"] == {"dark": 3, "bright": 0}
    assert parts["test"]["dtype"] == "uint8"


def test_features_that_are_constant_in_training_are_listed_by_name():
    constant = _card(TABLE, TABLE, validation_samples=1, features=("a", "b", "c"))["constant_features"]
    assert constant == {"count": 2, "names": ["b", "c"]}


def test_boxes_are_counted_by_image_and_by_class_even_where_there_is_none():
    y = np.full((4, 3, 5), -1.0)
    y[0, :2, 0], y[1, 0, 0], y[2, :3, 0] = (0, 2), 2, 2
    rows = Samples(np.zeros((4, 8, 8, 1), np.uint8), y)
    card = _card(rows, rows.take(np.array([3])), validation_samples=1, classes=("a", "b", "c"), task="detection")
    training, validation = card["parts"]["training"], card["parts"]["validation"]
    assert training["boxes_per_row"] == {"fewest": 1, "most": 3}
    assert training["boxes_per_class"] == {"a": 1, "b": 0, "c": 5}
    assert validation["boxes_per_row"] == {"fewest": 0, "most": 0}
    assert card["parts"]["test"]["boxes_per_class"] == {"a": 0, "b": 0, "c": 0}
    assert not {"rows_per_class", "target"} & training.keys()
    json.dumps(card, allow_nan=False)


BLANK = Samples(np.zeros((3, 8, 8, 1), np.uint8), np.zeros(3, np.uint8))


def test_many_constant_pixels_are_counted_but_few_named():
    constant = _card(BLANK, BLANK, classes=("blank",))["constant_features"]
    assert (constant["count"], len(constant["names"])) == (64, data_card.LISTED)


def test_constant_pixels_are_named_by_their_position():
    assert _card(BLANK, BLANK, classes=("blank",))["constant_features"]["names"][9] == "(1, 1, 0)"


def test_rows_in_both_training_and_test_are_counted_once_each():
    test = Samples(np.array([[1.0, 7.0, 0.0], [1.0, 7.0, 0.0], [4.0, 9.0, 5.0], [0.0, 0.0, 0.0]]), np.zeros(4))
    assert _card(TABLE, test, validation_samples=1)["distinct_rows_in_both_training_and_test"] == 2


def test_missing_values_are_counted_in_features_and_targets():
    rows = Samples(np.array([[np.nan, 1.0], [np.nan, 2.0]]), np.array([1.0, np.nan]))
    assert _card(rows, TABLE)["parts"]["training"]["missing_values"] == 3
    assert _card(TABLE, TABLE)["parts"]["training"]["missing_values"] == 0


def test_a_card_of_rows_with_missing_values_can_be_written():
    rows = Samples(np.array([[np.nan, 1.0], [3.0, 2.0]]), np.array([1.0, 2.0]))
    json.dumps(_card(rows, rows), allow_nan=False)


# --- warnings ---


def test_an_input_without_doubts_has_no_warnings(image_input: TrainingInput):
    test = Samples(255 - image_input.samples.x[:4], image_input.samples.y[:4])
    card = data_card.describe(image_input, test)
    assert data_card.warnings(card) == []
    assert not set(data_card.LEAKS.values()) & card.keys()


def test_samples_on_both_sides_are_a_warning():
    assert data_card.warnings(_card(TABLE, TABLE.take(np.array([0, 1])))) == [
        "2 distinct sample(s) are in both the training and the test data, so their test results say little about new "
        "samples"
    ]


def test_leaks_of_a_split_by_group_or_time_are_in_the_card_and_a_warning():
    test = Samples(np.full((1, 3), 99.0), np.array([9.0]))
    for split_by, start in (
        ("group", "3 group(s) are in both the training and the test data"),
        ("time", "3 test sample(s) are earlier than the last training sample"),
    ):
        rows = TrainingInput(description_of(TABLE, split_by=split_by), TABLE)
        card = data_card.describe(rows, test, leaks=3)
        assert card[data_card.LEAKS[split_by]] == 3
        (warning,) = data_card.warnings(card)
        assert warning.startswith(start)


def test_classes_of_one_part_are_a_warning():
    def samples(*y: int) -> Samples:
        return Samples(np.random.default_rng(sum(y)).normal(size=(len(y), 2)), np.array(y))

    card = _card(samples(0, 1, 2, 0, 3), samples(0, 0), validation_samples=1, classes=("a", "b", "c", "d"))
    assert data_card.warnings(card) == [
        "only the training samples have class(es) 'b', 'c', so no test sample measures them",
        "only the validation samples have class(es) 'd', so no model learns them",
        "no validation sample has class(es) 'a', 'b', 'c', so early stopping and tuning do not see them: "
        "draw them with `stratify: true` or `validation_samples: shuffled`, or add samples of these classes",
    ]


def test_files_that_were_left_out_are_counted_and_named():
    card = data_card.describe(
        TrainingInput(description_of(TABLE), TABLE), TABLE, left_out=[f"a/{number}.png: broken" for number in range(30)]
    )
    assert card["left_out"]["count"] == 30
    assert any(
        text.startswith("30 file(s) were left out: a/0.png: broken; a/1.png") for text in data_card.warnings(card)
    )
    assert "left_out" not in _card(TABLE, TABLE)
