"""Verdicts on made-up runs with known answers: a true effect, no effect, too few seeds."""

import json
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from statsmodels.stats.weightstats import DescrStatsW
from support.paths import PARAMS, ROOT

from modelyard import params
from modelyard.core.files import read_json, write_json
from modelyard.params.claim import ClaimSettings, Side
from modelyard.params.project import Project
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


def verdict(direction: str, runs: PairedRuns) -> Verdict:
    return assess({"one": claim(direction)}, {"one": runs})["one"].verdict


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
def test_a_clear_effect_and_a_clear_lack_of_one_are_distinguished(direction: str, effect: float, expected: Verdict):
    assert verdict(direction, pairs(effect)) is expected


@pytest.mark.parametrize("direction", ["higher", "lower", "equal", "different"])
@pytest.mark.parametrize("effect", [0.0, 0.6, -0.6])
def test_few_noisy_seeds_settle_nothing(direction: str, effect: float):
    assert verdict(direction, pairs(effect, seeds=3, noise=3.0)) is Verdict.INCONCLUSIVE


@pytest.mark.parametrize("direction", ["higher", "lower", "equal", "different"])
def test_one_seed_settles_nothing_and_no_seed_is_not_run(direction: str):
    assert verdict(direction, pairs(9.0, seeds=1)) is Verdict.INCONCLUSIVE
    assert verdict(direction, pairs(9.0, seeds=0)) is Verdict.NOT_RUN


def test_a_difference_too_small_to_matter_holds_with_a_remark():
    result = assess({"one": claim("higher")}, {"one": pairs(0.1, seeds=40, noise=0.05)})["one"]
    assert result.verdict is Verdict.HOLDS
    assert 0 < result.difference.low < 0.1 < result.difference.high < SMALLEST
    assert result.remark == "by less than the 0.5 that would matter"


@pytest.mark.parametrize(("direction", "effect"), [("higher", 2.0), ("lower", -2.0), ("equal", 0.0), ("higher", 0.0)])
def test_other_verdicts_have_no_remark(direction: str, effect: float):
    assert assess({"one": claim(direction)}, {"one": pairs(effect)})["one"].remark == ""


def test_only_tested_claims_share_the_level():
    names = {"tested": pairs(2.0), "once": pairs(2.0, seeds=1), "never": pairs(2.0, seeds=0)}
    results = assess({name: claim() for name in names}, names)
    assert claims.as_json(results)["correction"] == "Holm over the two tests of each of 1 claims"
    assert "to all 1 tested claims" in claims.markdown(results)


def test_the_test_is_paired_by_seed():
    paired = pairs(1.0)
    shuffled = PairedRuns(paired.first, np.roll(paired.second, 1))
    assert verdict("higher", paired) is Verdict.HOLDS
    assert verdict("higher", shuffled) is Verdict.INCONCLUSIVE


@pytest.mark.parametrize(("seeds", "expected"), [(12, Verdict.HOLDS), (2, Verdict.INCONCLUSIVE)])
def test_equal_differences_are_tested_by_their_signs(seeds: int, expected: Verdict):
    assert verdict("higher", PairedRuns(np.ones(seeds), np.full(seeds, 0.5))) is expected
    assert verdict("equal", PairedRuns(np.ones(seeds), np.ones(seeds))) is expected
    assert verdict("lower", PairedRuns(np.zeros(seeds), np.full(seeds, 0.5))) is expected


def test_many_claims_need_more_evidence_than_one():
    weak = pairs(0.25, seeds=8, noise=0.3, random_seed=1)
    assert verdict("higher", weak) is Verdict.HOLDS
    names = [f"claim {number}" for number in range(40)]
    of_many = {name: pairs(0.0, seeds=3, noise=5.0, random_seed=number) for number, name in enumerate(names)}
    results = assess({name: claim() for name in [*names, "weak"]}, of_many | {"weak": weak})
    assert results["weak"].verdict is Verdict.INCONCLUSIVE
    assert results["weak"].p_value_for > assess({"one": claim()}, {"one": weak})["one"].p_value_for


@pytest.mark.slow
def test_the_familywise_error_is_at_most_five_percent():
    wrong = 0
    for study in range(STUDIES):
        pairs_by_name = {str(each): pairs(0.0, seeds=6, noise=3.0, random_seed=100 * study + each) for each in range(5)}
        results = assess({name: claim("higher") for name in pairs_by_name}, pairs_by_name)
        wrong += any(each.verdict is Verdict.HOLDS for each in results.values())
    assert wrong / STUDIES <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / STUDIES)


def test_equality_is_tested_as_in_statsmodels():
    pairs_by_name = pairs(0.2, seeds=9, noise=0.4)
    result = assess({"one": claim("equal")}, {"one": pairs_by_name})["one"]
    alone = DescrStatsW(pairs_by_name.differences).ttost_mean(-SMALLEST, SMALLEST)[0]
    assert result.p_value_for == pytest.approx(min(1.0, 2 * alone))  # Holm over two tests; this is the smaller one


values = st.lists(st.tuples(st.floats(-9, 9), st.floats(-9, 9)), min_size=0, max_size=8)


@hypothesis_settings(max_examples=15)
@given(values, st.sampled_from(["higher", "lower"]))
def test_swapped_sides_have_the_opposite_direction(runs: list, direction: str):
    first, second = np.array(runs, dtype=float).reshape(-1, 2).T
    other = {"higher": "lower", "lower": "higher"}[direction]
    assert verdict(direction, PairedRuns(first, second)) is verdict(other, PairedRuns(second, first))


