"""What differs between two states, and how the twin tells it."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.paths import ROOT

from modelyard import params
from modelyard.reporting.changes import Changes, Difference, State, changes
from modelyard.reporting.markdown import told

PROJECT = params.load(ROOT / "params.yaml")
NAMES = ["boston_mlp", "digits_cnn", "mnist_autoencoder"]
FIGURES = st.dictionaries(
    st.sampled_from(["accuracy", "loss", "correlation", "mae", "mse", "r2"]), st.integers(-99, 99).map(float)
)
ENTRIES = st.fixed_dictionaries(
    {}, optional={name: st.dictionaries(st.sampled_from("abc"), st.integers(0, 3)) for name in NAMES}
)


@st.composite
def states(draw: st.DrawFn) -> State:
    entries = draw(ENTRIES)
    figures = {name: draw(FIGURES) for name in entries}
    intervals = {name: {metric: (value - 1, value + 1) for metric, value in figures[name].items()} for name in entries}
    params = {"experiments": entries, "runtime": {"threads": draw(st.integers(1, 2))}}
    outputs = draw(
        st.dictionaries(st.sampled_from(["data/raw/a", "data/inputs/b/test", "results/c/model"]), st.just("1"))
    )
    return State(params, figures, intervals, outputs, draw(st.dictionaries(st.just("claim"), st.sampled_from("xy"))))


@given(states())
def test_a_state_differs_in_nothing_from_itself(state: State) -> None:
    assert not changes(PROJECT, state, state)


@given(states(), states())
def test_there_and_back_tells_the_same_changes_the_other_way_round(one: State, other: State) -> None:
    there, back = changes(PROJECT, one, other), changes(PROJECT, other, one)
    assert (there.added, there.removed) == (back.removed, back.added)
    for name in ("params", "data", "verdicts"):
        turned = [Difference(each.name, each.now, each.before) for each in getattr(back, name)]
        assert sorted(getattr(there, name), key=str) == sorted(turned, key=str)
    assert {(each.experiment, each.metric, not each.better) for each in there.figures} == {
        (each.experiment, each.metric, each.better) for each in back.figures
    }


@given(states(), states())
def test_a_model_of_other_bytes_is_no_change_of_data(one: State, other: State) -> None:
    assert not [each for each in changes(PROJECT, one, other).data if each.name.startswith("results/")]


@pytest.mark.parametrize(
    ("metric", "now", "better"),
    [("correlation", 9.0, True), ("mae", 9.0, False), ("mse", 1.0, True), ("r2", 1.0, False)],
)
def test_it_is_known_of_each_metric_whether_more_is_better(metric: str, now: float, better: bool) -> None:
    before, after = (
        State({"experiments": {"boston_mlp": {}}}, {"boston_mlp": {metric: value}}, {"boston_mlp": {}}, {}, {})
        for value in (5.0, now)
    )
    (shift,) = changes(PROJECT, before, after).figures
    assert (shift.better, shift.beyond) == (better, True)


@given(st.text(min_size=1))
def test_no_value_breaks_the_table_that_tells_it(text: str) -> None:
    (table,) = told(Changes((), (), (Difference("key", text, None),), (), (), ()))
    header, rule, line = table.split("\n")
    assert [len(re.findall(r"(?<!\\)(?:\\\\)*\|", each)) for each in (header, rule, line)] == [4, 4, 4]
