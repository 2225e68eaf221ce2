"""Verdicts on made-up runs with known answers: a true effect, none, too few seeds."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from statsmodels.stats.weightstats import DescrStatsW
from support.paths import PARAMS

from modelyard import params
from modelyard.params.claim import ClaimSettings, Side
from modelyard.replication import claims
from modelyard.replication.claims import PairedRuns, Verdict, assess

SMALLEST = 0.5
STUDIES = 50
COMMON = {"changes": {"training.epochs": 4}, "splits": True}


def claim(direction: str = "higher", **changes: object) -> ClaimSettings:
    values = {
        "says": "the first is better",
        "first": Side(experiment="one"),
        "second": Side(experiment="other"),
        "metric": "accuracy",
        "direction": direction,
        "smallest": SMALLEST,
        "seeds": 10,
    }
    return ClaimSettings(**(values | changes))


def pairs(effect: float, seeds: int = 10, noise: float = 0.2, random_seed: int = 0) -> PairedRuns:
    """Runs of two sides whose seeds move both alike; the first is higher by `effect` and some noise."""
    random = np.random.default_rng(random_seed)
    shared = random.normal(scale=5, size=seeds)
    return PairedRuns(shared + effect + random.normal(scale=noise, size=seeds), shared)


def verdict(direction: str, measured: PairedRuns) -> Verdict:
    return assess({"one": claim(direction)}, {"one": measured})["one"].verdict


@pytest.mark.parametrize(
    ("direction", "effect", "expected"),
    [
        ("higher", 2.0, Verdict.HOLDS),
        ("higher", 0.0, Verdict.FAILS),
        ("higher", -2.0, Verdict.FAILS),
        ("lower", -2.0, Verdict.HOLDS),
        ("lower", 0.0, Verdict.FAILS),
        ("lower", 2.0, Verdict.FAILS),
        ("equal", 0.0, Verdict.HOLDS),
        ("equal", 2.0, Verdict.FAILS),
        ("equal", -2.0, Verdict.FAILS),
        ("different", 2.0, Verdict.HOLDS),
        ("different", -2.0, Verdict.HOLDS),
        ("different", 0.0, Verdict.FAILS),
    ],
)
def test_a_clear_effect_and_a_clear_lack_of_one_are_told_apart(direction: str, effect: float, expected: Verdict):
    assert verdict(direction, pairs(effect)) is expected


@pytest.mark.parametrize("direction", ["higher", "lower", "equal", "different"])
@pytest.mark.parametrize("effect", [0.0, 0.6, -0.6])
def test_few_seeds_and_much_noise_settle_nothing(direction: str, effect: float):
    assert verdict(direction, pairs(effect, seeds=3, noise=3.0)) is Verdict.OPEN


@pytest.mark.parametrize("direction", ["higher", "lower", "equal", "different"])
def test_one_seed_settles_nothing_and_none_was_not_run(direction: str):
    assert verdict(direction, pairs(9.0, seeds=1)) is Verdict.OPEN
    assert verdict(direction, pairs(9.0, seeds=0)) is Verdict.NOT_RUN


def test_a_difference_that_is_there_but_smaller_than_what_matters_holds_with_its_size():
    found = assess({"one": claim("higher")}, {"one": pairs(0.1, seeds=40, noise=0.05)})["one"]
    assert found.verdict is Verdict.HOLDS
    assert 0 < found.difference.low < 0.1 < found.difference.high < SMALLEST
    assert found.remark == "by less than the 0.5 that would matter"


@pytest.mark.parametrize(("direction", "effect"), [("higher", 2.0), ("lower", -2.0), ("equal", 0.0), ("higher", 0.0)])
def test_a_verdict_with_nothing_to_hide_has_no_remark(direction: str, effect: float):
    assert assess({"one": claim(direction)}, {"one": pairs(effect)})["one"].remark == ""


def test_a_claim_that_was_never_tested_is_not_counted_among_those_that_share_the_level():
    names = {"tested": pairs(2.0), "once": pairs(2.0, seeds=1), "never": pairs(2.0, seeds=0)}
    found = assess({name: claim() for name in names}, names)
    assert claims.as_json(found)["correction"] == "Holm over the two tests of each of 1 claims"
    assert "over all 1 tested claims" in claims.markdown(found)


def test_what_the_seeds_have_in_common_is_no_noise():
    paired = pairs(1.0)
    shuffled = PairedRuns(paired.first, np.roll(paired.second, 1))
    assert verdict("higher", paired) is Verdict.HOLDS
    assert verdict("higher", shuffled) is Verdict.OPEN


@pytest.mark.parametrize(("seeds", "expected"), [(12, Verdict.HOLDS), (2, Verdict.OPEN)])
def test_equal_differences_are_counted_and_two_are_too_few(seeds: int, expected: Verdict):
    assert verdict("higher", PairedRuns(np.ones(seeds), np.full(seeds, 0.5))) is expected
    assert verdict("equal", PairedRuns(np.ones(seeds), np.ones(seeds))) is expected
    assert verdict("lower", PairedRuns(np.zeros(seeds), np.full(seeds, 0.5))) is expected


def test_many_claims_ask_for_more_than_one_does():
    weak = pairs(0.25, seeds=8, noise=0.3, random_seed=1)
    assert verdict("higher", weak) is Verdict.HOLDS
    names = [f"claim {number}" for number in range(40)]
    of_many = {name: pairs(0.0, seeds=3, noise=5.0, random_seed=number) for number, name in enumerate(names)}
    found = assess({name: claim() for name in [*names, "weak"]}, of_many | {"weak": weak})
    assert found["weak"].verdict is Verdict.OPEN
    assert found["weak"].p_value_for > assess({"one": claim()}, {"one": weak})["one"].p_value_for


def test_among_many_claims_without_an_effect_hardly_ever_one_is_said_to_hold():
    wrong = 0
    for study in range(STUDIES):
        measured = {str(each): pairs(0.0, seeds=6, noise=3.0, random_seed=100 * study + each) for each in range(5)}
        found = assess({name: claim("higher") for name in measured}, measured)
        wrong += any(each.verdict is Verdict.HOLDS for each in found.values())
    assert wrong / STUDIES <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / STUDIES)


def test_equality_is_tested_as_statsmodels_does_it():
    measured = pairs(0.2, seeds=9, noise=0.4)
    found = assess({"one": claim("equal")}, {"one": measured})["one"]
    alone = DescrStatsW(measured.differences).ttost_mean(-SMALLEST, SMALLEST)[0]
    assert found.p_value_for == pytest.approx(min(1.0, 2 * alone))  # Holm over two tests; this is the smaller one


values = st.lists(st.tuples(st.floats(-9, 9), st.floats(-9, 9)), min_size=0, max_size=8)


@hypothesis_settings(max_examples=15)
@given(values, st.sampled_from(["higher", "lower"]))
def test_swapping_the_sides_turns_the_direction_around(runs: list, direction: str):
    first, second = np.array(runs, dtype=float).reshape(-1, 2).T
    other = {"higher": "lower", "lower": "higher"}[direction]
    assert verdict(direction, PairedRuns(first, second)) is verdict(other, PairedRuns(second, first))


@hypothesis_settings(max_examples=15)
@given(values, st.sampled_from(["equal", "different"]))
def test_swapping_the_sides_of_an_equality_changes_nothing(runs: list, direction: str):
    first, second = np.array(runs, dtype=float).reshape(-1, 2).T
    assert verdict(direction, PairedRuns(first, second)) is verdict(direction, PairedRuns(second, first))


@hypothesis_settings(max_examples=15)
@given(values)
def test_nothing_is_both_equal_and_different_unless_the_difference_is_too_small_to_matter(runs: list):
    first, second = np.array(runs, dtype=float).reshape(-1, 2).T
    both = {verdict(direction, PairedRuns(first, second)) for direction in ("equal", "different")}
    if both == {Verdict.HOLDS}:
        assert abs(np.mean(first - second)) < SMALLEST


@pytest.fixture
def findings() -> dict[str, claims.ClaimResult]:
    names = {"clear": pairs(2.0), "single": pairs(1.0, seeds=1), "none": pairs(0.0, seeds=0)}
    changed = Side(experiment="one", changes={"model.dropout": 0.5})
    return assess(
        {name: claim(first=changed, notebook="" if name == "none" else "001", **COMMON) for name in names}, names
    )


def test_the_table_has_a_line_for_each_claim_with_sides_size_and_verdict(findings):
    *_, clear, single, none = claims.markdown(findings).splitlines()
    sides = "| `one with model.dropout 0.5` | `other` | training.epochs 4, a split for each seed |"
    assert f"{sides} accuracy, higher | +1.91 (+1.78 to +2.04) |" in clear
    assert clear.endswith(" | 10 | **holds** |")
    assert single.endswith(" | 1 | **not settled at this budget** |")
    assert "| ours |" in none
    assert none.endswith("|  | 0 | **not run** |")


def test_the_json_holds_every_run_and_the_interval(findings):
    told = claims.as_json(findings)["claims"]
    assert told["clear"]["verdict"] == "holds"
    assert (
        len(told["clear"]["first"]["values"]) == len(told["clear"]["second"]["values"]) == told["clear"]["pairs"] == 10
    )
    assert told["clear"]["difference"]["low"] < 2 < told["clear"]["difference"]["high"]
    assert told["single"]["difference"]["low"] is None
    assert told["none"]["difference"] is None


def test_runs_that_a_report_tells_count_while_the_comparison_is_the_same(findings):
    told = claims.as_json(findings)["claims"]["clear"]
    asked = findings["clear"].claim
    renamed, other = (asked.model_copy(update=change) for change in ({"says": "so they say"}, {"metric": "loss"}))
    earlier = claims.reported_runs(renamed, told)
    np.testing.assert_array_equal(earlier.differences, findings["clear"].pairs.differences)
    found = assess({"clear": renamed}, {"clear": earlier})["clear"]
    assert (found.verdict, found.remark) == (Verdict.HOLDS, "settled earlier, not run here")
    unknown = assess({"clear": other}, {"clear": claims.reported_runs(other, told)})["clear"]
    assert (unknown.verdict, unknown.remark) == (Verdict.NOT_RUN, "")


def test_each_claim_of_the_notes_is_paired_over_seeds_on_both_sides():
    project = params.load(PARAMS)
    assert len(project.claims) >= 15
    for name, entry in project.claims.items():
        (first, runs), (second, others) = claims.both_series(project, name, None)
        assert runs == others == entry.seeds >= 6
        assert first.resolved.seed == second.resolved.seed
        assert first.key != second.key