@hypothesis_settings(max_examples=15)
@given(values, st.sampled_from(["equal", "different"]))
def test_swapped_sides_of_an_equality_have_the_same_verdict(runs: list, direction: str):
    first, second = np.array(runs, dtype=float).reshape(-1, 2).T
    assert verdict(direction, PairedRuns(first, second)) is verdict(direction, PairedRuns(second, first))


@hypothesis_settings(max_examples=15)
@given(values)
def test_only_a_difference_too_small_to_matter_is_both_equal_and_different(runs: list):
    first, second = np.array(runs, dtype=float).reshape(-1, 2).T
    both = {verdict(direction, PairedRuns(first, second)) for direction in ("equal", "different")}
    if both == {Verdict.HOLDS}:
        assert abs(np.mean(first - second)) < SMALLEST


@pytest.fixture
def results() -> dict[str, claims.ClaimResult]:
    names = {"clear": pairs(2.0), "single": pairs(1.0, seeds=1), "none": pairs(0.0, seeds=0)}
    changed = Side(experiment="one", changes={"model.dropout": 0.5})
    return assess(
        {name: claim(first=changed, notebook="" if name == "none" else "001", **COMMON) for name in names}, names
    )


def test_the_table_has_a_row_per_claim_with_sides_effect_and_verdict(results):
    *_, clear, single, none = claims.markdown(results).splitlines()
    sides = "| `one with model.dropout 0.5` | `other` | training.epochs 4, a split for each seed |"
    assert f"{sides} accuracy, higher | +1.91 (+1.78 to +2.04) |" in clear
    assert clear.endswith(" | 10 | **holds** |")
    assert single.endswith(" | 1 | **inconclusive** |")
    assert "| ours |" in none
    assert none.endswith("|  | 0 | **not run** |")


def test_the_json_holds_every_run_and_the_interval(results):
    entries = claims.as_json(results)["claims"]
    clear = entries["clear"]
    assert (clear["verdict"], clear["pairs"]) == ("holds", 10)
    assert len(clear["first"]["values"]) == len(clear["second"]["values"]) == 10
    assert clear["difference"]["low"] < 2 < clear["difference"]["high"]
    assert clear["p_value_for"] < 0.05 < clear["p_value_against"]
    assert entries["single"]["difference"]["low"] is None
    assert entries["none"]["difference"] is None


def test_reported_runs_count_while_the_comparison_is_the_same(results):
    entry, asked = claims.as_json(results)["claims"]["clear"], results["clear"].claim
    reworded, other = (asked.model_copy(update=change) for change in ({"says": "in other words"}, {"metric": "loss"}))
    reported = claims.reported_runs(reworded, entry)
    np.testing.assert_array_equal(reported.differences, results["clear"].pairs.differences)
    result = assess({"clear": reworded}, {"clear": reported})["clear"]
    assert (result.verdict, result.remark) == (Verdict.HOLDS, "settled earlier, not run here")
    result = assess({"clear": other}, {"clear": claims.reported_runs(other, entry)})["clear"]
    assert (result.verdict, result.remark) == (Verdict.NOT_RUN, "")


@pytest.fixture(scope="module")
def project() -> Project:
    return params.load(PARAMS)


def test_the_committed_report_is_of_the_claims_of_this_project(project):
    """Readers who have not run them see these values: an edited claim must be run again, or its entry deleted."""
    entries = read_json(ROOT / "reports" / "claims.json")["claims"]
    declared = params.load_claims(project, ROOT / "claims.yaml")
    assert all(len(claims.reported_runs(declared[name], entry)) == entry["pairs"] for name, entry in entries.items())


def test_the_committed_table_is_that_of_the_committed_values(project):
    entries = read_json(ROOT / "reports" / "claims.json")["claims"]
    declared = params.load_claims(project, ROOT / "claims.yaml")
    pairs_by_name = {
        name: replace(
            claims.reported_runs(declared[name], entry), from_report=claims.FROM_REPORT in entry.get("remark", "")
        )
        for name, entry in entries.items()
    }
    results = assess({name: declared[name] for name in entries}, pairs_by_name)
    assert json.loads(json.dumps(claims.as_json(results)))["claims"] == entries
    assert claims.markdown(results) == (ROOT / "reports" / "claims.md").read_text(encoding="utf-8")


def test_each_claim_of_this_project_is_paired_over_seeds(project):
    declared = params.load_claims(project, ROOT / "claims.yaml")
    assert len(declared) >= 15
    for claim_settings in declared.values():
        (first, seeds), (second, seeds_of_second) = claims.both_series(project, claim_settings, None)
        assert seeds == seeds_of_second == claim_settings.seeds >= 6
        assert first.resolved.seed == second.resolved.seed
        assert first.key != second.key


def test_the_runs_of_a_claim_are_those_whose_seed_both_sides_have(project, tmp_path):
    compared = claim(first=Side(experiment="boston_linear"), second=Side(experiment="boston_mlp"), metric="mae")
    (first, _), (second, _) = claims.both_series(project, compared, None)
    for series, offsets in ((first, (0, 1, 3)), (second, (1, 2, 3))):
        for offset in offsets:
            write_json(series.job(offset, tmp_path).file, {"metrics": {"mae": float(offset)}})
    assert claims.paired_runs(project, compared, tmp_path, None).first.tolist() == [1.0, 3.0]
    assert claims.paired_runs(project, compared, tmp_path, 2).second.tolist() == [1.0]
