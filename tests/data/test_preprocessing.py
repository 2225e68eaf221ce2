"""Imputation and encoding: what is learnt from training samples, and what is refused."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.preprocessing import OneHotEncoder

from modelyard.core.errors import ModelyardError
from modelyard.data.columns import Column
from modelyard.data.preprocessing import (
    GAP,
    Imputation,
    Preprocessing,
    by_feature,
    choose_imputation,
    fit,
    fit_scaler,
    refuse_gaps,
)

AGE = Column(name="age", kind="number")
SEX = Column(name="sex", kind="category", categories=("f", "m"))
WHEN = Column(name="when", kind="date", parts=("year", "days"))
NAN = np.nan


def learn(columns: list[Column], x: list[list[float]], imputation: object = "refuse", min_frequency: int = 1):
    return fit(columns, choose_imputation(columns, imputation), min_frequency, np.array(x, dtype=float))


def test_the_median_and_the_most_frequent_value_stand_for_gaps():
    learnt = learn([AGE, SEX], [[1, 0], [2, 1], [9, 1], [NAN, NAN]], {"age": "median", "sex": "most_frequent"})
    assert learnt.fill == (2.0, 1.0)
    assert (learnt.numbers, [each.feature for each in learnt.one_hot]) == ((0,), [1])


def test_the_smaller_of_two_values_that_are_equally_frequent_is_taken():
    assert learn([AGE], [[3], [1], [3], [1]], "most_frequent").fill == (1.0,)


def test_one_strategy_for_all_takes_the_most_frequent_category_where_there_is_no_median():
    flag = Column(name="flag", kind="boolean")
    strategies = [each.strategy for each in choose_imputation([AGE, SEX, flag], "median")]
    assert strategies == ["median", "most_frequent", "most_frequent"]


def test_a_kept_gap_is_a_category_of_its_own_and_a_kept_number_stays_missing():
    learnt = learn([AGE, SEX], [[1, 0], [NAN, NAN]], "keep")
    assert learnt.fill == (None, GAP)
    assert learnt.one_hot[0].codes == (GAP, 0.0)
    assert learnt.keeps_gaps


def test_an_indicator_says_where_the_gaps_are_once_for_all_parts_of_a_date():
    with_indicator = Imputation(strategy="median", add_indicator=True)
    learnt = learn([AGE, WHEN], [[1, 2000, 3], [NAN, NAN, NAN]], {"age": with_indicator, "when": with_indicator})
    assert learnt.indicators == (0, 1)


@given(
    st.lists(st.integers(0, 5), min_size=1, max_size=60).map(np.array),
    st.integers(1, 8),
    st.lists(st.integers(-1, 6), min_size=1, max_size=10),
)
def test_rare_and_unknown_categories_are_encoded_as_scikit_learn_does(
    codes: np.ndarray, min_frequency: int, others: list[int]
):
    column = Column(name="a", kind="category", categories=tuple("abcdef"))
    (learnt,) = learn([column], codes[:, np.newaxis].tolist(), min_frequency=min_frequency).one_hot
    reference = OneHotEncoder(
        min_frequency=min_frequency, handle_unknown="infrequent_if_exist", sparse_output=False
    ).fit(codes[:, np.newaxis].astype(float))
    raw = np.array([[*codes, *others]], dtype=float).T
    ours = (raw == np.array(learnt.codes)).astype(float) if learnt.codes else np.empty((len(raw), 0))
    if learnt.has_other:
        ours = np.hstack([ours, 1 - ours.sum(axis=1, keepdims=True)])
    np.testing.assert_array_equal(ours, reference.transform(raw))


def test_encoded_features_have_names_that_say_what_they_are():
    learnt = learn(
        [AGE, SEX], [[1, 0], [NAN, NAN]], {"age": Imputation(strategy="median", add_indicator=True), "sex": "keep"}
    )
    assert learnt.encoded_names(("age", "sex"), [AGE, SEX]) == ("age", "age is missing", "sex = (missing)", "sex = f")
    rare = learn([SEX], [[0], [0], [1]], min_frequency=2)
    assert rare.encoded_names(("sex",), [SEX]) == ("sex = f", "sex = (other)")


def test_scaling_is_that_of_the_values_that_are_there_and_days_count_from_the_first():
    columns, x = [AGE, WHEN], np.array([[1, 2000, 10950.5], [5, 2001, 11000], [NAN, 2001, 11000]])
    learnt = fit(columns, choose_imputation(columns, {"age": "keep"}), 1, x)
    assert fit_scaler("none", learnt, columns, x).offset == (0.0, 0.0, 10950.5)
    assert fit_scaler("minmax", learnt, columns, x).scale == (4.0, 1.0, 49.5)
    assert fit_scaler("standard", learnt, columns, x).offset[0] == 3.0


def test_gaps_without_a_strategy_are_refused_with_the_line_to_write():
    columns = [AGE, SEX]
    with pytest.raises(ModelyardError) as raised:
        refuse_gaps(columns, choose_imputation(columns, "refuse"), np.array([[1, 0], [NAN, NAN], [NAN, 1]]))
    message = str(raised.value)
    assert "'age' in 2 (row 2 below the header is the first), 'sex' in 1" in message
    assert "imputation: {age: median, sex: most_frequent}" in message
    columns = [Column(name="price, USD", kind="number")]
    with pytest.raises(ModelyardError, match=r'imputation: \{"price, USD": median\}'):
        refuse_gaps(columns, choose_imputation(columns, "refuse"), np.array([[1], [NAN]]))


def test_a_further_strategy_is_added_to_those_that_there_are():
    columns = [AGE, SEX]
    with pytest.raises(ModelyardError, match=r"add to `imputation` of this entry .*such as\n  sex: most_frequent$"):
        refuse_gaps(columns, choose_imputation(columns, {"age": "median"}), np.array([[NAN, 0], [1, NAN]]))


@pytest.mark.parametrize(
    ("imputation", "refusal"),
    [({"agee": "median"}, "imputation.agee: no such column .* did you mean age"), ({"sex": "median"}, "no median")],
)
def test_an_imputation_that_fits_no_column_is_refused(imputation: dict, refusal: str):
    with pytest.raises(ModelyardError, match=refusal):
        choose_imputation([AGE, SEX], imputation)


def test_a_column_without_any_value_in_training_is_refused():
    with pytest.raises(ModelyardError, match="'age' has no value in any training sample: drop it"):
        learn([AGE], [[NAN], [NAN]], "median")


def test_features_are_the_parts_of_columns_in_order():
    assert [(each.position, each.column.name, each.part) for each in by_feature([WHEN, AGE])] == [
        (0, "when", "year"),
        (1, "when", "days"),
        (2, "age", None),
    ]


def test_what_is_learnt_survives_json():
    learnt = learn([AGE, SEX], [[1, 0], [NAN, NAN]], "keep")
    assert Preprocessing.model_validate_json(learnt.model_dump_json(), strict=False) == learnt


def test_a_number_that_stays_missing_in_all_training_samples_is_not_scaled():
    x = np.array([[NAN], [NAN]])
    learnt = fit([AGE], choose_imputation([AGE], {"age": "keep"}), 1, x)
    scaler = fit_scaler("standard", learnt, [AGE], x)
    assert (scaler.offset, scaler.scale) == ((0.0,), (1.0,))
