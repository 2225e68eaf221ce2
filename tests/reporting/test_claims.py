"""The rows of tested claims."""

from typing import Any

import pytest
from support.paths import ROOT
from support.projects import CLAIM

from modelyard import params
from modelyard.core.files import write_json
from modelyard.reporting.claims import ClaimRow, claim_rows
from modelyard.reporting.project_files import ProjectFiles

PROJECT = params.load(ROOT / "params.yaml")


def row_of(tmp_path, **changes: Any) -> ClaimRow:
    write_json(tmp_path / "reports" / "claims.json", {"claims": {"standardised": CLAIM | changes}})
    (row,) = claim_rows(ProjectFiles(tmp_path), PROJECT)
    return row


def test_a_claim_has_its_effect_p_values_and_bar(tmp_path) -> None:
    row = row_of(tmp_path)
    assert (row.effect, row.p_values, row.pairs, row.style) == ("+0.03 (+0.01 to +0.05)", "0.003 / 1", 8, "good")
    assert row.bar is not None
    assert row.negligible[0] < row.zero < row.negligible[1] == row.bar.left


@pytest.mark.parametrize(
    ("difference", "effect"), [(None, ""), ({"mean": 0.1, "sd": None, "low": None, "high": None}, "+0.1")]
)
def test_a_claim_with_fewer_than_two_pairs_has_no_interval(tmp_path, difference, effect: str) -> None:
    untested = {"p_value_for": None, "p_value_against": None, "pairs": 0, "verdict": "not run"}
    row = row_of(tmp_path, difference=difference, **untested)
    assert (row.effect, row.p_values, row.bar, row.style) == (effect, "", None, "")


@pytest.mark.parametrize(("metric", "unit"), [("mae", "1000 dollars"), ("correlation", "")])
def test_only_an_error_in_the_targets_unit_has_a_unit(tmp_path, metric: str, unit: str) -> None:
    assert row_of(tmp_path, metric=metric).unit == unit


def test_a_claim_about_a_removed_experiment_is_shown(tmp_path) -> None:
    removed = {"experiment": "removed", "changes": {}, "values": []}
    assert row_of(tmp_path, first=removed, metric="mae").unit == ""


def test_without_a_file_there_are_no_claims(tmp_path) -> None:
    assert claim_rows(ProjectFiles(tmp_path), PROJECT) == []
