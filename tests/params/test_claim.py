"""A claim: its sides, its text, and its way back from a report."""

import json

import pytest
from pydantic import ValidationError

from modelyard.params.claim import ClaimSettings, Side, claim_from_report

CLAIM = ClaimSettings(
    says="more filters help",
    first=Side(experiment="cnn", changes={"model.filters": (8, 16), "training.epochs": 2}),
    second=Side(experiment="cnn"),
    changes={"training.epochs": 4, "split.first": 100},
    metric="accuracy",
    direction="higher",
    smallest=0.01,
    seeds=5,
)


def test_each_side_has_the_changes_of_both_and_its_own_win():
    first, second = CLAIM.sides
    assert first.changes == {"model.filters": (8, 16), "training.epochs": 2, "split.first": 100}
    assert second.changes == {"training.epochs": 4, "split.first": 100}
    assert str(second) == "cnn with training.epochs 4, split.first 100"
    assert str(CLAIM.second) == "cnn"


def test_shared_changes_name_what_both_sides_have_changed():
    assert CLAIM.shared_changes == "training.epochs 4, split.first 100"
    assert CLAIM.model_copy(update={"splits": True}).shared_changes.endswith("split.first 100, a split for each seed")


def test_equal_sides_are_refused():
    with pytest.raises(ValidationError, match="first and second are the same"):
        ClaimSettings(**CLAIM.model_dump() | {"first": Side(experiment="cnn")})


def test_seeds_that_give_no_verdict_are_refused():
    with pytest.raises(ValidationError, match="greater than or equal to 5"):
        ClaimSettings(**CLAIM.model_dump() | {"seeds": 4})


def test_a_difference_that_no_run_can_have_is_refused():
    with pytest.raises(ValidationError, match="finite number"):
        ClaimSettings(**CLAIM.model_dump() | {"smallest": float("inf")})


def test_a_claim_is_restored_from_its_entry_in_a_report():
    written = CLAIM.model_copy(update={"first": Side(experiment="cnn", changes={"training.epochs": 2})})
    entry = json.loads(json.dumps(written.model_dump(mode="json")))
    entry["first"]["values"], entry["second"]["values"], entry["verdict"] = [0.9], [0.8], "holds"
    assert claim_from_report(entry) == written
